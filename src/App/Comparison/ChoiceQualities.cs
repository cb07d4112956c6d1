using System.Numerics.Tensors;
using MassDpo.App.Running;
using MassDpo.Policy.Model;
using MassDpo.Selection;
using MassDpo.Selection.Kernels;
using MassDpo.Selection.References;
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
        var cache = new ReferenceCache(0, scoring: "");
        var engine = new SelectionEngine(policy.Scorer, policy.Found, cache, options with { MetricsSample = 0, EffectiveRank = false }, TimeProvider.System);
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
            FisherInformation.Z(logps, reference[i], options.Kernel.Beta, z);
            for (var j = 0; j < n; j++)
                for (var a = 0; a < d; a++)
                    u[j * d + a] = (double)features[(j + 1) * d + a] - features[a];
            int[] subset = [.. selection.Picks.Select(index => index - 1)];
            if (Cosine(z, u, d, subset) is { } between)
            {
                cosine += between;
                counted++;
            }
            var kernel = options.Kernel with { Negatives = subset.Length };
            var pool = new Pool(z, u, d);
            if (Kernel.Choose(n, subset.Length) > MostSubsets)
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
        var (whole, part) = (new double[d], new double[d]);
        // The length does not matter, so β is 1.
        FisherInformation.Gradient(new Pool(z, u, d), 1, whole);
        FisherInformation.Gradient(new Pool([.. subset.Select(j => z[j])], [.. subset.SelectMany(j => u.AsSpan(j * d, d).ToArray())], d), 1, part);
        var cosine = TensorPrimitives.CosineSimilarity<double>(whole, part);
        return double.IsNaN(cosine) ? null : cosine;
    }
}
