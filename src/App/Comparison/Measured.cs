using System.Text.Json;
using MassDpo.App.Evaluation;

namespace MassDpo.App.Comparison;

/// <summary>How a policy does on the evaluation's records, by the names of <c>massdpo eval --json</c>.</summary>
internal sealed record Measures(double HitRate1, double Mrr, double Ndcg5, double Accuracy, double Margin, double RewardAccuracy, double RewardHitRate1, double Loss)
{
    public static Measures Of(EvaluationResult result) => new(result.Ranking.HitRate1, result.Ranking.MeanReciprocalRank, result.Ranking.Ndcg5, result.Ranking.Accuracy,
        result.Ranking.Margin, result.Preference!.RewardAccuracy, result.Preference.RewardHitRate1, result.Preference.Loss);
}

/// <summary>A run on its way.</summary>
/// <param name="Records">applied so far</param>
/// <param name="Forwards">sequence-forwards so far, a backward counting two: scoring a pool n + 1, training on k negatives 3(k + 1)</param>
/// <param name="Seconds">of the run so far, without what measuring took</param>
/// <param name="Measures">of the policy at that point</param>
internal sealed record MeasuredPoint(long Records, long Forwards, double Seconds, Measures Measures);

/// <summary>How a method chooses, with the policy that its run ended with, beside the best choice and the whole pool.</summary>
/// <param name="Information">F(S) over the best F of as many negatives; null where that is not searched for</param>
/// <param name="Cosine">between the gradient (in features) of the chosen subset and that of the pool</param>
/// <param name="Records">over how many records these are means</param>
internal sealed record ChoiceQuality(double? Information, double Cosine, int Records);

/// <summary>One run of a comparison: what is kept of it.</summary>
/// <param name="Identity">of data, policy and settings: a comparison takes a run up again only where it is the same</param>
/// <param name="Arm">name of its arm</param>
/// <param name="Seed">of the run</param>
/// <param name="Before">the start, on the same records</param>
/// <param name="Points">in order; the last is the end</param>
/// <param name="Updates">that were made</param>
/// <param name="Negatives">trained on per record, on average</param>
/// <param name="Duplicates">share of these that were the same as the chosen response or an earlier pick</param>
/// <param name="Quality">null where it is not measured</param>
internal sealed record MeasuredRun(string Identity, string Arm, int Seed, Measures Before, IReadOnlyList<MeasuredPoint> Points, long Updates, double Negatives, double Duplicates,
    ChoiceQuality? Quality)
{
    private static readonly JsonSerializerOptions Form = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public Measures End => Points[^1].Measures;

    public string ToJson() => JsonSerializer.Serialize(this, Form) + "\n";

    /// <exception cref="InvalidDataException">the file is malformed</exception>
    public static MeasuredRun Read(string file)
    {
        try
        {
            var run = JsonSerializer.Deserialize<MeasuredRun>(File.ReadAllText(file), Form);
            return run is { Identity: not null, Arm: not null, Before: not null, Points.Count: > 0 } ? run : throw new InvalidDataException($"{file} is not whole: delete it");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is malformed: {e.Message}: delete it", e);
        }
    }
}
