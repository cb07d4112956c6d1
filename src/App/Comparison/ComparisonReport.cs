using System.Globalization;
using System.Text;
using MassDpo.App.Running;

namespace MassDpo.App.Comparison;

/// <summary>What a comparison found, as Markdown with a figure.</summary>
internal sealed class ComparisonReport
{
    private const string Figure = "curves.svg";

    private readonly ComparisonRequest _request;
    private readonly Dictionary<string, List<MeasuredRun>> _runs;
    private readonly IReadOnlyList<Arm> _arms;

    /// <param name="request">what was asked</param>
    /// <param name="runs">every arm with every seed</param>
    public ComparisonReport(ComparisonRequest request, IReadOnlyList<MeasuredRun> runs)
    {
        _request = request;
        _arms = request.Comparison.Arms;
        _runs = _arms.ToDictionary(arm => arm.FullName, arm => runs.Where(run => run.Arm == arm.FullName).OrderBy(run => run.Seed).ToList());
    }

    /// <summary>Writes <c>report.md</c>, <c>curves.svg</c> and <c>results.json</c>.</summary>
    public void Write()
    {
        File.WriteAllText(Path.Combine(_request.Output, "report.md"), ToMarkdown());
        File.WriteAllText(Path.Combine(_request.Output, Figure), ToSvg());
        File.WriteAllText(Path.Combine(_request.Output, "results.json"),
            "[\n" + string.Join(",\n", _arms.SelectMany(arm => _runs[arm.FullName]).Select(run => run.ToJson().TrimEnd())) + "\n]\n");
    }

    public string ToMarkdown()
    {
        var c = _request.Comparison;
        var text = new StringBuilder();
        text.AppendLine("# Selectors compared").AppendLine();
        text.AppendLine(Invariant($"{string.Join(", ", _arms.Select(arm => arm.FullName))}: the same records in the same order, {c.Seeds} seed{(c.Seeds == 1 ? "" : "s")} each. Values are means over seeds ± their standard deviation."));
        text.AppendLine("Differences are paired by seed; p is that of a two-sided t-test on the pairs, not corrected for how many are made.").AppendLine();
        Recipe(text);
        text.AppendLine("## At the end").AppendLine();
        Table(text, ["", "HR@1 %", "NDCG@5", "accuracy %", "reward accuracy %", "reward HR@1 %", "PL loss"],
            [["before", .. Columns.Select(column => Mean(_runs[_arms[0].FullName], run => column.Of(run.Before), column.Scale, column.Digits))],
            .. _arms.Select(arm => (string[])[arm.FullName, .. Columns.Select(column => Mean(_runs[arm.FullName], run => column.Of(run.End), column.Scale, column.Digits))])]);
        Differences(text);
        EqualCompute(text);
        Choices(text);
        text.AppendLine($"![HR@1 and reward accuracy against records, sequence-forwards and seconds]({Figure})").AppendLine();
        text.AppendLine("Lines are means over seeds, bands their standard deviation. A sequence-forward is one sequence through the policy; a backward counts two: scoring a pool of n and the chosen");
        text.AppendLine("response costs n + 1, training on k negatives 3(k + 1). Sequences that share a prompt cost less than this count says. Seconds are those of the run, without measuring.");
        return text.ToString();
    }

    /// <summary>The table of ends as rows of text, for a terminal.</summary>
    public IEnumerable<string[]> Summary() => _arms.Select(arm => (string[])[arm.FullName, .. Columns.Select(column => Mean(_runs[arm.FullName], run => column.Of(run.End), column.Scale, column.Digits)),
        Invariant($"{_runs[arm.FullName].Average(run => run.Points[^1].Records / run.Points[^1].Seconds):F0}")]);

    private static readonly (string Name, Func<Measures, double> Of, double Scale, int Digits)[] Columns =
    [
        ("HR@1, pp", m => m.HitRate1, 100, 2), ("NDCG@5", m => m.Ndcg5, 1, 4), ("accuracy, pp", m => m.Accuracy, 100, 2),
        ("reward accuracy, pp", m => m.RewardAccuracy, 100, 2), ("reward HR@1, pp", m => m.RewardHitRate1, 100, 2), ("PL loss", m => m.Loss, 1, 4),
    ];

    private void Recipe(StringBuilder text)
    {
        var run = _request.Run;
        text.AppendLine("## Recipe").AppendLine();
        text.AppendLine($"Records: {string.Join(", ", _request.Data.Select(file => Path.GetFileName(file)))}; start: {_request.Policy}; measured on {Path.GetFileName(_request.Evaluation)}. {RunReport.Build}, {run.Threads} thread{(run.Threads == 1 ? "" : "s")} an operation, {_request.Comparison.Jobs} run{(_request.Comparison.Jobs == 1 ? "" : "s")} at a time.");
        var sizes = _arms.Select(arm => Invariant($"{arm.FullName} {run.Slots.BatchSize * (1 + _runs[arm.FullName].Average(r => r.Negatives)):F0}"));
        text.AppendLine(Invariant($"A batch is {run.Slots.BatchSize} records; effective batch in sequences: {string.Join(", ", sizes)}. Updates: {_runs[_arms[0].FullName][0].Updates:N0}.")).AppendLine();
        Table(text, ["setting", "value"], [.. _request.Changed.Select(setting => (string[])[$"`{setting.Key}`", $"`{setting.Value}`"])]);
    }

    private void Differences(StringBuilder text)
    {
        var rows = new List<string[]>();
        foreach (var arm in _arms)
        {
            if (_request.Comparison.BaselineOf(arm) is not { } baseline)
                continue;
            rows.Add([arm.FullName, baseline.FullName, .. Columns.Select(column => Difference(PairedTest.Of(Ends(arm, column.Of), Ends(baseline, column.Of)), column.Scale, column.Digits))]);
        }
        if (rows.Count == 0)
            return;
        text.AppendLine($"## Difference to {MassDpo.Selection.SelectionMethods.Name(_request.Comparison.Baseline)}").AppendLine();
        Table(text, ["", "minus", .. Columns.Select(column => column.Name)], rows);
        text.AppendLine("\\* p < .05, \\*\\* p < .01.").AppendLine();

        List<double> Ends(Arm arm, Func<Measures, double> of) => [.. _runs[arm.FullName].Select(run => of(run.End))];
    }

    private void EqualCompute(StringBuilder text)
    {
        var budget = _arms.Min(arm => _runs[arm.FullName].Min(run => run.Points[^1].Forwards));
        text.AppendLine("## At equal compute").AppendLine();
        text.AppendLine(Invariant($"After {budget:N0} sequence-forwards, the most that all have spent; between two measurements by a straight line."));
        text.AppendLine();
        Table(text, ["", "records", "HR@1 %", "reward accuracy %", "PL loss"], [.. _arms.Select(arm => (string[])[arm.FullName,
            Invariant($"{_runs[arm.FullName].Average(run => Interpolated(run, budget, point => point.Records, 0)):N0}"),
            Mean(_runs[arm.FullName], run => Interpolated(run, budget, point => point.Measures.HitRate1, run.Before.HitRate1), 100, 2),
            // Before the first measurement there is none to begin from: at the start all rewards are 0.
            _runs[arm.FullName].Any(run => run.Points[0].Forwards > budget) ? ""
                : Mean(_runs[arm.FullName], run => Interpolated(run, budget, point => point.Measures.RewardAccuracy, 0), 100, 2),
            Mean(_runs[arm.FullName], run => Interpolated(run, budget, point => point.Measures.Loss, run.Before.Loss), 1, 4)])]);
    }

    private void Choices(StringBuilder text)
    {
        text.AppendLine("## What they choose, and what it costs").AppendLine();
        Table(text, ["", "negatives", "duplicates %", "F / best F", "cosine to the pool's gradient", "forwards per record", "records/s"], [.. _arms.Select(arm =>
        {
            var runs = _runs[arm.FullName];
            var information = runs.Select(run => run.Quality?.Information).OfType<double>().ToList();
            return (string[])[arm.FullName, Invariant($"{runs.Average(run => run.Negatives):F1}"), Invariant($"{100 * runs.Average(run => run.Duplicates):F1}"),
                information.Count > 0 ? Invariant($"{information.Average():F3}") : "",
                runs[0].Quality is null ? "" : Invariant($"{runs.Average(run => run.Quality!.Cosine):F3}"),
                Invariant($"{runs.Average(run => (double)run.Points[^1].Forwards / run.Points[^1].Records):F1}"),
                Mean(runs, run => run.Points[^1].Records / run.Points[^1].Seconds, 1, 0)];
        })]);
        text.AppendLine("Duplicates: the same as the chosen response or as an earlier pick (`ingest.duplicates = keep` leaves them in). F is the information of the chosen subset (the objective of");
        text.AppendLine(Invariant($"`exact`), the best F that of the best subset of as many; both, and the cosine, in `output` features with the policy at the end of the run, on up to {_request.Comparison.Sample} of the records measured on.")).AppendLine();
    }

    public string ToSvg()
    {
        (string Title, Func<MeasuredPoint, double> Of)[] axes = [("records", point => point.Records), ("sequence-forwards", point => point.Forwards), ("seconds", point => point.Seconds)];
        // At the start policy and reference are one: there is no reward yet.
        (string Title, bool FromStart, Func<Measures, double> Of)[] values =
            [("HR@1 %", true, m => 100 * m.HitRate1), ("reward accuracy %", false, m => 100 * m.RewardAccuracy)];
        return Chart.ToSvg([.. values.SelectMany(value => axes.Select(axis => new Panel(axis.Title, value.Title, [.. _arms.Select(arm => Line(_runs[arm.FullName], arm.FullName, axis.Of, value.Of, value.FromStart))])))], axes.Length);
    }

    private static Series Line(List<MeasuredRun> runs, string name, Func<MeasuredPoint, double> x, Func<Measures, double> y, bool fromStart)
    {
        // A dead letter more or less does not change how many points there are; a run that ended early might.
        var points = Enumerable.Range(0, runs.Min(run => run.Points.Count)).Select(i => Point(runs.Average(run => x(run.Points[i])), [.. runs.Select(run => y(run.Points[i].Measures))]));
        return new Series(name, fromStart ? [Point(0, [.. runs.Select(run => y(run.Before))]), .. points] : [.. points]);

        static (double, double, double) Point(double x, double[] values)
        {
            var (mean, deviation) = Statistics.Of(values);
            return (x, mean, deviation ?? 0);
        }
    }

    private static double Interpolated(MeasuredRun run, double budget, Func<MeasuredPoint, double> of, double atStart)
    {
        var (x, y) = (0.0, atStart);
        foreach (var point in run.Points)
        {
            if (point.Forwards >= budget)
                return y + (of(point) - y) * (budget - x) / (point.Forwards - x);
            (x, y) = (point.Forwards, of(point));
        }
        return y;
    }

    private static string Mean(List<MeasuredRun> runs, Func<MeasuredRun, double> of, double scale, int digits)
    {
        var (mean, deviation) = Statistics.Of([.. runs.Select(run => scale * of(run))]);
        return Number(mean, digits) + (deviation is { } sd ? " ± " + Number(sd, digits) : "");
    }

    private static string Difference(PairedTest test, double scale, int digits)
    {
        var sign = test.Difference < 0 ? "−" : "+";
        var mark = test.P switch { < 0.01 => "\\*\\*", < 0.05 => "\\*", _ => "" };
        return sign + Number(Math.Abs(scale * test.Difference), digits) + mark + (test.P is { } p ? $" (p {(p < 0.0001 ? "< .0001" : "= " + p.ToString("F4", CultureInfo.InvariantCulture))})" : "");
    }

    private static string Number(double value, int digits) => value.ToString("F" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture).Replace('-', '−');

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static void Table(StringBuilder text, IReadOnlyList<string> head, IReadOnlyList<string[]> rows)
    {
        text.AppendLine($"| {string.Join(" | ", head)} |");
        text.AppendLine($"|{string.Concat(head.Select((_, i) => i == 0 ? "---|" : "---:|"))}");
        foreach (var row in rows)
            text.AppendLine($"| {string.Join(" | ", row)} |");
        text.AppendLine();
    }
}
