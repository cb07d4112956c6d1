using System.CommandLine;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using MassDpo.App.Watching;
using MassDpo.Ingest.Sources;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo run</c>: the main job.</summary>
internal static class RunVerb
{
    public static Command Create(RunSeams seams)
    {
        var command = new Command("run", "Trains a policy on a stream of preferences and keeps the record of every choice.").WithDetails("""
            OUTPUT gets policy/ (the result, in Hugging Face layout), checkpoints/, selections.jsonl (why which negatives were kept), updates.jsonl (what was
            trained on, in order), metrics.jsonl, evaluations.jsonl, dead-letters.jsonl and report.json. Run again with the same OUTPUT, it goes on where it was.

            Examples:
              massdpo run --data train.jsonl.gz --policy start --output out --config hocon/lastfm.conf --passes 2 --eval test.jsonl.gz
              massdpo run --data monday.jsonl tuesday.jsonl --policy start --output out --selector random --negatives 5 --max-staleness 2 --selectors 2
            """);
        var data = DataOption.Data();
        var policy = DataOption.Policy("Directory of the policy to start from; it is the reference too.");
        var output = DataOption.Output("Directory that the run writes, or goes on in.");
        var evaluation = DataOption.Evaluation("Records to measure the policy on before and after. It only measures: it never chooses what is kept.");
        var continueWithChanges = new Option<bool>("--continue-with-changes") { Description = "Go on in OUTPUT though settings, data or policy differ; the report says so." };
        foreach (var option in new Option[] { data, policy, output, evaluation, continueWithChanges })
            command.Options.Add(option);
        var settings = new SettingOptions(command,
            ("--selector", "selection.method", "mass|exact|random|hardest|all", "How negatives are chosen."),
            ("--features", "selection.features", "output|head|hidden", "What mass and exact compare candidates by."),
            ("--negatives", "selection.negatives", "N", "Negatives kept per record."),
            ("--beta", "learner.beta", "BETA", "β of the loss."),
            ("--learning-rate", "learner.learning-rate", "RATE", "Learning rate after the warm-up."),
            ("--batch", "learner.batch", "N", "Records per update."),
            ("--passes", "ingest.passes", "N", "Passes over the files."),
            ("--shuffle", "ingest.shuffle", "all|N|none", "Order of each pass; N: through a buffer of N records."),
            ("--max-records", "ingest.max-records", "N", "Records after which the input ends; 0: no limit."),
            ("--evaluate-every", "metrics.evaluate-every", "N", "Records between evaluations on --eval; 0: before and after alone."),
            ("--max-staleness", "slots.max-staleness", "N", "Versions by which a selection may be older than the policy that it trains."),
            ("--selectors", "selection.selectors", "N", "Selectors, each on a thread of its own."),
            ("--threads", "runtime.threads", "N", "Threads inside one tensor operation."),
            ("--seed", "runtime.seed", "N", "Of everything that is drawn at random."));
        command.SetAction((parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var options = RunOptions.From(effective);
            if (options.EvaluateEvery > 0 && parsed.GetValue(evaluation) is null)
                throw new UsageException($"metrics.evaluate-every is {options.EvaluateEvery}, but there is nothing to evaluate on: give --eval FILE, or set it to 0");
            var request = new RunRequest(parsed.GetValue(policy)!, parsed.GetValue(output)!, parsed.GetValue(evaluation), EvaluationOptions.From(effective),
                parsed.GetValue(continueWithChanges), options) { Watch = WatchOptions.From(effective) };
            return RunAsync(request, parsed.GetValue(data)!, seams, cancellation);
        });
        return command;
    }

    private static async Task<int> RunAsync(RunRequest request, string[] data, RunSeams seams, CancellationToken stop)
    {
        var printer = new ProgressPrinter(request.Options.Progress, TimeProvider.System, Console.Error, rewrite: !Console.IsErrorRedirected);
        using var logging = LoggerFactory.Create(builder => builder.AddProvider(new ErrorLineLogger()));
        var job = new RunJob(request, logging.CreateLogger("massdpo"), seams.Files);
        RunResult result;
        try
        {
            using var links = seams.Links();
            result = await job.RunAsync(links, () => new FileSource(data, request.Options.Files), printer.Update, seams.Tap, stop);
        }
        finally
        {
            printer.End();
        }
        RunSummary.Print(result, request.Output);
        if (result.Outcome is { Stopped: false, Counts.Applied: 0 })
        {
            Output.ErrorLine($"error: nothing was trained: {(result.Outcome.Counts.Dead == 0
                ? "the data has no records"
                : $"all {result.Outcome.Counts.Dead} records went to {Path.Combine(request.Output, "dead-letters.jsonl")}, each with its reason")}");
            return ExitCode.Failed;
        }
        return ExitCode.Done;
    }
}
