namespace MassDpo.PipelineKit.Distributed;

/// <summary>What has to hold of a run over a log beside <see cref="Schedules.Invariants"/>.</summary>
public static class FleetInvariants
{
    public const string VersionsMonotone = "versions of an epoch follow one another, and nobody goes back to an older policy";
    public const string FencedIsSilent = "nobody hears a learner that is fenced, and it ends";
    public const string OwnEpoch = "what was selected in an epoch that is over is not trained on";
    public const string OneReader = "a part of the input is read by one intake in an epoch";
    public const string CommittedIsDurable = "what is committed for a group is in a checkpoint";
}
