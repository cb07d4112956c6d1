namespace MassDpo.Policy.Scoring;

/// <summary>What may be in memory at a time while pools are computed.</summary>
/// <param name="Tokens">
/// places of packs computed together, those filled up counted; a pool with more is split by candidates. It changes sums in the last bits, and is part of what a
/// run's bits depend on
/// </param>
/// <param name="Checkpointing">
/// whether only what enters each layer is kept for the way back, and the rest computed again: less memory for a third more work
/// </param>
public sealed record ComputeLimits(int Tokens, bool Checkpointing = false)
{
    /// <summary>Logits held at a time, in float32: so many places times |V|.</summary>
    public long Logits { get; init; } = 1 << 24;

    /// <summary>Enough for small policies.</summary>
    public static ComputeLimits Default { get; } = new(4096);
}
