namespace MassDpo.Shared.Contracts;

/// <summary>One candidate as a selection saw it; numbers that the selection did not need are null.</summary>
/// <param name="Hash">of the candidate's text</param>
/// <param name="Logp">log π(y|x) under the policy at selection, in nats</param>
/// <param name="LogpRef">the same under the reference policy</param>
/// <param name="Z">β(Δ_j − Δ_w); 0 for the chosen one</param>
/// <param name="P">softmax of z over the whole pool and the chosen one</param>
public readonly record struct CandidateEvent(string Hash, float? Logp, float? LogpRef, double? Z, double? P);

/// <summary>One pick of a selection, in the order of picking.</summary>
/// <param name="Index">into the candidates</param>
/// <param name="Gain">what it added to the objective</param>
/// <param name="RunnerUp">the second best at that step; null where there was none</param>
public readonly record struct PickEvent(int Index, double? Gain, int? RunnerUp, double? RunnerUpGain);

/// <summary>
/// The record of one choice: which negatives were kept, out of what, with which policy and why. It holds no texts, only their hashes.
/// Fields that a method does not compute are null.
/// </summary>
public sealed record SelectionEvent
{
    public required string Id { get; init; }
    public required Position Position { get; init; }
    public required long Slot { get; init; }
    /// <summary>Version of the policy that was used.</summary>
    public required long Version { get; init; }
    /// <summary>Hash of that policy's trained tensors.</summary>
    public required string PolicyHash { get; init; }
    /// <summary>Hash of the reference policy's.</summary>
    public string? ReferenceHash { get; init; }
    /// <summary><c>mass</c>, <c>exact</c>, <c>random</c>, <c>hardest</c> or <c>all</c>.</summary>
    public required string Method { get; init; }
    public required int K { get; init; }
    public required double Beta { get; init; }
    /// <summary>Relative ridge ρ; the ridge is γ = ρ·tr(K)/n.</summary>
    public double? Rho { get; init; }
    public double? Gamma { get; init; }
    /// <summary>Which features the objective saw.</summary>
    public string? Features { get; init; }
    /// <summary>Index 0 is the chosen one.</summary>
    public required IReadOnlyList<CandidateEvent> Candidates { get; init; }
    public required IReadOnlyList<PickEvent> Picks { get; init; }
    /// <summary>The objective's value at the picks.</summary>
    public double? Information { get; init; }
    /// <summary>No subset of this size has more information than this.</summary>
    public double? Bound { get; init; }
    /// <summary>tr(K)²/tr(K²).</summary>
    public double? EffectiveRank { get; init; }
    /// <summary>Of the chosen one before training on it, 1 = best.</summary>
    public int? Rank { get; init; }
    /// <summary>Versions between the policy that selected and the one that its batch trains.</summary>
    public long Lag { get; init; }
    /// <summary>The record's <c>meta</c> as JSON text, where settings ask for it.</summary>
    public string? Meta { get; init; }

    // What two runs of the same stream may differ in: left out of the event's hash.
    public long Epoch { get; init; }
    /// <summary>Which selector actor made it.</summary>
    public string Selector { get; init; } = "";
    public SelectionTiming Timing { get; init; }
}

/// <summary>What a selection took, in microseconds: its share of its block.</summary>
public readonly record struct SelectionTiming(double ScoreMicroseconds, double ReferenceMicroseconds, double SelectMicroseconds);
