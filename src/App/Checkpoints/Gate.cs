using System.Globalization;
using System.Text.Json.Nodes;

namespace MassDpo.App.Checkpoints;

/// <summary>
/// A condition on an evaluation: <c>hr@1 &gt;= 0.4</c>, <c>pl_loss &lt;= 1.2</c>, or against what is promoted now: <c>hr@1 &gt;= current</c>.
/// </summary>
/// <param name="Metric">a field of <c>massdpo eval --json</c></param>
/// <param name="AtLeast">whether more is better</param>
/// <param name="Bound">null: what the policy that is promoted now has</param>
internal sealed record Gate(string Metric, bool AtLeast, double? Bound)
{
    private const string Current = "current";

    /// <exception cref="FormatException">it is no condition</exception>
    public static Gate Parse(string text)
    {
        var atLeast = text.Contains(">=", StringComparison.Ordinal);
        if (text.Split(atLeast ? ">=" : "<=") is not [var left, var right] || left.Trim() is not { Length: > 0 } metric)
            throw Malformed();
        if (right.Trim() == Current)
            return new Gate(metric, atLeast, null);
        return double.TryParse(right, NumberStyles.Float, CultureInfo.InvariantCulture, out var bound) && double.IsFinite(bound)
            ? new Gate(metric, atLeast, bound)
            : throw Malformed();

        FormatException Malformed() => new($"'{text}' is no gate: write METRIC>=NUMBER, METRIC<=NUMBER, or one of them with the word {Current}, as in hr@1>=0.4 or hr@1>={Current}");
    }

    /// <summary>Why an evaluation does not pass; null: it does.</summary>
    /// <param name="evaluation">of the checkpoint</param>
    /// <param name="current">of what is promoted now; null: nothing is, and nothing can be worse</param>
    /// <exception cref="InvalidDataException">the evaluation has no such metric</exception>
    public string? Refuses(JsonObject evaluation, JsonObject? current)
    {
        var value = ValueIn(evaluation);
        if (Bound is null && current is null)
            return null;
        var bound = Bound ?? ValueIn(current!);
        var passes = AtLeast ? value >= bound : value <= bound;
        return passes ? null : string.Create(CultureInfo.InvariantCulture, $"{Metric} is {value:G6}, and must be {(AtLeast ? "at least" : "at most")} {bound:G6}{(Bound is null ? ", what is promoted now" : "")}");
    }

    private double ValueIn(JsonObject evaluation) => evaluation[Metric] is JsonValue value && value.TryGetValue<double>(out var number)
        ? number
        : throw new InvalidDataException($"an evaluation has no '{Metric}'; it has {string.Join(", ", evaluation.Where(field => field.Value is JsonValue).Select(field => field.Key))}");
}
