using MassDpo.Policy.Generation;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Generation;

/// <summary>The cached forward against the whole one.</summary>
public sealed class CachedDecoderTests
{
    public static TheoryData<PolicyFamily, int, int, bool, int> Shapes => new()
    {
        // family, heads, key/value heads, tied, window (0: none)
        { PolicyFamily.Llama, 4, 4, true, 0 },
        { PolicyFamily.Llama, 4, 2, true, 0 },
        { PolicyFamily.Llama, 4, 1, false, 0 },
        { PolicyFamily.Mistral, 4, 2, false, 3 },
        { PolicyFamily.Qwen2, 4, 2, true, 0 },
        { PolicyFamily.Qwen2, 2, 2, false, 5 },
        { PolicyFamily.Qwen3, 4, 1, true, 0 },
        { PolicyFamily.Qwen3, 4, 2, false, 2 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Logits_are_those_of_the_whole_forward(PolicyFamily family, int heads, int keyValueHeads, bool tied, int window)
    {
        var config = MadePolicy.ConfigOf(family, heads, keyValueHeads, tied, window);
        using var weights = MadePolicy.Weights(config);
        AssertAsWhole(config, weights);
        AssertAsWhole(config, weights, mostScores: 200);
    }

    [Fact]
    public void Logits_of_an_adapter_are_those_of_the_whole_forward()
    {
        var config = MadePolicy.Config();
        using var whole = MadePolicy.Weights(config);
        using var fresh = whole.WithFreshAdapter(new LoraOptions { Rank = 3, Alpha = 6, Targets = [.. WeightNames.Projections.Select(name => name[(name.IndexOf('.') + 1)..])] }, seed: 1);
        // Training: its tensors collect gradients, which what is generated does not.
        using var moved = fresh.Copy(trainable: true);
        using (no_grad())
            foreach (var (name, tensor) in moved.Tensors)
                if (name.Contains("lora_B", StringComparison.Ordinal))
                    tensor.fill_(0.125f);
        AssertAsWhole(config, moved);
        using var model = new LlamaModel(config);
        Assert.True(FullForward.LastLogits(model, whole, [3, 4]).Zip(FullForward.LastLogits(model, moved, [3, 4])).Max(pair => Math.Abs(pair.First - pair.Second)) > 0.01);
    }

    [Fact]
    public void Tokens_may_come_several_at_a_time()
    {
        var config = MadePolicy.Config() with { Window = 4 };
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        using var decoder = new CachedDecoder(model, weights);
        int[][] rows = [[3, 4, 5], [6]];
        foreach (var more in new int[][][] { rows, [[7, 8, 9, 10], [11, 12, 13, 14]], [[15, 16], [17, 18]] })
        {
            if (more != rows)
                rows = [.. rows.Zip(more, (row, added) => (int[])[.. row, .. added])];
            AssertLogits(model, weights, rows, Advance(decoder, more));
        }
        Assert.Throws<ArgumentException>(() => decoder.Advance([[1, 2], [3]]));
        Assert.Throws<ArgumentException>(() => decoder.Advance([[1]]));
    }

    // Prompts of all lengths together, a token at a time up to the policy's last position, rows leaving and changing places on the way.
    private static void AssertAsWhole(PolicyConfig config, PolicyWeights weights, long mostScores = 1 << 24)
    {
        using var model = new LlamaModel(config);
        using var ofDecoder = new LlamaModel(config, mostScores: mostScores);
        using var decoder = new CachedDecoder(ofDecoder, weights);
        var random = new StableRandom(7);
        List<int>[] rows = [.. new[] { 5, 1, 9, 30 }.Select(length => Tokens(length))];
        AssertLogits(model, weights, rows, Advance(decoder, [.. rows.Select(row => row.ToArray())]));
        for (var step = 1; rows.Length > 0; step++)
        {
            int[]? kept = step == 3 ? [3, 1, 0] : rows.Any(row => row.Count == config.MaxPositions) ? [.. Enumerable.Range(0, rows.Length).Where(i => rows[i].Count < config.MaxPositions)] : null;
            if (kept is not null)
            {
                decoder.Keep(kept);
                rows = [.. kept.Select(row => rows[row])];
            }
            if (rows.Length == 0)
                break;
            var next = rows.Select(_ => Tokens(1).ToArray()).ToArray();
            for (var i = 0; i < rows.Length; i++)
                rows[i].AddRange(next[i]);
            AssertLogits(model, weights, rows, Advance(decoder, next));
        }

        List<int> Tokens(int count)
        {
            var tokens = new List<int>();
            for (var i = 0; i < count; i++)
                tokens.Add(random.Below(config.VocabularySize));
            return tokens;
        }
    }

    private static float[][] Advance(CachedDecoder decoder, int[][] tokens)
    {
        using var logits = decoder.Advance(tokens);
        Assert.False(logits.requires_grad);
        return [.. logits.data<float>().ToArray().Chunk((int)logits.shape[1])];
    }

    private static void AssertLogits(LlamaModel model, PolicyWeights weights, IReadOnlyList<IReadOnlyList<int>> rows, float[][] found)
    {
        Assert.Equal(rows.Count, found.Length);
        for (var n = 0; n < rows.Count; n++)
        {
            var expected = FullForward.LastLogits(model, weights, rows[n]);
            for (var id = 0; id < expected.Length; id++)
                Assert.True(Math.Abs(expected[id] - found[n][id]) <= 1e-4, $"row {n} of {rows[n].Count} tokens, id {id}: expected {expected[id]}, found {found[n][id]}");
        }
    }
}
