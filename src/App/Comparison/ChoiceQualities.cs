using MassDpo.App.Running;
using MassDpo.Policy.Model;
using MassDpo.Selection;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.App.Comparison;

/// <summary>How good a method's choices are, by what they keep of a pool's information and of its gradient.</summary>
internal static class ChoiceQualities
{
    private const double MostSubsets = 20_000;

    /// <summary>Lets a method choose from pools, and compares. Features are <c>output</c> whatever the method uses.</summary>
    /// <param name="policy">the reference</param>
    /// <param name="trained">the policy to choose with</param>
    /// <param name="reference">log-probabilities under the reference, per pool</param>
    /// <param name="pools">at least one</param>
    /// <param name="options">with the method</param>
    public static ChoiceQuality Of(LoadedPolicy policy, PolicyWeights trained, IReadOnlyList<float[]> reference, IReadOnlyList<CandidatePool> pools, SelectionOptions options)
    {
        // The weights stay their owner's: the snapshot's own hold is never let go.
        using var snapshot = new PolicySnapshot(0, 0, trained).TryAcquire()!;
        var cache = new ReferenceCache(0);
        var engine = new SelectionEngine(policy.Scorer, policy.Weights, cache, options with { MetricsSample = 0, EffectiveRank = false }, TimeProvider.System);
        var workspace = new Workspace();
        var (information, searched, cosine, counted) = (0.0, 0, 0.0, 0);
        for (var i = 0; i < pools.Count; i++)
        {
            var block = new PoolBlock(new SlotBlock(snapshot.Epoch, snapshot.Version, i, 1, Attempt: 1), [pools[i]]);
            if (engine.Select(block, snapshot, "compare").Computed?.Selections[0] is not { } selection)
                continue;
            var scores = policy.Scorer.Score(trained, [pools[i].Tokens], outputFeatures: true);
            var (n, d) = (pools[i].Tokens.Candidates - 1, scores.FeatureSize);
            var logps = scores.LogpsOf(0);
            var features = scores.FeaturesOf(0);
            var (z, u) = (new double[n], new double[n * d]);
            for (var j = 0; j < n; j++)
            {
                z[j] = options.Kernel.Beta * (((double)logps[j + 1] - reference[i][j + 1]) - ((double)logps[0] - reference[i][0]));
                for (var a = 0; a < d; a++)
                    u[j * d + a] = (double)features[(j + 1) * d + a] - features[a];
            }
            int[] subset = [.. selection.Picks.Select(index => index - 1)];
            if (Cosine(z, u, d, subset) is { } between)
            {
                cosine += between;
                counted++;
            }
            var kernel = options.Kernel with { Negatives = subset.Length };
            var pool = new Pool(z, u, d);
            if (Subsets(n, subset.Length) > MostSubsets)
                continue;
            var best = Kernel.Exhaustive(pool, Objective.Exact, kernel, workspace).Information!.Value;
            if (best <= 0)
                continue;
            information += FisherInformation.Of(Objective.Exact, pool, subset, kernel, workspace) / best;
            searched++;
        }
        return new ChoiceQuality(searched > 0 ? information / searched : null, counted > 0 ? cosine / counted : 0, counted);
    }

    /// <summary>Between Σ p_j u_j over a subset, p over it and the chosen response, and over the pool; null where either is 0.</summary>
    private static double? Cosine(double[] z, double[] u, int d, int[] subset)
    {
        var whole = Gradient(z, u, d, [.. Enumerable.Range(0, z.Length)]);
        var part = Gradient(z, u, d, subset);
        var (dot, a, b) = (0.0, 0.0, 0.0);
        for (var i = 0; i < d; i++)
            (dot, a, b) = (dot + whole[i] * part[i], a + whole[i] * whole[i], b + part[i] * part[i]);
        return a > 0 && b > 0 ? dot / Math.Sqrt(a * b) : null;
    }

    private static double[] Gradient(double[] z, double[] u, int d, int[] subset)
    {
        var (p, gradient) = (new double[subset.Length], new double[d]);
        FisherInformation.Probabilities([.. subset.Select(j => z[j])], p);
        for (var i = 0; i < subset.Length; i++)
            for (var a = 0; a < d; a++)
                gradient[a] += p[i] * u[subset[i] * d + a];
        return gradient;
    }

    private static double Subsets(int n, int k)
    {
        var count = 1.0;
        for (var i = 1; i <= Math.Min(k, n - k); i++)
            count = count * (n - i + 1) / i;
        return count;
    }
}
