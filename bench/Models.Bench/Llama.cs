using MassDpo.Policy;
using MassDpo.Policy.Lora;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Models.Bench;

/// <summary>The random Llama of bench/peers: 7 million parameters with its vocabulary of 4,096, prompts of 256 tokens, 20 responses of 16.</summary>
internal static class Llama
{
    public const int Candidates = 20;

    public static LoraOptions Lora { get; } = new() { Rank = 8, Alpha = 16, Targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] };

    public static PolicyConfig Config(int vocabulary) => new()
    {
        HiddenSize = 288,
        IntermediateSize = 768,
        Layers = 6,
        Heads = 6,
        KeyValueHeads = 6,
        HeadSize = 48,
        VocabularySize = vocabulary,
        MaxPositions = 512,
        RmsNormEpsilon = 1e-5,
        TiedEmbeddings = true,
    };

    public static List<EncodedPool> Pools(int count, int candidates, int vocabulary, int prompt = 256)
    {
        var random = new StableRandom(3);
        return [.. Enumerable.Range(0, count).Select(_ => new EncodedPool(Tokens(ref random, prompt), [.. Responses(ref random)]))];

        List<int[]> Responses(ref StableRandom random)
        {
            var responses = new List<int[]>();
            for (var i = 0; i < candidates; i++)
                responses.Add(Tokens(ref random, 16));
            return responses;
        }

        int[] Tokens(ref StableRandom random, int length)
        {
            var tokens = new int[length];
            foreach (ref var token in tokens.AsSpan())
                token = random.Below(vocabulary);
            return tokens;
        }
    }
}
