using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Scoring;

/// <summary>Against one backward a candidate through tensor operations.</summary>
public sealed class LoraFeaturesTests : IDisposable
{
    private static readonly PolicyConfig Config = MadePolicy.Config() with { Family = PolicyFamily.Qwen2 };

    // Not all matrices, and of different ranks.
    private static readonly LoraOptions Lora = new()
    {
        Rank = 3, Alpha = 6, Targets = ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"], RankPattern = [KeyValuePair.Create("gate_proj", 7)],
    };

    private readonly PolicyWeights _base = MadePolicy.Weights(Config);
    private readonly PolicyWeights _weights;
    private readonly LlamaModel _model = new(Config);
    private readonly List<EncodedPool> _pools = [];

    public LoraFeaturesTests()
    {
        _weights = MadePolicy.WithAdapter(_base, Lora);
        foreach (var longest in new[] { 5, 1, 8 })
        {
            var random = new StableRandom(longest, 0x10);
            _pools.Add(MadePolicy.Pool(ref random, Config.VocabularySize, candidates: 4, longestPrompt: 9, longest));
        }
        // A prompt of one token, and a candidate twice.
        _pools.Add(new EncodedPool([3], [_pools[0].Responses[1], _pools[0].Responses[1], _pools[2].Responses[0]]));
    }

    [Theory]
    [InlineData(4096, 1 << 24)]
    [InlineData(25, 120)]
    [InlineData(1, 1)]
    public void Inner_products_are_those_of_the_gradients_with_respect_to_every_A_and_B(int tokens, long logits)
    {
        var scorer = new PoolScorer(_model, new ComputeLimits(tokens) { Logits = logits });
        var scores = scorer.Score(_weights, _pools, new FeatureForm(FeatureKind.Lora, false));
        var cosines = scorer.Score(_weights, _pools, new FeatureForm(FeatureKind.Lora, true));
        Assert.Null(scores.Features);
        AssertClose(new PoolScorer(_model).Score(_weights, _pools, outputFeatures: false).Logps.Select(x => (double)x), scores.Logps.Select(x => (double)x), 1e-5);
        for (var n = 0; n < _pools.Count; n++)
        {
            var gradients = Gradients(_weights, _pools[n]);
            AssertClose(Gram(gradients), scores.Grams![n], 1e-5);
            AssertClose(Gram([.. gradients.Select(UnitLength)]), cosines.Grams![n], 1e-5);
        }
    }

    [Fact]
    public void Of_a_fresh_adapter_they_are_those_with_respect_to_B()
    {
        using var fresh = _base.WithFreshAdapter(Lora, seed: 2);
        using var published = fresh.Copy();
        var form = new FeatureForm(FeatureKind.Lora, false);
        var (found, same) = (new PoolScorer(_model).Score(fresh, _pools, form), new PoolScorer(_model).Score(published, _pools, form));
        for (var n = 0; n < _pools.Count; n++)
        {
            Assert.Equal(same.Grams![n], found.Grams![n]);
            AssertClose(Gram(Gradients(published, _pools[n], "lora_B")), found.Grams[n], 1e-5);
        }
    }

    [Fact]
    public void A_pool_gives_the_same_bits_whatever_is_scored_with_it_and_leaves_nothing_behind()
    {
        using var trained = _weights.Copy(trainable: true);
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        foreach (var sketch in new[] { 0, 30 })
        {
            var form = new FeatureForm(FeatureKind.Lora, false) { Sketch = sketch, Seed = 4 };
            var together = new PoolScorer(_model).Score(_weights, _pools, form);
            for (var n = 0; n < _pools.Count; n++)
            {
                var alone = new PoolScorer(_model).Score(trained, [_pools[n]], form);
                Assert.Equal(alone.Logps, together.LogpsOf(n));
                Assert.Equal(alone.Grams?[0], together.Grams?[n]);
                if (sketch > 0)
                    Assert.Equal(alone.Features!, together.FeaturesOf(n));
            }
        }
        // In groups of rows too.
        new PoolScorer(_model, new ComputeLimits(25)).Score(_weights, _pools, new FeatureForm(FeatureKind.Lora, false));
        Assert.Equal(tensors, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.All(trained.Tensors.Values, tensor => Assert.Null(tensor.grad));
    }

    public void Dispose()
    {
        _model.Dispose();
        _weights.Dispose();
        _base.Dispose();
    }

    private double[][] Gradients(PolicyWeights weights, EncodedPool pool, string of = "") => [.. pool.Responses.Select(response =>
    {
        using var scope = NewDisposeScope();
        using var trained = weights.Copy(trainable: true);
        using var batch = PackedBatch.Of([new EncodedPool(pool.Prompt, [response])]);
        _model.Logps(trained, batch).sum().backward();
        return trained.Tensors.Where(tensor => tensor.Key.Contains(of, StringComparison.Ordinal))
            .SelectMany(tensor => tensor.Value.grad!.data<float>().ToArray()).Select(x => (double)x).ToArray();
    })];

    private static double[] UnitLength(double[] x) => [.. x.Select(value => value / Math.Sqrt(x.Sum(each => each * each)))];

    private static double[] Gram(double[][] u) => [.. u.SelectMany(a => u.Select(b => a.Zip(b, (x, y) => x * y).Sum()))];

    // Relative to the largest.
    private static void AssertClose(IEnumerable<double> expected, IEnumerable<double> actual, double tolerance)
    {
        var scale = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance * scale));
        Assert.Equal(expected.Count(), actual.Count());
    }
}
