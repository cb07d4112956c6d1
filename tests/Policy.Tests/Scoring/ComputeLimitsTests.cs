using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Scoring;

/// <summary>Whatever memory is limited to, the numbers are the same.</summary>
public sealed class ComputeLimitsTests
{
    private static readonly PolicyConfig Config = MadePolicy.ConfigOf(PolicyFamily.Qwen2, heads: 4, keyValueHeads: 2, tied: true, window: 5);
    private static readonly LoraOptions Lora = new() { Rank = 3, Alpha = 6, Targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] };

    public static TheoryData<int, long, bool, long> Limits => new()
    {
        // places, logits, checkpointing, scores of attention
        { 4096, 60, false, 1 << 24 },
        { 4096, 1 << 24, true, 1 << 24 },
        { 4096, 170, true, 1 << 24 },
        { 24, 1 << 24, false, 1 << 24 },
        { 11, 60, false, 1 << 24 },
        // Some packs at a time, some places of one, a place.
        { 4096, 1 << 24, false, 9000 },
        { 4096, 1 << 24, true, 9000 },
        { 4096, 1 << 24, false, 400 },
        { 4096, 1 << 24, true, 400 },
        { 1, 1, true, 1 },
    };

    private static IEnumerable<FeatureForm> Forms => from kind in Enum.GetValues<FeatureKind>()
                                                     from sketch in kind.AreOfMatrices() ? new[] { 0, 40 } : [0]
                                                     from unitLength in new[] { false, true }
                                                     select new FeatureForm(kind, unitLength) { Sketch = sketch };

    private static ComputeLimits Of(int tokens, long logits, bool checkpointing) => new(tokens, checkpointing) { Logits = logits };

    private static List<EncodedPool> Pools(int longestResponse)
    {
        var random = new StableRandom(longestResponse, 0x11);
        return [.. Enumerable.Range(0, 6).Select(i => MadePolicy.Pool(ref random, Config.VocabularySize, candidates: 2 + i, longestPrompt: 9, longestResponse))];
    }

    [Theory]
    [MemberData(nameof(Limits))]
    public void Log_probs_and_features_are_those_without_limits(int tokens, long logits, bool checkpointing, long scores)
    {
        using var whole = MadePolicy.Weights(Config);
        using var weights = MadePolicy.WithAdapter(whole, Lora);
        using var model = new LlamaModel(Config);
        using var inParts = new LlamaModel(Config, mostScores: scores);
        var (free, limited) = (new PoolScorer(model), new PoolScorer(inParts, Of(tokens, logits, checkpointing)));
        foreach (var pools in new[] { Pools(5), Pools(1) })
        {
            foreach (var form in Forms)
            {
                var (expected, found) = (free.Score(weights, pools, form), limited.Score(weights, pools, form));
                Assert.Equal(expected.Start, found.Start);
                AssertClose(expected.Logps, found.Logps);
                if (expected.Features is not null)
                    AssertClose(expected.Features, found.Features!);
                for (var n = 0; n < (expected.Grams?.Length ?? 0); n++)
                    AssertClose([.. expected.Grams![n].Select(x => (float)x)], [.. found.Grams![n].Select(x => (float)x)]);
            }
            AssertClose(free.ScoreCanonically(weights, pools).SelectMany(logps => logps).ToArray(), limited.ScoreCanonically(weights, pools).SelectMany(logps => logps).ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Limits))]
    public void Gradients_are_those_without_limits_for_all_weights_and_for_adapters(int tokens, long logits, bool checkpointing, long scores)
    {
        using var whole = MadePolicy.Weights(Config);
        using var fresh = whole.WithFreshAdapter(Lora, seed: 1);
        using var model = new LlamaModel(Config);
        using var inParts = new LlamaModel(Config, mostScores: scores);
        foreach (var start in new[] { whole, fresh })
        {
            foreach (var pools in new[] { Pools(5), Pools(1) })
            {
                var (logps, expected) = Gradients(model, start, pools, ComputeLimits.Default);
                var (same, found) = Gradients(inParts, start, pools, Of(tokens, logits, checkpointing));
                AssertClose(logps, same);
                foreach (var (name, gradient) in expected)
                    AssertClose(gradient, found[name], 3e-5f);
            }
        }
    }

    [Fact]
    public void Parts_of_a_pool_fit_the_budget_and_hold_every_candidate_once_in_order()
    {
        foreach (var pool in Pools(7))
        {
            foreach (var budget in new[] { 1, 9, 14, 30, 4096 })
            {
                var parts = PackPlan.Split(pool, budget);
                Assert.Equal(pool.Responses, parts.SelectMany(part => part.Responses));
                Assert.All(parts, part => Assert.True(ReferenceEquals(pool.Prompt, part.Prompt) && (part.Candidates == 1 || PackPlan.LengthOf(part) <= budget)));
                // None is shorter than it has to be.
                for (var i = 1; i < parts.Count; i++)
                    Assert.True(PackPlan.LengthOf(parts[i - 1]) + parts[i].Responses[0].Length - 1 > budget);
            }
        }
    }

    [Fact]
    public void Groups_fit_the_budget_filled_up_and_hold_every_pack_once()
    {
        var packs = Pools(7).Concat(Pools(3)).ToList();
        foreach (var budget in new[] { 1, 40, 100, 4096 })
        {
            var groups = PackPlan.Groups(packs, budget);
            Assert.Equal(Enumerable.Range(0, packs.Count), groups.SelectMany(group => group).Order());
            Assert.All(groups, group =>
            {
                Assert.Equal(group.Order(), group);
                Assert.True(group.Length == 1 || group.Length * group.Max(index => PackPlan.LengthOf(packs[index])) <= budget);
            });
        }
        Assert.Single(PackPlan.Groups(packs, 4096));
    }

    [Fact]
    public void What_dropout_leaves_out_of_a_pack_depends_on_its_seed_alone()
    {
        using var whole = MadePolicy.Weights(Config);
        using var fresh = whole.WithFreshAdapter(Lora with { Dropout = 0.4 }, seed: 1);
        using var model = new LlamaModel(Config);
        var pools = Pools(5);
        long[] seeds = [3, 1, 4, 1, 5, 9];
        var alone = pools.Select((pool, n) => Gradients(model, fresh, [pool], ComputeLimits.Default, [seeds[n]], number: n)).ToList();
        foreach (var limits in new[] { ComputeLimits.Default, Of(4096, 1 << 24, true), Of(4096, 60, false) })
        {
            var (logps, gradients) = Gradients(model, fresh, pools, limits, seeds);
            AssertClose(alone.SelectMany(one => one.Logps).ToArray(), logps);
            foreach (var (name, gradient) in gradients)
                AssertClose([.. Enumerable.Range(0, gradient.Length).Select(i => alone.Sum(one => one.Gradients[name][i]))], gradient, 3e-5f);
        }
        Assert.NotEqual(alone[0].Logps, Gradients(model, fresh, [pools[0]], ComputeLimits.Default, [4]).Logps);
    }

    [Fact]
    public void Dropout_leaves_out_its_share_and_keeps_the_mean()
    {
        using var scope = NewDisposeScope();
        var left = new AdapterDropout(0.3, [1, 2, 3, 4]).Of(ones([400, 100]), matrix: 5).data<float>().ToArray();
        Assert.InRange(left.Count(x => x == 0) / (double)left.Length, 0.29, 0.31);
        Assert.All(left.Where(x => x != 0), x => Assert.Equal(1 / 0.7f, x, 1e-6f));
    }

    // Of a sum in which every candidate has a weight of its own.
    private static (float[] Logps, Dictionary<string, float[]> Gradients) Gradients(LlamaModel model, PolicyWeights start, IReadOnlyList<EncodedPool> pools, ComputeLimits limits,
        long[]? seeds = null, int number = 0)
    {
        using var weights = start.Copy(trainable: true);
        using (no_grad())
            foreach (var (name, tensor) in weights.Tensors)
                if (name.Contains("lora_B", StringComparison.Ordinal))
                    tensor.fill_(0.0625f);
        using var scorer = new DifferentiableScorer(model, weights, limits);
        var logps = new List<float>();
        var seen = new Dictionary<int, float[]>();
        foreach (var group in scorer.Plan(pools))
        {
            using var scope = NewDisposeScope();
            var ofGroup = scorer.Logps([.. group.Select(n => pools[n])], seeds is null ? null : [.. group.Select(n => seeds[n])]);
            var pulls = group.SelectMany(n => Enumerable.Range(0, pools[n].Candidates).Select(c => (float)Math.Sin((number + n) * 7 + c))).ToArray();
            var at = 0;
            var values = ofGroup.detach().data<float>().ToArray();
            foreach (var n in group)
            {
                seen[n] = values[at..(at + pools[n].Candidates)];
                at += pools[n].Candidates;
            }
            scorer.Backward((ofGroup * tensor(pulls)).sum());
        }
        for (var n = 0; n < pools.Count; n++)
            logps.AddRange(seen[n]);
        return ([.. logps], weights.Tensors.ToDictionary(t => t.Key, t => t.Value.grad!.data<float>().ToArray()));
    }

    // Relative to the largest number: single ones may lie near 0.
    private static void AssertClose(float[] expected, float[] actual, float tolerance = 1e-5f)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = Math.Max(1, expected.Max(Math.Abs));
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"at {i}: expected {expected[i]}, found {actual[i]}");
    }
}
