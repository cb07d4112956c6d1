namespace MassDpo.Shared.Contracts;

/// <summary>How a policy ranks the chosen candidates of records, as means over them; ties count against the policy.</summary>
/// <param name="Records">how many</param>
/// <param name="HitRate1">HR@1: share in which the chosen one is first</param>
/// <param name="MeanReciprocalRank">of the chosen one</param>
/// <param name="Ndcg5">NDCG@5 with the chosen one as the only relevant: 1/log₂(1 + rank) where the rank is at most 5, else 0</param>
/// <param name="Margin">log π(chosen) − log π of the best rejected one, in nats</param>
/// <param name="Accuracy">share of rejected ones below the chosen one</param>
public sealed record RankingMetrics(long Records, double HitRate1, double MeanReciprocalRank, double Ndcg5, double Margin, double Accuracy)
{
    /// <summary>Null where there are no records.</summary>
    public static RankingMetrics? Of(IEnumerable<RecordMeasures> measures)
    {
        var (records, hits, reciprocal, ndcg, margin, accuracy) = (0L, 0L, 0.0, 0.0, 0.0, 0.0);
        foreach (var m in measures)
        {
            records++;
            hits += m.Rank == 1 ? 1 : 0;
            reciprocal += 1.0 / m.Rank;
            ndcg += m.Rank <= 5 ? 1 / Math.Log2(1 + m.Rank) : 0;
            margin += m.Margin;
            accuracy += m.Accuracy;
        }
        return records == 0 ? null : new RankingMetrics(records, (double)hits / records, reciprocal / records, ndcg / records, margin / records, accuracy / records);
    }
}
