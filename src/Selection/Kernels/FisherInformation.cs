using System.Numerics.Tensors;

namespace MassDpo.Selection.Kernels;

/// <summary>
/// The Plackett–Luce loss of one preferred response against negatives (MASS-DPO, arXiv 2605.10784; S-DPO, arXiv 2406.09215) and its information in
/// features, by direct formulas: for tests, audits and diagnostics, not for the hot path.
/// </summary>
public static class FisherInformation
{
    /// <summary>z_j = β(Δ_j − Δ_w), Δ = log π − log π_ref.</summary>
    /// <param name="logps">n + 1 log-probabilities under the policy, the preferred response's first</param>
    /// <param name="reference">the same under the reference</param>
    /// <param name="beta">β</param>
    /// <param name="z">n numbers, written</param>
    public static void Z(ReadOnlySpan<float> logps, ReadOnlySpan<float> reference, double beta, Span<double> z)
    {
        var chosen = (double)logps[0] - reference[0];
        for (var j = 1; j < logps.Length; j++)
            z[j - 1] = beta * ((double)logps[j] - reference[j] - chosen);
    }

    /// <summary>log Σ e^{z_j}; −∞ of nothing.</summary>
    /// <exception cref="RefusedPoolException">a z is NaN or infinite; so for every function of z here</exception>
    public static double LogSumExp(ReadOnlySpan<double> z)
    {
        var most = double.NegativeInfinity;
        for (var j = 0; j < z.Length; j++)
            most = Math.Max(most, Weighing.Finite(z[j], j));
        if (double.IsNegativeInfinity(most))
            return most;
        var sum = 0.0;
        foreach (var value in z)
            sum += Math.Exp(value - most);
        return most + Math.Log(sum);
    }

    /// <summary>L = log(1 + Σ e^{z_j}) = softplus(logsumexp z), finite for every finite z.</summary>
    public static double Loss(ReadOnlySpan<double> z)
    {
        var x = LogSumExp(z);
        return Math.Max(x, 0) + Kernel.LogOnePlus(Math.Exp(-Math.Abs(x)));
    }

    /// <summary>p_j = e^{z_j}/(1 + Σ e^z) = ∂L/∂z_j, not clamped.</summary>
    /// <param name="p">n numbers, written</param>
    /// <returns>p_0 = 1/(1 + Σ e^z)</returns>
    public static double Probabilities(ReadOnlySpan<double> z, Span<double> p)
    {
        var loss = Loss(z);
        for (var j = 0; j < z.Length; j++)
            p[j] = Math.Exp(z[j] - loss);
        return Math.Exp(-loss);
    }

    /// <summary>Gradient of the loss in the parameters of a log-linear policy: β Σ p_j u_j.</summary>
    /// <param name="gradient">d numbers, written</param>
    public static void Gradient(scoped Pool pool, double beta, Span<double> gradient)
    {
        var p = new double[pool.Count];
        Probabilities(pool.Z, p);
        Mean(pool, p, gradient);
        foreach (ref var value in gradient)
            value *= beta;
    }

    /// <summary>Hessian of the loss: β²[Σ p_j u_j u_jᵀ − ū ūᵀ], ū = Σ p_j u_j.</summary>
    /// <param name="hessian">d×d, written</param>
    public static void Hessian(scoped Pool pool, double beta, Span<double> hessian)
    {
        var d = pool.Dimension;
        var (p, mean) = (new double[pool.Count], new double[d]);
        Probabilities(pool.Z, p);
        Mean(pool, p, mean);
        SecondMoment(pool, p, hessian);
        for (var a = 0; a < d; a++)
            for (var b = 0; b < d; b++)
                hessian[a * d + b] = beta * beta * (hessian[a * d + b] - mean[a] * mean[b]);
    }

    /// <summary>
    /// What <see cref="Kernel.Mass"/> takes for the Hessian: β² p_0 Σ p_j u_j u_jᵀ, which the Hessian is never below (the rest of it is
    /// Σ_{i&lt;j} p_i p_j (u_i − u_j)(u_i − u_j)ᵀ). Derived in docs/selection.md.
    /// </summary>
    /// <param name="bound">d×d, written</param>
    public static void HessianBound(scoped Pool pool, double beta, Span<double> bound)
    {
        var p = new double[pool.Count];
        var p0 = Probabilities(pool.Z, p);
        SecondMoment(pool, p, bound);
        foreach (ref var value in bound)
            value *= beta * beta * p0;
    }

    /// <summary>
    /// The objective at any subset, by the determinant of its k×k matrix: what <see cref="Kernel.Mass"/> or <see cref="Kernel.Exact"/> would report
    /// had they chosen it. 0 for the empty subset and for a pool without information.
    /// </summary>
    /// <param name="subset">indices into the pool</param>
    /// <exception cref="RefusedPoolException">as the kernels</exception>
    /// <exception cref="ArgumentException">the pool has no features</exception>
    public static double Of(Objective objective, scoped Pool pool, ReadOnlySpan<int> subset, KernelOptions options, Workspace workspace)
    {
        var weighing = Weighing.Of(pool, options, workspace);
        if (weighing.NoInformation)
            return 0;
        var matrix = workspace.Values(subset.Length * subset.Length);
        Dots.Of(pool, subset, matrix);
        return OfGram(objective, matrix, subset, workspace.Weights(pool.Count), weighing, options);
    }

    /// <summary>
    /// tr(K)²/tr(K²), the participation ratio of K's eigenvalues: 1 where one direction has all information, rank(K) where all eigenvalues are equal,
    /// 0 where there is no information. It needs no ridge and no eigenvalues, only the smaller of the n×n and the d×d form of K, row by row.
    /// </summary>
    /// <exception cref="RefusedPoolException">as the kernels</exception>
    /// <exception cref="ArgumentException">the pool has no features</exception>
    public static double EffectiveRank(scoped Pool pool, KernelOptions options, Workspace workspace)
    {
        var weighing = Weighing.Of(pool, options, workspace);
        if (weighing.NoInformation)
            return 0;
        var (n, d) = (pool.Count, pool.Dimension);
        var scales = workspace.Scales(n);
        // Relative to the trace, so that squares stay in range; the ratio is the same.
        var scale = options.Beta / (weighing.Total * Math.Sqrt(weighing.Trace));
        for (var j = 0; j < n; j++)
            scales[j] = scale * Math.Sqrt(workspace.Weights(n)[j]);

        var squares = 0.0;
        var feature = workspace.Features(d);
        if (pool.IsGram || n <= d)
        {
            var row = workspace.Gram(Workspace.Padded(n));
            for (var i = 0; i < n; i++)
            {
                Dots.Row(pool, i, feature, row);
                for (var j = 0; j < n; j++)
                    squares += Math.Pow(scales[i] * scales[j] * row[j], 2);
            }
        }
        else
        {
            var moment = workspace.Rows(checked(d * d));
            moment.Clear();
            for (var j = 0; j < n; j++)
            {
                Dots.Feature(pool, j, feature);
                TensorPrimitives.Multiply(feature, scales[j], feature);
                for (var a = 0; a < d; a++)
                    TensorPrimitives.MultiplyAdd(feature, feature[a], moment.Slice(a * d, d), moment.Slice(a * d, d));
            }

            squares = TensorPrimitives.SumOfSquares<double>(moment);
        }

        return 1 / squares;
    }

    /// <param name="matrix">k×k: the Gram matrix of the subset's u; destroyed</param>
    /// <param name="weights">e^z of the whole pool</param>
    internal static double OfGram(Objective objective, Span<double> matrix, ReadOnlySpan<int> subset, ReadOnlySpan<double> weights,
        Weighing weighing, KernelOptions options)
    {
        var k = subset.Length;
        var scale = options.Beta * options.Beta / weighing.Ridge;
        var total = 1.0;
        foreach (var j in subset)
            total += weights[j];
        for (var l = 0; l < k; l++)
        {
            var mean = 0.0;
            for (var i = 0; i < k; i++)
                mean += weights[subset[i]] / total * matrix[i * k + l];
            for (var i = 0; i < k; i++)
            {
                var (w, entry) = (weights[subset[i]], matrix[i * k + l]);
                matrix[i * k + l] = (i == l ? 1 : 0) + scale * (objective == Objective.Mass
                    ? Math.Sqrt(w) * Math.Sqrt(weights[subset[l]]) / (weighing.Total * weighing.Total) * entry
                    : w / total * (entry - mean));
            }
        }

        return LogDeterminant(matrix, k);
    }

    /// <summary>log |det|, by elimination with row pivoting in place.</summary>
    private static double LogDeterminant(Span<double> matrix, int size)
    {
        var sum = 0.0;
        for (var i = 0; i < size; i++)
        {
            var pivot = i;
            for (var r = i + 1; r < size; r++)
                if (Math.Abs(matrix[r * size + i]) > Math.Abs(matrix[pivot * size + i]))
                    pivot = r;
            for (var c = i; c < size; c++)
                (matrix[i * size + c], matrix[pivot * size + c]) = (matrix[pivot * size + c], matrix[i * size + c]);
            sum += Math.Log(Math.Abs(matrix[i * size + i]));
            for (var r = i + 1; r < size; r++)
            {
                var quotient = matrix[r * size + i] / matrix[i * size + i];
                for (var c = i + 1; c < size; c++)
                    matrix[r * size + c] -= quotient * matrix[i * size + c];
            }
        }

        return sum;
    }

    private static void Mean(scoped Pool pool, ReadOnlySpan<double> p, Span<double> mean)
    {
        mean.Clear();
        var feature = new double[pool.Dimension];
        for (var j = 0; j < pool.Count; j++)
        {
            Dots.Feature(pool, j, feature);
            for (var a = 0; a < feature.Length; a++)
                mean[a] += p[j] * feature[a];
        }
    }

    private static void SecondMoment(scoped Pool pool, ReadOnlySpan<double> p, Span<double> moment)
    {
        moment.Clear();
        var feature = new double[pool.Dimension];
        for (var j = 0; j < pool.Count; j++)
        {
            Dots.Feature(pool, j, feature);
            for (var a = 0; a < feature.Length; a++)
                for (var b = 0; b < feature.Length; b++)
                    moment[a * feature.Length + b] += p[j] * feature[a] * feature[b];
        }
    }
}
