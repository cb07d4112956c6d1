using System.Text.Json.Nodes;
using MassDpo.Shared.Contracts;

namespace MassDpo.App.Evaluation;

/// <summary>How a policy does on records.</summary>
/// <param name="Ranking">by summed log-probabilities</param>
/// <param name="PerToken">by log-probabilities per response token; null where every response has one token, so that the two agree</param>
/// <param name="Preference">against a reference; null without one</param>
/// <param name="Skipped">records that could not be scored</param>
public sealed record EvaluationResult(RankingMetrics Ranking, RankingMetrics? PerToken, PreferenceMetrics? Preference, long Skipped)
{
    /// <summary>The fields that <c>massdpo eval --json</c> and a run's report have.</summary>
    public JsonObject ToJson()
    {
        var json = Fields(Ranking);
        if (Preference is { } p)
        {
            json["reward_accuracy"] = p.RewardAccuracy;
            json["reward_hr@1"] = p.RewardHitRate1;
            json["pl_loss"] = p.Loss;
        }
        if (PerToken is { } perToken)
            json["per_token"] = Fields(perToken);
        if (Skipped > 0)
            json["skipped"] = Skipped;
        return json;
    }

    private static JsonObject Fields(RankingMetrics m) => new()
    {
        ["records"] = m.Records,
        ["hr@1"] = m.HitRate1,
        ["mrr"] = m.MeanReciprocalRank,
        ["ndcg@5"] = m.Ndcg5,
        ["margin"] = m.Margin,
        ["accuracy"] = m.Accuracy,
    };
}

/// <summary>What a policy prefers more than its reference does; z_j = β(Δ_j − Δ_w), Δ = log π − log π_ref.</summary>
/// <param name="RewardAccuracy">share of rejected responses with z &lt; 0</param>
/// <param name="RewardHitRate1">share of records in which all have</param>
/// <param name="Loss">Plackett–Luce loss over each record's negatives, in nats</param>
/// <param name="Beta">β of the loss: not the one that was trained with, unless they were set alike</param>
public sealed record PreferenceMetrics(double RewardAccuracy, double RewardHitRate1, double Loss, double Beta);
