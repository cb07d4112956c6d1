using MassDpo.Policy;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Scoring.Bench;

/// <summary>A policy's shape and the records that it scores.</summary>
/// <param name="Name">for people</param>
/// <param name="Config">the shape</param>
/// <param name="Records">records of one call</param>
/// <param name="LongestPrompt">tokens; the shortest is <paramref name="ShortestPrompt"/></param>
/// <param name="Candidates">of each record</param>
/// <param name="Response">tokens of each response</param>
/// <param name="Seconds">how long each comparison takes at least</param>
internal sealed record Workload(string Name, PolicyConfig Config, int Records, int ShortestPrompt, int LongestPrompt, int Candidates, int Response, int Seconds)
{
    public static IReadOnlyList<Workload> All =>
    [
        new("Items (as LastFM)", Shape(64, 2, 4, 172, 4609, 16), 32, 6, 11, 20, 1, 4),
        new("Text", Shape(288, 6, 6, 768, 4096, 512), 2, 256, 256, 20, 16, 10),
    ];

    public List<EncodedPool> Pools()
    {
        var random = new StableRandom(3);
        var pools = new List<EncodedPool>();
        for (var i = 0; i < Records; i++)
        {
            var prompt = Tokens(ref random, ShortestPrompt + random.Below(LongestPrompt - ShortestPrompt + 1));
            var responses = new int[Candidates][];
            for (var c = 0; c < Candidates; c++)
                responses[c] = Tokens(ref random, Response);
            pools.Add(new EncodedPool(prompt, responses));
        }
        return pools;
    }

    private int[] Tokens(ref StableRandom random, int count)
    {
        var tokens = new int[count];
        for (var i = 0; i < count; i++)
            tokens[i] = random.Below(Config.VocabularySize);
        return tokens;
    }

    private static PolicyConfig Shape(int hidden, int layers, int heads, int intermediate, int vocabulary, int positions) => new()
    {
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = heads,
        HeadSize = hidden / heads,
        VocabularySize = vocabulary,
        MaxPositions = positions,
        RmsNormEpsilon = 1e-5,
        TiedEmbeddings = true,
    };
}
