namespace MassDpo.Selection.Kernels;

/// <summary>
/// What every kernel is told besides the pool. Each option has a range; a value outside it throws <see cref="ArgumentOutOfRangeException"/>
/// with the option's name.
/// </summary>
public sealed record KernelOptions
{
    /// <summary>k: how many negatives to keep, at least 0. A pool with fewer is kept whole.</summary>
    public required int Negatives { get; init => field = InRange(value, 0, int.MaxValue, nameof(Negatives)); }

    /// <summary>β, 1e-6 to 1e3: the one that z was made with. The relative ridge cancels it; an absolute one does not.</summary>
    public required double Beta { get; init => field = InRange(value, 1e-6, 1e3, nameof(Beta)); }

    /// <summary>ρ, 1e-9 to 1e3: the ridge is γ = ρ·tr(K)/n, with the K of the whole pool.</summary>
    public double Ridge { get; init => field = InRange(value, 1e-9, 1e3, nameof(Ridge)); } = 1e-2;

    /// <summary>γ itself, positive; takes the place of <see cref="Ridge"/>.</summary>
    public double? AbsoluteRidge
    {
        get;
        init => field = value is { } given ? InRange(given, 1e-250, 1e250, nameof(AbsoluteRidge)) : null;
    }

    /// <summary>
    /// Guard against false negatives, −30 to 30: a candidate with a larger z counts as if it had this one, in every kernel that weighs candidates.
    /// </summary>
    public double? ZCap { get; init => field = value is { } given ? InRange(given, -30, 30, nameof(ZCap)) : null; }

    /// <summary>
    /// Guard against false negatives, above 0 and up to 1: a candidate whose probability p_j over the whole pool is larger counts as if it had this
    /// one. The probabilities of the others stay as they are.
    /// </summary>
    public double? ProbabilityCap { get; init => field = value is { } given ? InRange(given, 1e-12, 1, nameof(ProbabilityCap)) : null; }

    /// <summary>
    /// τ in nats, at least 0, for <c>mass</c> alone: after the first pick, stop before a pick that would gain less. Without it there are always k.
    /// </summary>
    public double? MinimumGain { get; init => field = value is { } given ? InRange(given, 0, double.MaxValue, nameof(MinimumGain)) : null; }

    // Written so that NaN is outside every range.
    private static T InRange<T>(T value, T least, T most, string name) where T : System.Numerics.INumber<T> =>
        value >= least && value <= most ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} must lie between {least} and {most}.");
}
