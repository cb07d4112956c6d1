using System.Globalization;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using Spectre.Console;

namespace MassDpo.App.Terminal;

/// <summary>What a run prints at its end.</summary>
internal static class RunSummary
{
    public static void Print(RunResult result, string output)
    {
        var outcome = result.Outcome;
        var counts = outcome.Counts;
        foreach (var note in outcome.Notes)
            Output.Line($"note: {note}");
        var seconds = counts.Seconds - outcome.CountsAtStart.Seconds;
        var applied = counts.Applied - outcome.CountsAtStart.Applied;
        Output.Line(string.Create(CultureInfo.InvariantCulture,
            $"{(outcome.Stopped ? "Stopped as asked" : "Done")}: {counts.Applied:N0} records in {outcome.Version:N0} updates{(counts.Dead > 0 ? $", {counts.Dead:N0} to dead letters" : "")}"
            + $"{(counts.Duplicates > 0 ? $", {counts.Duplicates:N0} duplicate candidates dropped" : "")}{(counts.Unknown > 0 ? $", {counts.Unknown:N0} unknown items dropped" : "")}"
            + $"{(counts.Truncated > 0 ? $", {counts.Truncated:N0} records truncated by {counts.CutTokens:N0} tokens" : "")}; "
            + $"{(seconds > 0 ? applied / seconds : 0):N0} records/s."));
        if (result.Before is not null)
            PrintEvaluation(("before", result.Before), ("after", result.After));
        Output.Line($"The policy is in {Path.Combine(output, "policy")}, the record of every choice in {Path.Combine(output, "selections.jsonl")}.");
        if (outcome.Stopped)
            Output.Line("Give the same command again to go on.");
    }

    /// <summary>A table of evaluations, one column each.</summary>
    public static void PrintEvaluation(params (string Name, EvaluationResult? Result)[] columns)
    {
        var shown = columns.Where(column => column.Result is not null).Select(column => (column.Name, Result: column.Result!)).ToList();
        var table = new Table().Border(TableBorder.Simple).AddColumn($"on {shown[0].Result.Ranking.Records:N0} records");
        foreach (var (name, _) in shown)
            table.AddColumn(new TableColumn(name).RightAligned());
        Row("HR@1: the chosen one ranks first", r => Percent(r.Ranking.HitRate1));
        Row("MRR", r => Number(r.Ranking.MeanReciprocalRank));
        Row("NDCG@5", r => Number(r.Ranking.Ndcg5));
        Row("accuracy: rejected ones below it", r => Percent(r.Ranking.Accuracy));
        Row("margin to the best rejected, nats", r => Number(r.Ranking.Margin));
        if (shown.Any(column => column.Result.PerToken is not null))
            Row("HR@1 per token", r => r.PerToken is { } perToken ? Percent(perToken.HitRate1) : "");
        if (shown.Select(column => column.Result.Preference).FirstOrDefault(preference => preference is not null) is { } first)
        {
            Row("reward accuracy against the reference", r => r.Preference is { } p ? Percent(p.RewardAccuracy) : "");
            Row("reward HR@1", r => r.Preference is { } p ? Percent(p.RewardHitRate1) : "");
            Row(string.Create(CultureInfo.InvariantCulture, $"Plackett–Luce loss at β = {first.Beta}, nats"), r => r.Preference is { } p ? Number(p.Loss) : "");
        }
        Output.Out.Write(table);
        if (shown[0].Result.Skipped > 0)
            Output.Line($"{shown[0].Result.Skipped:N0} records could not be measured.");

        void Row(string name, Func<EvaluationResult, string> value) => table.AddRow([name, .. shown.Select(column => value(column.Result))]);
    }

    public static string Percent(double share) => (100 * share).ToString("F1", CultureInfo.InvariantCulture) + " %";

    private static string Number(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
