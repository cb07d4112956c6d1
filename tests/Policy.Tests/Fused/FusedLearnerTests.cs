using MassDpo.Policy.Fused;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Fused;

/// <summary>Log-probabilities with their gradients by native/fused: against autograd, against slopes in double, and against itself.</summary>
public sealed class FusedLearnerTests
{
    [FusedFact]
    public void Gradients_are_those_of_autograd()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new StableRandom(seed, 0x6AD);
            var config = FusedCases.Config(ref random);
            using var weights = MadePolicy.Weights(config, seed);
            using var model = new LlamaModel(config);
            var pools = FusedCases.Pools(ref random, config.VocabularySize, 1 + random.Below(6));
            var pulls = Pulls(ref random, pools);
            var expected = Gradients(model, weights, pools, pulls, tensorOperationsOnly: true);
            var actual = Gradients(model, weights, pools, pulls);
            foreach (var (name, gradient) in expected)
                AssertClose(gradient, actual[name], $"{name} of {seed}");
        }
    }

    // Autograd rounds as we do; the double reference does not.
    [FusedTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Gradients_are_slopes_in_double(bool tied)
    {
        var random = new StableRandom(3, 0x510);
        var config = MadePolicy.Config(vocabulary: 30, hidden: 24, layers: 2, tied: tied);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        EncodedPool[] pools = [MadePolicy.Pool(ref random, 30, 4, 9, 5), MadePolicy.Pool(ref random, 30, 2, 12, 1)];
        var pulls = Pulls(ref random, pools);
        var gradients = Gradients(model, weights, pools, pulls);
        foreach (var (name, gradient) in gradients)
        {
            for (var check = 0; check < 4; check++)
            {
                var at = random.Below(gradient.Length);
                const double Step = 1e-3;
                var slope = (Value(Moved(at, Step)) - Value(Moved(at, -Step))) / (Realised(at, Step) - Realised(at, -Step));
                Assert.True(Math.Abs(slope - gradient[at]) <= 2e-4 * Math.Max(1, Math.Abs(slope)), $"{name}[{at}]: slope {slope:R}, gradient {gradient[at]:R}");

                PolicyWeights Moved(int index, double by)
                {
                    var moved = weights.Copy();
                    var values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(moved.Tensors[name].bytes);
                    values[index] = (float)(values[index] + by);
                    return moved;
                }

                // What float32 makes of the step.
                double Realised(int index, double by) =>
                    (float)(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(weights.Tensors[name].bytes)[index] + by);
            }
        }

        double Value(PolicyWeights at)
        {
            using (at)
            {
                var reference = new ReferenceLlama(at);
                var (total, c) = (0.0, 0);
                foreach (var pool in pools)
                    foreach (var response in pool.Responses)
                        total += pulls[c++] * reference.Logp(pool.Prompt, response);
                return total;
            }
        }
    }

    [FusedFact]
    public void Log_probs_are_the_bits_of_scoring()
    {
        for (var seed = 0; seed < 15; seed++)
        {
            var random = new StableRandom(seed, 0x10F);
            var config = FusedCases.Config(ref random);
            using var weights = MadePolicy.Weights(config, seed);
            using var trained = weights.Copy(trainable: true);
            using var model = new LlamaModel(config);
            using var scorer = new DifferentiableScorer(model, trained);
            for (var call = 0; call < 3; call++)
            {
                var pools = FusedCases.Pools(ref random, config.VocabularySize, 1 + random.Below(6));
                FusedCases.AssertSameBits(new PoolScorer(model).Score(weights, pools, outputFeatures: false).Logps, scorer.Logps(pools).data<float>().ToArray());
            }
        }
    }

    [FusedFact]
    public void Every_instruction_set_gives_the_same_bits()
    {
        for (var seed = 0; seed < 12; seed++)
        {
            var random = new StableRandom(seed, 0x15A6);
            var config = FusedCases.Config(ref random);
            using var weights = MadePolicy.Weights(config, seed);
            using var rotary = new RotaryTable(config);
            var pools = FusedCases.Pools(ref random, config.VocabularySize, 4);
            var pulls = Pulls(ref random, pools);
            var results = FusedMachine.Levels.Select(level =>
            {
                using var scope = NewDisposeScope();
                var gradients = weights.Tensors.Values.ToDictionary(tensor => tensor, tensor => zeros_like(tensor));
                using var learner = FusedLearner.Of(weights, tensor => gradients[tensor], rotary);
                var logps = learner.Forward(pools, level);
                learner.Backward(pulls, level);
                return gradients.Values.SelectMany(gradient => gradient.data<float>().ToArray()).Concat(logps).ToArray();
            }).ToList();
            foreach (var other in results.Skip(1))
                FusedCases.AssertSameBits(results[0], other);
        }
    }

    [FusedFact]
    public void Gradients_add_up_and_the_same_calls_give_the_same_bits()
    {
        var random = new StableRandom(8, 0xADD);
        var config = MadePolicy.Config(vocabulary: 60, hidden: 32, positions: 128);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var pools = FusedCases.Pools(ref random, config.VocabularySize, 4);
        var pulls = Pulls(ref random, pools);
        var once = Gradients(model, weights, pools, pulls);
        var twice = Gradients(model, weights, pools, pulls, times: 2);
        var again = Gradients(model, weights, pools, pulls, times: 2);
        foreach (var (name, gradient) in once)
        {
            FusedCases.AssertSameBits(twice[name], again[name]);
            AssertClose([.. gradient.Select(x => 2 * x)], twice[name], name);
        }
    }

    [FusedFact]
    public void Weights_that_changed_are_scored_as_they_are_now()
    {
        var random = new StableRandom(2, 0xC4A);
        var config = MadePolicy.Config();
        using var start = MadePolicy.Weights(config);
        using var trained = start.Copy(trainable: true);
        using var model = new LlamaModel(config);
        using var scorer = new DifferentiableScorer(model, trained);
        EncodedPool[] pools = [MadePolicy.Pool(ref random, config.VocabularySize, 4, 9, 5)];
        var before = scorer.Logps(pools).data<float>().ToArray();
        using (no_grad())
            foreach (var tensor in trained.Tensors.Values)
                tensor.mul_(1.1);
        scorer.WeightsChanged();
        var after = scorer.Logps(pools).data<float>().ToArray();
        Assert.NotEqual(before, after);
        using var published = trained.Copy();
        FusedCases.AssertSameBits(new PoolScorer(model).Score(published, pools, outputFeatures: false).Logps, after);
    }

    [FusedFact]
    public void A_backward_without_a_forward_is_refused()
    {
        var config = MadePolicy.Config();
        using var weights = MadePolicy.Weights(config);
        using var rotary = new RotaryTable(config);
        using var scope = NewDisposeScope();
        var gradients = weights.Tensors.Values.ToDictionary(tensor => tensor, tensor => zeros_like(tensor));
        using var learner = FusedLearner.Of(weights, tensor => gradients[tensor], rotary);
        Assert.ThrowsAny<Exception>(() => learner.Backward([1f, 1f]));
        learner.Forward([new([1], [[2], [3]])]);
        learner.Backward([1f, 1f]);
        Assert.ThrowsAny<Exception>(() => learner.Backward([1f, 1f]));
    }

    [Fact]
    public void What_is_computed_together_is_bounded_in_rows()
    {
        var config = MadePolicy.Config(positions: 400);
        using var weights = MadePolicy.Weights(config);
        using var trained = weights.Copy(trainable: true);
        using var model = new LlamaModel(config);
        using var scorer = new DifferentiableScorer(model, trained);
        EncodedPool[] pools = [.. Enumerable.Repeat(new EncodedPool(new int[200], [[1], [2, 3]]), 5)];
        Assert.Equal(DifferentiableScorer.IsFused(trained) ? [[0, 1], [2, 3], [4]] : new[] { new[] { 0, 1, 2, 3, 4 } }, scorer.Plan(pools));
    }

    private static float[] Pulls(ref StableRandom random, IReadOnlyList<EncodedPool> pools)
    {
        var pulls = new float[pools.Sum(pool => pool.Candidates)];
        foreach (ref var pull in pulls.AsSpan())
            pull = (float)random.Normal();
        return pulls;
    }

    private static Dictionary<string, float[]> Gradients(LlamaModel model, PolicyWeights weights, IReadOnlyList<EncodedPool> pools, float[] pulls,
        bool tensorOperationsOnly = false, int times = 1)
    {
        using var scope = NewDisposeScope();
        using var trained = weights.Copy(trainable: true);
        using var scorer = new DifferentiableScorer(model, trained, tensorOperationsOnly: tensorOperationsOnly);
        for (var i = 0; i < times; i++)
            scorer.Backward((scorer.Logps(pools) * tensor(pulls, dtype: ScalarType.Float32)).sum());
        return trained.Tensors.ToDictionary(entry => entry.Key, entry => entry.Value.grad!.data<float>().ToArray());
    }

    // Relative to the largest: what cancels keeps the errors of what it was made of.
    private static void AssertClose(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var most = expected.Max(x => Math.Abs((double)x));
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs((double)expected[i] - actual[i]) <= 1e-5 * most + 1e-7, $"{what}: at {i} {expected[i]:R}, found {actual[i]:R}, of {most:R}");
    }
}
