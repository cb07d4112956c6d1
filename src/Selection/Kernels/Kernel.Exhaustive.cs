namespace MassDpo.Selection.Kernels;

/// <summary>What a subset is to have most of.</summary>
public enum Objective
{
    /// <summary>f(S) = log det(I + K_S/γ), what <see cref="Kernel.Mass"/> climbs.</summary>
    Mass,

    /// <summary>F(S) = log det(I + (β²/γ)(diag(p) − p pᵀ)G), p over S and the preferred response, what <see cref="Kernel.Exact"/> climbs.</summary>
    Exact
}

public static partial class Kernel
{
    private const int MostSubsets = 200_000, LargestExhaustivePool = 1_000;

    /// <summary>
    /// The best k negatives of all n choose k, as a check of the greedy kernels: indices ascending, no gains of steps; of equals the first in
    /// lexicographic order.
    /// </summary>
    /// <exception cref="RefusedPoolException">more than 200,000 subsets or 1,000 candidates; z or features NaN or infinite</exception>
    /// <exception cref="ArgumentException">the pool has no features</exception>
    public static SelectionResult Exhaustive(scoped Pool pool, Objective objective, KernelOptions options, Workspace workspace)
    {
        var n = pool.Count;
        var k = Math.Min(options.Negatives, n);
        if (n > LargestExhaustivePool || Choose(n, k) > MostSubsets)
            throw new RefusedPoolException($"Choosing {k} of {n} is more than an exhaustive search is for.");
        var weighing = Weighing.Of(pool, options, workspace);
        var weights = workspace.Weights(n);
        var picks = workspace.Picks(k);
        if (weighing.NoInformation)
            return LowestIndices(weighing, options, picks) with { Bound = null };

        var padded = Workspace.Padded(n);
        var gram = workspace.Rows(n * padded);
        for (var j = 0; j < n; j++)
            Dots.Row(pool, j, workspace.Features(pool.Dimension), gram.Slice(j * padded, padded));
        var subset = workspace.Order(k);
        var best = workspace.TopIndices(k);
        for (var i = 0; i < k; i++)
            subset[i] = i;
        var matrix = workspace.Values(k * k);
        var information = double.NegativeInfinity;
        do
        {
            for (var i = 0; i < k; i++)
                for (var l = 0; l < k; l++)
                    matrix[i * k + l] = gram[subset[i] * padded + subset[l]];
            var value = FisherInformation.OfGram(objective, matrix, subset, weights, weighing, options);
            if (value > information)
            {
                information = value;
                subset.CopyTo(best);
            }
        }
        while (Advance(subset, n));

        for (var i = 0; i < k; i++)
            picks[i] = new Pick(best[i]);
        return new SelectionResult { Picks = picks, Information = information, Ridge = weighing.Ridge, Trace = weighing.Trace, TouchedRows = n };
    }

    /// <summary>How many subsets of k there are of n.</summary>
    public static double Choose(int n, int k)
    {
        var count = 1.0;
        for (var i = 1; i <= Math.Min(k, n - k); i++)
            count = count * (n - i + 1) / i;
        return Math.Round(count);
    }

    /// <summary>The next subset in lexicographic order; false after the last.</summary>
    private static bool Advance(Span<int> subset, int n)
    {
        for (var i = subset.Length - 1; i >= 0; i--)
        {
            if (subset[i] == n - subset.Length + i)
                continue;
            subset[i]++;
            for (var l = i + 1; l < subset.Length; l++)
                subset[l] = subset[l - 1] + 1;
            return true;
        }

        return false;
    }
}
