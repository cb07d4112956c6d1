using MassDpo.Policy;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.PolicyKit;

/// <summary>Small policies and pools made from a seed.</summary>
public static class MadePolicy
{
    /// <summary>A config of a few thousand parameters.</summary>
    public static PolicyConfig Config(int vocabulary = 50, int hidden = 16, int layers = 2, int heads = 4, int keyValueHeads = 2, bool tied = true, int positions = 64) => new()
    {
        HiddenSize = hidden,
        IntermediateSize = hidden * 2,
        Layers = layers,
        Heads = heads,
        KeyValueHeads = keyValueHeads,
        HeadSize = hidden / heads,
        VocabularySize = vocabulary,
        MaxPositions = positions,
        RmsNormEpsilon = 1e-5,
        TiedEmbeddings = tied,
        BosTokenId = WordLevelTokenizer.BosId,
        EosTokenId = WordLevelTokenizer.EosId,
    };

    /// <summary>The same of a family; a window (0: none) of Qwen's begins in the second of two layers.</summary>
    public static PolicyConfig ConfigOf(PolicyFamily family, int heads, int keyValueHeads, bool tied, int window) =>
        Config(heads: heads, keyValueHeads: keyValueHeads, tied: tied) with
        {
            Family = family,
            Window = window == 0 ? null : window,
            FirstWindowedLayer = window > 0 && family != PolicyFamily.Mistral ? 1 : 0,
        };

    /// <summary>Weights far enough from 0 that log-probabilities differ well; biases, and norms of queries and keys, are such too where the family has them.</summary>
    public static PolicyWeights Weights(PolicyConfig config, long seed = 1)
    {
        var weights = PolicyWeights.Initialise(config, seed, embeddingDeviation: 0.5);
        var random = new StableRandom(seed, 0xB1A5);
        using var _ = no_grad();
        foreach (var (name, tensor) in weights.Tensors)
            if (name.EndsWith(".bias", StringComparison.Ordinal) || name.Contains("_norm.", StringComparison.Ordinal))
            {
                using var scope = NewDisposeScope();
                tensor.copy_(TorchSharp.torch.tensor([.. Enumerable.Range(0, (int)tensor.numel()).Select(_ => (float)(0.5 + random.Unit()))], dtype: ScalarType.Float32));
            }
        return weights;
    }

    /// <summary>The same with an adapter that adds something: B is no longer 0. The base stays shared.</summary>
    public static PolicyWeights WithAdapter(PolicyWeights weights, LoraOptions options, long seed = 1)
    {
        using var fresh = weights.WithFreshAdapter(options, seed);
        var adapted = fresh.Copy();
        var random = new StableRandom(seed, 0xADA9);
        using var _ = no_grad();
        foreach (var (name, tensor) in adapted.Tensors)
        {
            using var scope = NewDisposeScope();
            if (name.Contains("lora_B", StringComparison.Ordinal))
                tensor.copy_(TorchSharp.torch.tensor([.. Enumerable.Range(0, (int)tensor.numel()).Select(_ => (float)(0.2 * random.Normal()))], tensor.shape, dtype: ScalarType.Float32));
        }
        return adapted;
    }

    /// <summary>Items <c>i0</c>, <c>i1</c>, … that fill the vocabulary of a config.</summary>
    public static IReadOnlyList<string> Items(PolicyConfig config) => [.. Enumerable.Range(0, config.VocabularySize - 3).Select(i => "i" + i)];

    /// <summary>Writes a whole item policy.</summary>
    public static void Write(string directory, PolicyConfig config, long seed = 1)
    {
        using var weights = Weights(config, seed);
        PolicyDirectory.Save(directory, config, WordLevelTokenizer.Create(Items(config), splitsAtWhitespace: false), weights);
    }

    /// <summary>A pool of random tokens.</summary>
    /// <param name="random">advanced</param>
    /// <param name="vocabulary">ids are below this</param>
    /// <param name="candidates">the chosen one counted</param>
    /// <param name="longestPrompt">tokens</param>
    /// <param name="longestResponse">tokens</param>
    public static EncodedPool Pool(ref StableRandom random, int vocabulary, int candidates, int longestPrompt, int longestResponse)
    {
        var prompt = Tokens(ref random, 1 + random.Below(longestPrompt), vocabulary);
        var responses = new int[candidates][];
        for (var i = 0; i < candidates; i++)
            responses[i] = Tokens(ref random, 1 + random.Below(longestResponse), vocabulary);
        return new EncodedPool(prompt, responses);
    }

    private static int[] Tokens(ref StableRandom random, int count, int vocabulary)
    {
        var tokens = new int[count];
        for (var i = 0; i < count; i++)
            tokens[i] = random.Below(vocabulary);
        return tokens;
    }
}
