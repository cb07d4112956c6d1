using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Slots;

namespace MassDpo.Learner;

/// <summary>How a learner runs.</summary>
/// <param name="Slots">how slots are opened and leased</param>
/// <param name="Identity">what a resume must agree with</param>
/// <param name="ContinueWithChanges">whether a resume with another identity is let through, and logged</param>
/// <param name="CheckpointUpdates">updates between checkpoints</param>
/// <param name="CheckpointsKept">at least 2</param>
/// <param name="MetricsWindow">records over which the metrics before training are means</param>
public sealed record LearnerOptions(SlotOptions Slots, RunIdentity Identity, bool ContinueWithChanges, int CheckpointUpdates, int CheckpointsKept, int MetricsWindow)
{
    /// <summary>How long logs get and how much of them is kept.</summary>
    public LogOptions Logs { get; init; } = new(SegmentBytes: 0, SegmentsKept: 0);

    /// <summary>Whether the run is claimed though another learner claimed it, or wrote newer checkpoints: what that one did after this one's checkpoint is lost.</summary>
    public bool ForceClaim { get; init; }

    /// <summary>Records between evaluations; 0: none.</summary>
    public long EvaluateEvery { get; init; }
}
