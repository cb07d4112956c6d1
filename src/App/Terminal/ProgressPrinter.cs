using System.Globalization;
using System.Text.Json.Nodes;
using MassDpo.Learner;

namespace MassDpo.App.Terminal;

/// <summary>One line now and then on how a run stands: records, rate, metrics before training, lag, time left.</summary>
internal sealed class ProgressPrinter(TimeSpan interval, TimeProvider clock, TextWriter writer, bool rewrite)
{
    private long _printed = clock.GetTimestamp();
    private (long Applied, long At)? _first;
    private bool _any;

    public void Update(LearnerProgress progress, long? allRecords)
    {
        // Rates count from the first update on: what was done before it, by an earlier start or in loading, is no part of them.
        _first ??= (progress.Counts.Applied, clock.GetTimestamp());
        if (progress.Evaluation is { } evaluation)
            Print(progress, evaluation);
        if (clock.GetElapsedTime(_printed) < interval)
            return;
        _printed = clock.GetTimestamp();
        Print(progress, allRecords);
    }

    /// <summary>Ends a line that was written over.</summary>
    public void End()
    {
        if (_any && rewrite)
            writer.WriteLine();
        _any = false;
    }

    // An evaluation is told always, on a line that stays.
    private void Print(LearnerProgress progress, JsonObject evaluation)
    {
        End();
        var preference = evaluation["reward_accuracy"] is { } accuracy
            ? string.Create(CultureInfo.InvariantCulture, $", reward accuracy {100 * accuracy.GetValue<double>():F1}%")
            : "";
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"evaluated at {Number(progress.Counts.Applied)} records, update {Number(progress.Version)}: HR@1 {100 * evaluation["hr@1"]!.GetValue<double>():F1}%{preference}"));
    }

    private void Print(LearnerProgress progress, long? allRecords)
    {
        var (applied, at) = _first!.Value;
        var seconds = clock.GetElapsedTime(at).TotalSeconds;
        var rate = seconds > 0 ? (progress.Counts.Applied - applied) / seconds : 0;
        var parts = new List<string> { allRecords is { } all ? $"{Number(progress.Counts.Read)} of {Number(all)} records" : $"{Number(progress.Counts.Read)} records" };
        if (rate > 0)
            parts.Add($"{Number((long)rate)}/s");
        parts.Add($"update {Number(progress.Version)}");
        if (progress.Loss is { } loss)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"loss {loss:F3}"));
        if (progress.Window is { } w)
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"HR@1 {100 * w.HitRate1:F1}%"));
        parts.Add($"lag {progress.Lag}");
        if (progress.Counts.Dead > 0)
            parts.Add($"{Number(progress.Counts.Dead)} dead");
        if (allRecords is { } total && rate > 0)
            parts.Add($"{Left((total - progress.Counts.Read) / rate)} left");
        var line = string.Join(" · ", parts);
        if (rewrite)
            writer.Write($"\r\u001b[2K{line}");
        else
            writer.WriteLine(line);
        _any = true;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Left(double seconds) => seconds switch
    {
        < 60 => $"{Math.Ceiling(Math.Max(0, seconds)):F0}s",
        < 3600 => $"{(int)seconds / 60}m{(int)seconds % 60:D2}s",
        _ => $"{(long)seconds / 3600}h{(long)seconds / 60 % 60:D2}m",
    };
}
