using MassDpo.Learner.Training;
using MassDpo.Shared.Contracts;

namespace MassDpo.Learner.Metrics;

/// <summary>
/// One line of <c>metrics.jsonl</c>: an update in TRL's names, and the moving window of how the policy ranked records before it trained on them.
/// </summary>
/// <param name="Version">that the update made</param>
/// <param name="Records">applied so far</param>
/// <param name="Update">what it did</param>
/// <param name="Window">null before the first measured record</param>
/// <param name="RecordsPerSecond">since the last line</param>
/// <param name="Lag">versions between selection and this update, at most</param>
public sealed record MetricsEntry(long Version, long Records, UpdateResult Update, RankingMetrics? Window, double RecordsPerSecond, long Lag)
{
    public ReadOnlySpan<byte> ToLine()
    {
        var line = LogLine.Begin();
        var json = line.Json;
        json.WriteNumber("version"u8, Version);
        json.WriteNumber("records"u8, Records);
        line.Number("loss"u8, Update.Loss);
        line.Number("grad_norm"u8, Update.GradientNorm);
        line.Number("learning_rate"u8, Update.LearningRate);
        line.Number("rewards/chosen"u8, Update.Rewards?.Chosen);
        line.Number("rewards/rejected"u8, Update.Rewards?.Rejected);
        line.Number("rewards/margins"u8, Update.Rewards?.Margins);
        line.Number("rewards/accuracies"u8, Update.Rewards?.Accuracies);
        line.Number("logps/chosen"u8, Update.Rewards?.LogpsChosen);
        line.Number("logps/rejected"u8, Update.Rewards?.LogpsRejected);
        line.Number("hr@1"u8, Window?.HitRate1);
        line.Number("mrr"u8, Window?.MeanReciprocalRank);
        line.Number("ndcg@5"u8, Window?.Ndcg5);
        line.Number("margin"u8, Window?.Margin);
        line.Number("accuracy"u8, Window?.Accuracy);
        json.WriteNumber("window"u8, Window?.Records ?? 0);
        line.Number("records_per_s"u8, Math.Round(RecordsPerSecond, 3));
        json.WriteNumber("lag"u8, Lag);
        return line.End();
    }
}
