using System.Text.Json.Nodes;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;

namespace MassDpo.Learner;

/// <summary>How a run stands after an update.</summary>
public sealed record LearnerProgress(long Version, RunCounts Counts, double? Loss, double LearningRate, RankingMetrics? Window, long Lag)
{
    /// <summary>What the evaluation of this version gave; null: there was none.</summary>
    public JsonObject? Evaluation { get; init; }
}

/// <summary>How a run ended.</summary>
/// <param name="Stopped">true: it was asked to stop and can go on; false: its input has ended</param>
/// <param name="Version">of the policy</param>
/// <param name="PolicyHash">of its weights</param>
/// <param name="Counts">over all starts of the run</param>
/// <param name="CountsAtStart">of the same when this start began</param>
/// <param name="Lags">records by how many versions old their selection was</param>
/// <param name="Notes">what happened on the way that a report should tell: damaged checkpoints, changes on resume, blocks that were refused</param>
public sealed record LearnerOutcome(bool Stopped, long Version, string PolicyHash, RunCounts Counts, RunCounts CountsAtStart, IReadOnlyDictionary<long, long> Lags,
    IReadOnlyList<string> Notes);
