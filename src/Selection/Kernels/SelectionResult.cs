namespace MassDpo.Selection.Kernels;

/// <summary>One kept negative.</summary>
/// <param name="Index">its place in the pool, from 0</param>
/// <param name="Gain">what it added to the objective at its step, in nats; null where the kernel has no objective or no steps</param>
/// <param name="RunnerUp">the second best candidate of that step; null where there was none</param>
/// <param name="RunnerUpGain">what that one would have added</param>
public readonly record struct Pick(int Index, double? Gain = null, int? RunnerUp = null, double? RunnerUpGain = null);

/// <summary>
/// What a kernel chose. It lies in the workspace and lasts until the workspace's next use. No number in it is NaN or infinite;
/// what a kernel does not compute is null.
/// </summary>
public readonly ref struct SelectionResult
{
    /// <summary>min(k, n) distinct negatives in the order of picking, fewer only where <see cref="KernelOptions.MinimumGain"/> stopped.</summary>
    public ReadOnlySpan<Pick> Picks { get; init; }

    /// <summary>The objective at the picks, in nats.</summary>
    public double? Information { get; init; }

    /// <summary>No k negatives of this pool have a larger objective than this, in nats.</summary>
    public double? Bound { get; init; }

    /// <summary>γ, as it was used.</summary>
    public double? Ridge { get; init; }

    /// <summary>tr(K), K = VVᵀ over the whole pool.</summary>
    public double? Trace { get; init; }

    /// <summary>How many rows of the pool's n×n Gram matrix were computed.</summary>
    public int TouchedRows { get; init; }

    /// <summary>
    /// All u_j are 0, or so small that their squares vanish: nothing tells the candidates apart, and the lowest indices were picked.
    /// </summary>
    public bool NoInformation { get; init; }
}
