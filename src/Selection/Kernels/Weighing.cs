using System.Runtime.Intrinsics;

namespace MassDpo.Selection.Kernels;

/// <summary>
/// What <c>mass</c>, <c>exact</c> and their oracles share. <see cref="Of"/> leaves e^{z_j} (clamped and capped) in the workspace's weights and
/// ⟨u_j, u_j⟩ in its diagonal, both padded with zeros.
/// </summary>
/// <param name="Total">1 + Σ e^{z_j} over the whole pool: p_0 = 1/Total, p_j = weight_j/Total</param>
/// <param name="Trace">tr(K) = Σ c_j ⟨u_j, u_j⟩, c_j = β² p_0 p_j</param>
/// <param name="Ridge">γ; 0 where a relative one was asked of a trace of 0</param>
internal readonly record struct Weighing(double Total, double Trace, double Ridge)
{
    // Selection alone clamps z: e^30 keeps 30 nats of preference on either side and float64 well inside its range.
    private const double ZRange = 30;

    // Beyond these a product of a few such numbers could leave float64's range.
    private const double LargestNorm = 1e250, SmallestTrace = 1e-250;

    /// <summary>A ridge below this part of a matrix's diagonal would drown in the rounding of its entries.</summary>
    public const double SmallestRelativeRidge = 1e-15;

    public bool NoInformation => Trace < SmallestTrace;

    public static Weighing Of(scoped Pool pool, KernelOptions options, Workspace workspace)
    {
        var n = pool.Count;
        if (n > 0 && !pool.HasInnerProducts)
            throw new ArgumentException("This kernel needs a pool with features.", nameof(pool));
        var padded = Workspace.Padded(n);

        var weights = workspace.Weights(padded);
        var most = options.ZCap ?? ZRange;
        for (var j = 0; j < n; j++)
            weights[j] = Math.Clamp(Finite(pool.Z[j], j), -ZRange, most);
        for (var j = 0; j < padded; j += Workspace.Lanes)
            Vector256.Exp(Vector256.LoadUnsafe(ref weights[j])).StoreUnsafe(ref weights[j]);
        var total = 1.0;
        foreach (var weight in weights[..n])
            total += weight;
        if (options.ProbabilityCap is { } cap)
            for (var j = 0; j < n; j++)
                weights[j] = Math.Min(weights[j], cap * total);
        weights[n..].Clear();

        var norms = workspace.Diagonal(padded);
        Dots.Norms(pool, norms[..n]);
        norms[n..].Clear();
        var trace = 0.0;
        for (var j = 0; j < n; j++)
        {
            // Written so that NaN is refused too.
            if (!(norms[j] <= LargestNorm))
                throw new RefusedPoolException($"Candidate {j} of the pool has a feature that is NaN, infinite or too large.", j);
            trace += weights[j] * norms[j];
        }

        // Of features the norms bound all products; of inner products nothing does.
        for (var i = 0; i < pool.Gram.Length; i++)
            if (!(Math.Abs(pool.Gram[i]) <= LargestNorm))
                throw new RefusedPoolException($"Candidate {i / n} of the pool has an inner product that is NaN, infinite or too large.", i / n);

        trace *= options.Beta * options.Beta / (total * total);
        var ridge = options.AbsoluteRidge ?? (n == 0 ? 0 : options.Ridge * trace / n);
        if (ridge < SmallestRelativeRidge * trace)
            throw new RefusedPoolException($"The ridge {ridge:g3} is too small for a pool with tr(K) = {trace:g3}.");
        return new Weighing(total, trace, ridge);
    }

    public static double Finite(double z, int index) => double.IsFinite(z)
        ? z
        : throw new RefusedPoolException($"Candidate {index} of the pool has z = {z}.", index);
}
