using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Model;

public sealed class PackedForwardTests
{
    public static TheoryData<PolicyFamily, int, int, bool, int, int> Shapes => new()
    {
        // family, heads, key/value heads, tied, window (0: none), longest response
        { PolicyFamily.Llama, 4, 4, true, 0, 1 },
        { PolicyFamily.Llama, 4, 2, true, 0, 5 },
        { PolicyFamily.Llama, 4, 1, false, 0, 7 },
        { PolicyFamily.Llama, 2, 2, false, 0, 1 },
        { PolicyFamily.Mistral, 4, 2, false, 3, 1 },
        { PolicyFamily.Mistral, 4, 2, false, 4, 7 },
        { PolicyFamily.Qwen2, 4, 2, true, 0, 5 },
        { PolicyFamily.Qwen2, 2, 2, false, 5, 7 },
        { PolicyFamily.Qwen3, 4, 1, true, 0, 7 },
        { PolicyFamily.Qwen3, 4, 2, false, 2, 5 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_pool_scores_as_the_readable_reference_does_candidate_by_candidate(PolicyFamily family, int heads, int keyValueHeads, bool tied, int window, int longestResponse)
    {
        var config = MadePolicy.ConfigOf(family, heads, keyValueHeads, tied, window);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var reference = new ReferenceLlama(weights);
        var pools = Pools(longestResponse, config.VocabularySize);
        var scores = Scorers(model).Select(scorer => scorer.Score(weights, pools, outputFeatures: false)).ToList();
        for (var n = 0; n < pools.Count; n++)
        {
            var expected = pools[n].Responses.Select(response => reference.Logp(pools[n].Prompt, response)).ToArray();
            foreach (var found in scores)
                AssertClose(expected, found.LogpsOf(n).ToArray(), 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Packed_equals_apart_in_log_probs_and_gradients(PolicyFamily family, int heads, int keyValueHeads, bool tied, int window, int longestResponse)
    {
        var config = MadePolicy.ConfigOf(family, heads, keyValueHeads, tied, window);
        using var start = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var pools = Pools(longestResponse, config.VocabularySize);
        // Each candidate has a weight of its own in the sum, so that no two can be confused.
        var (packed, packedGradients) = Gradients(model, start, [pools], n => n);
        var apart = pools.SelectMany(pool => pool.Responses.Select(response => (IReadOnlyList<EncodedPool>)[new EncodedPool(pool.Prompt, [response])])).ToList();
        var (single, singleGradients) = Gradients(model, start, apart, n => n);
        using var inParts = new LlamaModel(config, mostScores: 300);
        var (parts, partsGradients) = Gradients(inParts, start, [pools], n => n);
        AssertClose(single, packed, 1e-5);
        AssertClose(single, parts, 1e-5);
        foreach (var (name, gradient) in singleGradients)
        {
            AssertClose(gradient, packedGradients[name], 3e-5);
            AssertClose(gradient, partsGradients[name], 3e-5);
        }
    }

    [Fact]
    public void Other_pools_in_the_pack_change_nothing_beyond_the_last_bits()
    {
        var config = MadePolicy.Config();
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var scorer = new PoolScorer(model, tensorOperationsOnly: true);
        var pools = Pools(5, config.VocabularySize);
        var together = scorer.Score(weights, pools, outputFeatures: true);
        for (var n = 0; n < pools.Count; n++)
        {
            var alone = scorer.Score(weights, [pools[n]], outputFeatures: true);
            AssertClose(alone.Logps, together.LogpsOf(n).ToArray(), 1e-5);
            AssertClose(alone.Features!, together.FeaturesOf(n).ToArray(), 1e-5);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Differences_of_output_features_are_those_of_the_gradient_with_respect_to_the_last_hidden_states(int longestResponse)
    {
        var config = MadePolicy.Config();
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var pool = Pools(longestResponse, config.VocabularySize)[0];
        var expected = pool.Responses.Select(response => HiddenGradient(model, weights, new EncodedPool(pool.Prompt, [response]))).ToArray();
        var d = config.HiddenSize;
        foreach (var scorer in Scorers(model))
        {
            var features = scorer.Score(weights, [pool], outputFeatures: true).Features!;
            for (var j = 1; j < expected.Length; j++)
                AssertClose(expected[j].Zip(expected[0], (a, b) => a - b).ToArray(), Enumerable.Range(0, d).Select(i => features[j * d + i] - features[i]).ToArray(), 1e-4);
        }
    }

    [Fact]
    public void Sequences_are_predicted_at_the_places_asked_for_alone()
    {
        var config = MadePolicy.Config();
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        (int[], int[])[] sequences = [([1, 5, 6, 7, 8], [0, 3, 3]), ([1, 9], [0]), ([1, 4, 2], [1, 0])];
        using var batch = PackedBatch.OfSequences(sequences);
        using var logps = model.Logps(weights, batch);
        var reference = new ReferenceLlama(weights);
        var expected = sequences.SelectMany(s => s.Item2.Select(place => reference.Logps(s.Item1[..^1])[place][s.Item1[place + 1]])).ToArray();
        AssertClose(expected, logps.data<float>().ToArray(), 1e-5);
    }

    // What scores fast, where this machine has it, and the readable reference.
    private static PoolScorer[] Scorers(LlamaModel model) => [new(model), new(model, tensorOperationsOnly: true)];

    private static List<EncodedPool> Pools(int longestResponse, int vocabulary)
    {
        var random = new StableRandom(longestResponse);
        var pools = new List<EncodedPool>();
        for (var i = 0; i < 4; i++)
            pools.Add(MadePolicy.Pool(ref random, vocabulary, candidates: 2 + i, longestPrompt: 9, longestResponse));
        // A prompt of one token and a candidate twice.
        pools.Add(new EncodedPool([3], [pools[0].Responses[0], pools[0].Responses[0]]));
        return pools;
    }

    private static (float[] Logps, Dictionary<string, float[]> Gradients) Gradients(LlamaModel model, PolicyWeights start, IReadOnlyList<IReadOnlyList<EncodedPool>> batches, Func<int, int> number)
    {
        using var scope = NewDisposeScope();
        using var weights = start.Copy(trainable: true);
        var all = new List<float>();
        foreach (var pools in batches)
        {
            using var batch = PackedBatch.Of(pools);
            var logps = model.Logps(weights, batch);
            var factors = Enumerable.Range(0, batch.Candidates).Select(c => MathF.Sin(number(all.Count + c))).ToArray();
            (logps * tensor(factors)).sum().backward();
            all.AddRange(logps.data<float>().ToArray());
        }
        return ([.. all], weights.Tensors.ToDictionary(t => t.Key, t => t.Value.grad!.data<float>().ToArray()));
    }

    private static float[] HiddenGradient(LlamaModel model, PolicyWeights weights, EncodedPool single)
    {
        using var scope = NewDisposeScope();
        using var batch = PackedBatch.Of([single]);
        var hidden = model.Hidden(weights, batch).detach();
        hidden.requires_grad = true;
        LlamaModel.TokenLogps(weights, batch, hidden).Logps_T.sum().backward();
        return hidden.grad!.sum([0L]).data<float>().ToArray();
    }

    private static void AssertClose<TExpected>(TExpected[] expected, float[] actual, double tolerance) where TExpected : IConvertible
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var value = expected[i].ToDouble(null);
            Assert.True(Math.Abs(value - actual[i]) <= tolerance * Math.Max(1, Math.Abs(value)), $"at {i}: expected {value}, found {actual[i]}");
        }
    }
}
