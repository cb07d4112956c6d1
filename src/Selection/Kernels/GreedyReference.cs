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
        var (weight, root) = Weigh(objective, z, [.. u.Select(row => row.Sum(x => x * x))], options);

        // (β²/γ)√(w_i w_j)⟨u_i, u_j⟩, for mass divided by total²: K/γ.
        var v = u.Select((row, j) => row.Select(x => (decimal)(x * root * Math.Sqrt(weight[j]))).ToArray()).ToArray();
        return Greedy(objective, v.Select(a => v.Select(b => a.Zip(b, (x, y) => x * y).Sum()).ToArray()).ToArray(), weight, options);
    }

    /// <summary>The same of a pool that is given by inner products.</summary>
    /// <param name="gram">n rows of n numbers ⟨u_i, u_j⟩</param>
    public static List<Pick> GreedyOfGram(Objective objective, double[] z, double[][] gram, KernelOptions options)
    {
        var (weight, root) = Weigh(objective, z, [.. gram.Select((row, j) => Math.Max(row[j], 0))], options);

        // A power of two takes the scale out of the numbers without rounding, so that decimal has its digits for what is left.
        var exponent = root > 0 ? -Math.ILogB(root) : 0;
        var scales = weight.Select(w => Exactly(Math.ScaleB(root, exponent) * Math.Sqrt(w))).ToArray();
        return Greedy(objective, gram.Select((row, i) => row.Select((x, j) =>
            root > 0 ? Exactly(Math.ScaleB(x, -2 * exponent)) * scales[i] * scales[j] : 0).ToArray()).ToArray(), weight, options);
    }

    // e^z, and what features are multiplied with besides √w.
    private static (double[] Weight, double Root) Weigh(Objective objective, double[] z, double[] norms, KernelOptions options)
    {
        var weight = z.Select(value => Math.Exp(Math.Clamp(value, -30, options.ZCap ?? 30))).ToArray();
        var total = 1 + weight.Sum();
        weight = weight.Select(w => Math.Min(w, (options.ProbabilityCap ?? 1) * total)).ToArray();
        var trace = weight.Zip(norms, (w, norm) => options.Beta * options.Beta / total * (w / total) * norm).Sum();
        var ridge = options.AbsoluteRidge ?? options.Ridge * trace / z.Length;
        return (weight, trace > 0 ? options.Beta / Math.Sqrt(ridge) / (objective == Objective.Mass ? total : 1) : 0);
    }

    // Decimal takes 15 digits of a double at a time.
    private static decimal Exactly(double x) => (decimal)x + (decimal)(x - (double)(decimal)x);

    private static List<Pick> Greedy(Objective objective, decimal[][] gram, double[] weight, KernelOptions options)
    {
        var (subset, picks, information) = (new List<int>(), new List<Pick>(), 0.0);
        while (picks.Count < Math.Min(options.Negatives, gram.Length))
        {
            var (best, value) = Enumerable.Range(0, gram.Length).Except(subset).Select(j => (j, Value(objective, gram, weight, [.. subset, j])))
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
