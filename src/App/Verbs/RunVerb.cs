using System.CommandLine;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using MassDpo.App.Watching;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo run</c>: the main job.</summary>
internal static class RunVerb
{
    /// <summary>Flags of a run's settings.</summary>
    public static (string Flag, string Key, string Value, string Description)[] Flags { get; } =
    [
        ("--selector", "selection.method", "mass|exact|random|hardest|all", "How negatives are chosen."),
        ("--features", "selection.features", "output|head|hidden|lora", "What mass and exact compare candidates by."),
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
        KafkaOption.Bootstrap,
        ("--topic", "kafka.topics.input", "NAME", "Topic of the records."),
        ("--from", "kafka.from", "earliest|latest|committed|TIME", "Where a run begins in a topic; one that goes on, goes on where it was."),
        ("--compute-type", PlacementSettings.ComputeTypeKey, "float32|bfloat16", "Type of weights and activations."),
        ("--device", PlacementSettings.DeviceKey, "cpu|cuda|cuda:N", "Where the policy is computed."),
        ("--threads", "runtime.threads", "N", "Threads inside one tensor operation."),
        ("--seed", "runtime.seed", "N", "Of everything that is drawn at random."),
    ];

    public static Command Create(RunSeams seams)
    {
        var command = new Command("run", "Trains a policy on a stream of preferences and keeps the record of every choice.").WithDetails("""
            OUTPUT gets policy/ (the result, in Hugging Face layout), checkpoints/, selections.jsonl (why which negatives were kept), updates.jsonl (what was
            trained on, in order), metrics.jsonl, evaluations.jsonl, dead-letters.jsonl and report.json. Run again with the same OUTPUT, it goes on where it was.
            Records come from --data, or from a topic where --bootstrap names a Kafka cluster. There the roles can be processes of their own, on as many machines as
            needed: one learner (--policy, --output), any number of selectors (--policy), and ingest, which brings --data to the topic. See docs/operations.md.

            Examples:
              massdpo run --data train.jsonl.gz --policy start --output out --config hocon/lastfm.conf --passes 2 --eval test.jsonl.gz
              massdpo run --data monday.jsonl tuesday.jsonl --policy start --output out --selector random --negatives 5 --max-staleness 2 --selectors 2
              massdpo run --roles learner --bootstrap localhost:9092 --topic preferences --policy start --output out
              massdpo run --roles selector --bootstrap localhost:9092 --topic preferences --policy start
            """);
        var data = DataOption.Data(required: false);
        var policy = DataOption.Policy("Directory of the policy to start from; it is the reference too.", required: false);
        var output = DataOption.Output("Directory that the run writes, or goes on in.", required: false);
        var evaluation = DataOption.Evaluation("Records to measure the policy on before and after. It only measures: it never chooses what is kept.");
        var roles = new Option<string?>("--roles") { Description = "What this process does, where several are joined over Kafka; without it all but ingest.", HelpName = "learner|selector|ingest" };
        var forceClaim = new Option<bool>("--force-claim") { Description = "Over Kafka: take the run over from another learner, or go on from before its newest checkpoint. What came after is lost." };
        var continueWithChanges = new Option<bool>("--continue-with-changes") { Description = "Go on in OUTPUT though settings, data or policy differ; the report says so." };
        foreach (var option in new Option[] { data, policy, output, evaluation, roles, continueWithChanges, forceClaim })
            command.Options.Add(option);
        var settings = new SettingOptions(command, Flags);
        command.SetAction((parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var given = new Given(parsed.GetValue(data) ?? [], parsed.GetValue(policy), parsed.GetValue(output), parsed.GetValue(evaluation));
            var role = Role(parsed.GetValue(roles));
            var kafka = KafkaRunOptions.From(effective);
            given.Check(role, kafka);
            var options = RunOptions.From(effective);
            if (options.EvaluateEvery > 0 && given.Evaluation is null && role.HasFlag(Roles.Learner))
                throw new UsageException($"metrics.evaluate-every is {options.EvaluateEvery}, but there is nothing to evaluate on: give --eval FILE, or set it to 0");
            var watch = WatchOptions.From(effective);
            return role switch
            {
                Roles.Ingest => FeedAsync(given.Data, kafka, options, seams, cancellation),
                Roles.Selector => SelectAsync(given.Policy!, kafka, options, watch, seams, cancellation),
                _ => LearnAsync(new RunRequest(given.Policy!, given.Output!, given.Evaluation, EvaluationOptions.From(effective), parsed.GetValue(continueWithChanges), options)
                {
                    Watch = watch,
                    ForceClaim = parsed.GetValue(forceClaim),
                }, role, given.Data, kafka, seams, cancellation),
            };
        });
        return command;
    }

    private static async Task<int> LearnAsync(RunRequest request, Roles roles, string[] data, KafkaRunOptions kafka, RunSeams seams, CancellationToken stop)
    {
        var printer = new ProgressPrinter(request.Options.Progress, TimeProvider.System, Console.Error, rewrite: !Console.IsErrorRedirected);
        using var logging = LoggerFactory.Create(builder => builder.AddProvider(new ErrorLineLogger()));
        var logger = logging.CreateLogger("massdpo");
        var job = new RunJob(request, logger, seams.Files);
        RunResult result;
        try
        {
            using var links = seams.Links(PipelineLinks.Local());
            result = await job.RunAsync(async policy => data.Length > 0
                ? RunWiring.Embedded(links, new FileSource(data, request.Options.Files))
                : Over(seams, await KafkaWiring.OpenAsync(kafka, roles, policy, logger, stop)), printer.Update, seams.Tap, stop);
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

    private static async Task<int> SelectAsync(string policy, KafkaRunOptions kafka, RunOptions options, WatchOptions watch, RunSeams seams, CancellationToken stop)
    {
        using var logging = LoggerFactory.Create(builder => builder.AddProvider(new ErrorLineLogger()));
        var logger = logging.CreateLogger("massdpo");
        var job = new SelectorJob(policy, options, watch, logger);
        var end = await job.RunAsync(async loaded => Over(seams, await KafkaWiring.OpenAsync(kafka, Roles.Selector, loaded, logger, stop)), Output.ErrorLine, stop);
        Output.Line(end == MemberEnd.InputEnded ? "Done: the input has ended." : "Stopped as asked; others go on with this process's part of the input.");
        return ExitCode.Done;
    }

    private static async Task<int> FeedAsync(string[] data, KafkaRunOptions kafka, RunOptions options, RunSeams seams, CancellationToken stop)
    {
        using var logging = LoggerFactory.Create(builder => builder.AddProvider(new ErrorLineLogger()));
        await KafkaWiring.EnsureTopicsAsync(kafka, Roles.Ingest, logging.CreateLogger("massdpo"), stop);
        await using var source = seams.Source(new FileSource(data, options.Files));
        var fed = await KafkaWiring.FeedAsync(kafka, source, $"{options.Files.Order} {options.Files.Seed}", stop);
        Output.Line(fed);
        return ExitCode.Done;
    }

    private static RunWiring Over(RunSeams seams, RunWiring wiring) => wiring with { Links = seams.Links(wiring.Links) };

    // Without roles a process holds all: selectors and the learner.
    private static Roles Role(string? text) => text switch
    {
        null => Roles.Learner | Roles.Selector,
        "learner" => Roles.Learner,
        "selector" => Roles.Selector,
        "ingest" => Roles.Ingest,
        _ => throw new UsageException($"--roles {text}: write learner, selector or ingest; without --roles one process is both learner and selector"),
    };

    /// <summary>What a call gives, which differs by role.</summary>
    private sealed record Given(string[] Data, string? Policy, string? Output, string? Evaluation)
    {
        /// <exception cref="UsageException">something is missing, or given to a role that has no use for it</exception>
        public void Check(Roles role, KafkaRunOptions kafka)
        {
            var isWhole = role == (Roles.Learner | Roles.Selector);
            if (!isWhole && !kafka.IsSet)
                throw new UsageException("--roles: processes are joined over Kafka: set kafka.bootstrap, or give --bootstrap host:port");
            if (isWhole && Data.Length == 0 && !kafka.IsSet)
                throw new UsageException("Option '--data' is required, or --bootstrap with the topic of the records");
            Need("--data", Data.Length > 0, role == Roles.Ingest, mayHave: isWhole || role == Roles.Ingest, role);
            Need("--policy", Policy is not null, role != Roles.Ingest, mayHave: role != Roles.Ingest, role);
            Need("--output", Output is not null, role.HasFlag(Roles.Learner), mayHave: role.HasFlag(Roles.Learner), role);
            Need("--eval", Evaluation is not null, mustHave: false, mayHave: role.HasFlag(Roles.Learner), role);
        }

        private static void Need(string option, bool isGiven, bool mustHave, bool mayHave, Roles role)
        {
            if (mustHave && !isGiven)
                throw new UsageException($"Option '{option}' is required");
            if (isGiven && !mayHave)
                throw new UsageException($"{option}: a process with --roles {role.ToString().ToLowerInvariant()} has no use for it");
        }
    }
}
