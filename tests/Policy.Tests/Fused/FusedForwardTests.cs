using System.Runtime.InteropServices;
using MassDpo.Policy.Fused;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Fused;

/// <summary>Against tensor operations, and against itself in other company.</summary>
public sealed class FusedForwardTests
{
    [FusedFact]
    public void Log_probs_and_features_are_those_of_tensor_operations()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new StableRandom(seed, 0xF5ED);
            var config = FusedCases.Config(ref random);
            using var weights = MadePolicy.Weights(config, seed);
            using var model = new LlamaModel(config);
            var pools = FusedCases.Pools(ref random, config.VocabularySize, 1 + random.Below(6));
            var expected = new PoolScorer(model, tensorOperationsOnly: true).Score(weights, pools, outputFeatures: true);
            var actual = new PoolScorer(model).Score(weights, pools, outputFeatures: true);
            Assert.Equal(expected.Start, actual.Start);
            AssertClose(expected.Logps, actual.Logps, $"log-probs of {seed}");
            AssertClose(expected.Features!, actual.Features!, $"features of {seed}");
        }
    }

    [SharedDataTheory("fixtures/hf")]
    [InlineData("llama-tied")]
    [InlineData("llama3-rope")]
    public void Checkpoints_score_as_by_tensor_operations(string name)
    {
        var directory = SharedData.PathOf("fixtures/hf/" + name);
        var config = PolicyConfig.Load(Path.Combine(directory, "config.json"));
        using var weights = PolicyDirectory.LoadWeights(directory, config);
        using var model = new LlamaModel(config);
        var random = new StableRandom(11);
        foreach (var longestResponse in new[] { 1, 9 })
        {
            var pools = new List<EncodedPool>();
            for (var i = 0; i < 5; i++)
                pools.Add(MadePolicy.Pool(ref random, config.VocabularySize, 6, longestPrompt: Math.Min(40, config.MaxPositions / 2), longestResponse));
            var expected = new PoolScorer(model, tensorOperationsOnly: true).Score(weights, pools, outputFeatures: true);
            var actual = new PoolScorer(model).Score(weights, pools, outputFeatures: true);
            AssertClose(expected.Logps, actual.Logps, "log-probs");
            AssertClose(expected.Features!, actual.Features!, "features");
        }
    }

    [FusedFact]
    public void A_pool_has_the_same_bits_in_any_company()
    {
        for (var seed = 0; seed < 15; seed++)
        {
            var random = new StableRandom(seed, 0xBA7C);
            var config = FusedCases.Config(ref random);
            using var weights = MadePolicy.Weights(config, seed);
            using var model = new LlamaModel(config);
            var scorer = new PoolScorer(model);
            // Enough rows for several groups.
            var pools = FusedCases.Pools(ref random, config.VocabularySize, 12);
            var alone = pools.Select(pool => scorer.Score(weights, [pool], outputFeatures: true)).ToList();
            for (var trial = 0; trial < 4; trial++)
            {
                var order = Enumerable.Range(0, pools.Count).ToArray();
                random.Shuffle<int>(order);
                var some = order[..(1 + random.Below(order.Length))];
                var together = scorer.Score(weights, [.. some.Select(i => pools[i])], outputFeatures: true);
                for (var n = 0; n < some.Length; n++)
                {
                    FusedCases.AssertSameBits(alone[some[n]].Logps, together.LogpsOf(n));
                    FusedCases.AssertSameBits(alone[some[n]].Features, together.FeaturesOf(n));
                }
            }
        }
    }

    [FusedFact]
    public void A_candidate_has_the_same_bits_in_any_pool()
    {
        var random = new StableRandom(5, 0xCA4D);
        var config = MadePolicy.Config(vocabulary: 90, hidden: 36, layers: 3);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var scorer = new PoolScorer(model);
        var pool = MadePolicy.Pool(ref random, config.VocabularySize, candidates: 9, longestPrompt: 20, longestResponse: 20);
        var whole = scorer.Score(weights, [pool], outputFeatures: false).Logps;
        for (var c = 0; c < pool.Candidates; c++)
            FusedCases.AssertSameBits(whole.AsSpan(c, 1), scorer.Score(weights, [new EncodedPool(pool.Prompt, [pool.Responses[c]])], outputFeatures: false).Logps);
    }

    [FusedFact]
    public void Every_instruction_set_gives_the_same_bits()
    {
        for (var seed = 0; seed < 12; seed++)
        {
            var random = new StableRandom(seed, 0x15A5);
            var config = FusedCases.Config(ref random);
            using var weights = MadePolicy.Weights(config, seed);
            using var rotary = new RotaryTable(config);
            using var packed = FusedWeights.Pack(weights);
            var pools = FusedCases.Pools(ref random, config.VocabularySize, 4);
            var scores = FusedMachine.Levels.Select(level => FusedForward.Score(packed, config, rotary, pools, outputFeatures: true, level)).ToList();
            foreach (var other in scores.Skip(1))
            {
                FusedCases.AssertSameBits(scores[0].Logps, other.Logps);
                FusedCases.AssertSameBits(scores[0].Features, other.Features);
            }
        }
    }

    [FusedFact]
    public void The_exponential_is_right_to_two_units_and_the_same_bits_on_every_instruction_set()
    {
        var random = new StableRandom(1, 0xE4B);
        var x = new float[200_003];
        for (var i = 0; i < x.Length; i++)
            x[i] = (float)(random.Unit() * 195 - 105);
        float[] special = [0, -0f, 1, -1, 88.72283f, 88.8f, 200, -87.33655f, -103.9f, -104.1f, -1e30f, 1e-30f, float.NegativeInfinity, float.PositiveInfinity];
        special.CopyTo(x, 0);
        var results = FusedMachine.Levels.Select(level =>
        {
            var y = new float[x.Length];
            FusedLibrary.Exp(level, x, y);
            return y;
        }).ToList();
        foreach (var other in results.Skip(1))
            FusedCases.AssertSameBits(results[0], other);
        for (var i = 0; i < x.Length; i++)
        {
            var exact = Math.Exp(x[i]);
            if (exact > float.MaxValue)
            {
                Assert.Equal(float.PositiveInfinity, results[0][i]);
                continue;
            }
            var unit = Math.Max((double)MathF.BitIncrement((float)exact) - (float)exact, float.Epsilon);
            Assert.True(Math.Abs(results[0][i] - exact) <= 2 * unit, $"e^{x[i]:R} is {exact}, found {results[0][i]:R}");
        }
        FusedLibrary.Exp(-1, [float.NaN], x);
        Assert.Equal(float.NaN, x[0]);
    }

    [FusedTheory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_number_that_is_none_makes_its_own_records_log_probs_none_and_no_others(float bad)
    {
        var random = new StableRandom(9);
        var config = MadePolicy.Config(tied: false);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var scorer = new PoolScorer(model);
        const int Token = 7;
        EncodedPool Clean() => MadePolicy.Pool(ref random, Token, candidates: 4, longestPrompt: 9, longestResponse: 5);
        EncodedPool[] pools = [Clean(), new([1, Token, 2], [[3], [4, 5]]), Clean(), new([1, 2], [[3, Token, 4], [5, 6]])];
        var before = scorer.Score(weights, pools, outputFeatures: true);
        using var broken = weights.Copy();
        MemoryMarshal.Cast<byte, float>(broken.Embedding.bytes)[Token * config.HiddenSize] = bad;
        var after = scorer.Score(broken, pools, outputFeatures: true);
        foreach (var n in new[] { 0, 2 })
        {
            FusedCases.AssertSameBits(before.LogpsOf(n), after.LogpsOf(n));
            FusedCases.AssertSameBits(before.FeaturesOf(n), after.FeaturesOf(n));
        }
        Assert.All(after.LogpsOf(1).ToArray(), logp => Assert.Equal(float.NaN, logp));
        // Only the response that has the token: the other does not see it.
        Assert.Equal(float.NaN, after.LogpsOf(3)[0]);
        FusedCases.AssertSameBits(before.LogpsOf(3)[1..], after.LogpsOf(3)[1..]);
    }

    [FusedFact]
    public void Logits_without_bounds_give_what_tensor_operations_give()
    {
        var config = MadePolicy.Config(tied: false);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        EncodedPool[] pools = [new([1, 2], [[3], [4], [5]])];
        foreach (var bad in new[] { float.PositiveInfinity, float.NegativeInfinity, float.NaN })
        {
            using var broken = weights.Copy();
            MemoryMarshal.Cast<byte, float>(broken.Output.bytes)[4 * config.HiddenSize] = bad;
            Assert.Equal(new PoolScorer(model, tensorOperationsOnly: true).Score(broken, pools, outputFeatures: false).Logps.Select(float.IsFinite),
                new PoolScorer(model).Score(broken, pools, outputFeatures: false).Logps.Select(float.IsFinite));
        }
    }

    [FusedFact]
    public void A_token_or_a_place_that_the_policy_lacks_is_refused()
    {
        var config = MadePolicy.Config(vocabulary: 50, positions: 8);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var scorer = new PoolScorer(model);
        EncodedPool good = new([1], [[2], [3]]);
        foreach (var (bad, message) in new (EncodedPool, string)[]
        {
            (new([50], [[2], [3]]), "token 50"),
            (new([-1], [[2], [3]]), "token -1"),
            (new([1], [[2], [50]]), "token 50"),
            (new([1], [[int.MaxValue, 2], [3]]), "token 2147483647"),
            (new([1, 1, 1, 1, 1, 1, 1, 1, 1], [[2], [3]]), "9 places"),
            (new([1, 1, 1, 1], [[2], [1, 2, 3, 4, 5, 6]]), "9 places"),
            (new([], [[2], [3]]), "no prompt"),
            (new([1], [[2], []]), "empty response"),
        })
        {
            var refused = Assert.ThrowsAny<Exception>(() => scorer.Score(weights, [good, bad], outputFeatures: true));
            Assert.Contains(message, refused.Message, StringComparison.Ordinal);
            Assert.Contains("pool 1", refused.Message, StringComparison.Ordinal);
        }
        // As long as the policy allows.
        Assert.All(scorer.Score(weights, [new([1, 1, 1, 1], [[2], [1, 2, 3, 4, 5]])], outputFeatures: false).Logps, logp => Assert.True(float.IsFinite(logp)));
    }

    [FusedFact]
    public void Weights_that_are_being_trained_score_as_they_are_now()
    {
        var config = MadePolicy.Config();
        using var start = MadePolicy.Weights(config);
        using var trained = start.Copy(trainable: true);
        using var model = new LlamaModel(config);
        var scorer = new PoolScorer(model);
        EncodedPool[] pools = [new([1, 2, 3], [[4], [5]])];
        var before = scorer.Score(trained, pools, outputFeatures: false).Logps;
        MemoryMarshal.Cast<byte, float>(trained.Embedding.bytes)[4 * config.HiddenSize] += 1;
        using var published = trained.Copy();
        var after = scorer.Score(trained, pools, outputFeatures: false).Logps;
        Assert.NotEqual(before, after);
        FusedCases.AssertSameBits(scorer.Score(published, pools, outputFeatures: false).Logps, after);
    }

    [FusedFact]
    public void Threads_that_score_side_by_side_get_the_same_bits()
    {
        var random = new StableRandom(4, 0x7EAD);
        var config = MadePolicy.Config(vocabulary: 300, hidden: 32, positions: 128);
        using var weights = MadePolicy.Weights(config);
        using var model = new LlamaModel(config);
        var scorer = new PoolScorer(model);
        var pools = FusedCases.Pools(ref random, config.VocabularySize, 6);
        PoolScores[] results = new PoolScores[4];
        var threads = Enumerable.Range(0, results.Length).Select(i => new Thread(() => results[i] = scorer.Score(weights, pools, outputFeatures: true))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        foreach (var other in results[1..])
        {
            FusedCases.AssertSameBits(results[0].Logps, other.Logps);
            FusedCases.AssertSameBits(results[0].Features, other.Features);
        }
    }

    private static void AssertClose(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs((double)expected[i] - actual[i]) <= 1e-5 * Math.Max(1, Math.Abs(expected[i])), $"{what}: at {i} {expected[i]:R}, found {actual[i]:R}");
    }
}
