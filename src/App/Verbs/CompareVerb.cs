using System.CommandLine;
using MassDpo.App.Evaluation;
using MassDpo.App.Comparison;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using MassDpo.Shared.Settings;
using Spectre.Console;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo compare</c>: selectors side by side on the user's own stream.</summary>
internal static class CompareVerb
{
    public static Command Create()
    {
        var command = new Command("compare", "Compares ways of choosing negatives on your own stream: same records, same budget, several seeds.").WithDetails("""
            OUTPUT gets report.md (ends with paired tests, equal compute, what is chosen, what it costs), curves.svg, results.json, and runs/ with what each run has
            measured. Stopped and called again, it goes on with the runs that are missing. In --policy, {seed} stands for the seed, for a start of its own for each.

            Examples:
              massdpo compare --data train.jsonl.gz --eval test.jsonl.gz --policy start --output compared --selectors random,mass,all --negatives 1,3,5 --seeds 5
              massdpo compare --data train.jsonl.gz --eval test.jsonl.gz --policy cold-{seed} --output compared --config hocon/lastfm.conf --learning-rate 4e-3
            """);
        var data = DataOption.Data();
        var policy = DataOption.Policy("Directory of the policy that every run starts from; {seed} in it is the seed.");
        var output = DataOption.Output("Directory that the comparison writes, or goes on in.");
        var evaluation = new Option<string>("--eval") { Description = "Records to measure on.", HelpName = "FILE", Required = true };
        foreach (var option in new Option[] { data, evaluation, policy, output })
            command.Options.Add(option);
        var settings = new SettingOptions(command,
            ("--selectors", "compare.selectors", "a,b,c", "What is compared: mass, exact, random, hardest, all; with features, as in mass:head."),
            ("--negatives", "compare.negatives", "1,3,5", "Negatives kept per record; each selector is tried with each."),
            ("--seeds", "compare.seeds", "N", "Runs of each."),
            ("--baseline", "compare.baseline", "SELECTOR", "What the others are compared with."),
            ("--points", "compare.points", "N", "Times that a policy is measured on its way."),
            ("--jobs", "compare.jobs", "N", "Runs at a time. With more than one, seconds and records/s say less."),
            ("--learning-rate", "learner.learning-rate", "RATE", "Learning rate after the warm-up."),
            ("--batch", "learner.batch", "N", "Records per update."),
            ("--passes", "ingest.passes", "N", "Passes over the files."),
            ("--shuffle", "ingest.shuffle", "all|N|none", "Order of each pass."));
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var comparison = ComparisonOptions.From(effective);
            var run = RunOptions.From(effective);
            foreach (var arm in comparison.Arms)
                RunOptions.CheckLoss(effective, run.Trainer.Loss, arm.Method, arm.Negatives);
            var request = new ComparisonRequest(parsed.GetValue(data)!, parsed.GetValue(policy)!, parsed.GetValue(evaluation)!, parsed.GetValue(output)!, comparison,
                run, EvaluationOptions.From(effective), Changed(effective));
            Output.ErrorLine($"{comparison.Arms.Count * comparison.Seeds} runs: {string.Join(", ", comparison.Arms.Select(arm => arm.FullName))}, {comparison.Seeds} of each");
            var report = new ComparisonReport(request, await new ComparisonJob(request, Output.ErrorLine).RunAsync(cancellation));
            report.Write();
            Print(report);
            Output.Line($"The report is {Path.Combine(request.Output, "report.md")}, its figure {Path.Combine(request.Output, "curves.svg")}.");
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(ComparisonReport report)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("at the end");
        foreach (var column in new[] { "HR@1 %", "NDCG@5", "accuracy %", "reward accuracy %", "reward HR@1 %", "PL loss", "records/s" })
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var row in report.Summary())
            table.AddRow(row);
        Output.Out.Write(table);
    }

    // What a reader has to know to repeat it: all that a run or an evaluation depends on and that is not as hocon/reference.conf has it.
    private static List<KeyValuePair<string, string>> Changed(EffectiveSettings settings) =>
        [.. settings.Effective.Where(setting => !setting.Key.StartsWith("sft.", StringComparison.Ordinal) && setting.Value != EffectiveSettings.Reference.GetString(setting.Key)).OrderBy(setting => setting.Key, StringComparer.Ordinal)];
}
