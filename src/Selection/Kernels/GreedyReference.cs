namespace MassDpo.Selection.Kernels;

/// <summary>
/// What <see cref="Kernel.Mass"/> and <see cref="Kernel.Exact"/> compute, to be read: at every step the determinants of all larger subsets. Decimal's
/// 28 digits keep near-duplicates apart under the smallest ridge. Slow; numbers beyond its range overflow.
/// </summary>
public static class GreedyReference
{
    /// <summary>The picks of one objective with their gains; the lowest indices, with gains of 0, where nothing has information.</summary>
    /// <param name="u">n rows of d numbers</param>
    public static List<Pick> Greedy(Objective objective, double[] z, double[][] u, KernelOptions options)
    {
        var n = z.Length;
        var weight = z.Select(value => Math.Exp(Math.Clamp(value, -30, options.ZCap ?? 30))).ToArray();
        var total = 1 + weight.Sum();
        weight = weight.Select(w => Math.Min(w, (options.ProbabilityCap ?? 1) * total)).ToArray();
        var trace = weight.Zip(u, (w, row) => options.Beta * options.Beta / total * (w / total) * row.Sum(x => x * x)).Sum();
        var ridge = options.AbsoluteRidge ?? options.Ridge * trace / n;

        // (β²/γ)√(w_i w_j)⟨u_i, u_j⟩, for mass divided by total²: K/γ.
        var scale = trace > 0 ? options.Beta / Math.Sqrt(ridge) / (objective == Objective.Mass ? total : 1) : 0;
        var v = u.Select((row, j) => row.Select(x => (decimal)(x * scale * Math.Sqrt(weight[j]))).ToArray()).ToArray();
        var gram = v.Select(a => v.Select(b => a.Zip(b, (x, y) => x * y).Sum()).ToArray()).ToArray();
        var (subset, picks, information) = (new List<int>(), new List<Pick>(), 0.0);
        while (picks.Count < Math.Min(options.Negatives, n))
        {
            var (best, value) = Enumerable.Range(0, n).Except(subset).Select(j => (j, Value(objective, gram, weight, [.. subset, j])))
                .Aggregate((a, b) => b.Item2 > a.Item2 ? b : a);
            picks.Add(new Pick(best, value - information));
            subset.Add(best);
            information = value;
        }

        return picks;
    }

    private static double Value(Objective objective, decimal[][] gram, double[] weight, int[] subset)
    {
        if (objective == Objective.Mass)
            return LogDeterminant(subset.Select((i, row) => subset.Select((j, column) => (row == column ? 1 : 0) + gram[i][j]).ToArray()).ToArray());

        // (β²/γ)(diag(p) − p pᵀ)G has the determinants of (I − s sᵀ/W)B, s = √w, W = 1 + Σw, B = gram/W.
        // 1 − Σp can be tiny: W is the sum of the very squares.
        var s = subset.Select(j => (decimal)Math.Sqrt(weight[j])).ToArray();
        var sum = 1 + s.Sum(x => x * x);
        var b = subset.Select(i => subset.Select(j => gram[i][j] / sum).ToArray()).ToArray();
        return LogDeterminant(subset.Select((_, i) => subset.Select((_, j) =>
            (i == j ? 1 : 0) + b[i][j] - s.Select((x, h) => s[i] * x / sum * b[h][j]).Sum()).ToArray()).ToArray());
    }

    private static double LogDeterminant(decimal[][] m)
    {
        for (var i = 0; i < m.Length; i++)
            for (var row = i + 1; row < m.Length; row++)
                for (var (column, quotient) = (i + 1, m[row][i] / m[i][i]); column < m.Length; column++)
                    m[row][column] -= quotient * m[i][column];
        return m.Select((row, i) => Math.Log(Math.Abs((double)row[i]))).Sum();
    }
}
