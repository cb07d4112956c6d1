using System.CommandLine;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using MassDpo.App.Verbs;
using MassDpo.App.Watching;
using MassDpo.Cluster.Nodes;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings.Hocon;
using Microsoft.Extensions.Logging;

namespace MassDpo.Cluster.Verbs;

/// <summary><c>massdpo cluster</c>: a node of a run on an Akka cluster.</summary>
internal static class ClusterVerb
{
    public static Command Create()
    {
        var command = new Command("cluster", "Takes part, as a node of an Akka cluster, in a run that several nodes do together.").WithDetails("""
            Every node has roles: learner (one of them trains, the oldest; the others stand by), selector, ingest (one reads --data, the oldest; all share a topic). The first
            seed node begins the cluster, the others join it. Settings lie over hocon/cluster.conf, whose block akka is Akka's own. See docs/cluster.md.

            Examples, three nodes on one machine:
              massdpo cluster --roles learner,ingest --port 4053 --data train.jsonl --policy start --output out
              massdpo cluster --roles selector --port 4054 --data train.jsonl --policy start
              massdpo cluster --roles selector --port 4055 --data train.jsonl --policy start
            """);
        var roles = new Option<string?>("--roles") { Description = "What this node does, with commas between; without it akka.cluster.roles.", HelpName = "learner,selector,ingest" };
        var data = DataOption.Data(required: false);
        data.Description = "Files of records, the same on all nodes: one node of role ingest reads them, the others know the run by them. Without it --bootstrap and --topic.";
        var policy = DataOption.Policy("Directory of the policy to start from, the same on all nodes; it is the reference too.");
        var output = DataOption.Output("Directory that the run writes, or goes on in; of a node of role learner.", required: false);
        var evaluation = DataOption.Evaluation("Records to measure the policy on before and after; of a node of role learner.");
        var host = new Option<string?>("--hostname") { Description = "Address that others reach this node at, and it listens at. [default: akka.remote.dot-netty.tcp.hostname]", HelpName = "HOST" };
        var port = new Option<int?>("--port") { Description = "The same of its port; 0: any that is free. [default: akka.remote.dot-netty.tcp.port]", HelpName = "N" };
        var seeds = new Option<string[]>("--join") { Description = "Nodes by which it joins; the first begins the cluster. [default: akka.cluster.seed-nodes]", HelpName = "HOST:PORT...", AllowMultipleArgumentsPerToken = true };
        var forceClaim = new Option<bool>("--force-claim") { Description = "Go on from before the newest checkpoint. What came after is lost." };
        var continueWithChanges = new Option<bool>("--continue-with-changes") { Description = "Go on in OUTPUT though settings, data or policy differ; the report says so." };
        foreach (var option in new Option[] { roles, data, policy, output, evaluation, host, port, seeds, continueWithChanges, forceClaim })
            command.Options.Add(option);
        var settings = new SettingOptions(command, Settings(), RunVerb.Flags);
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var cluster = ClusterOptions.From(effective);
            var akka = NodeConfig.Of(effective, cluster.Name, RolesIn(parsed.GetValue(roles)), parsed.GetValue(host), parsed.GetValue(port), parsed.GetValue(seeds) ?? []);
            var run = new RunRequest(parsed.GetValue(policy)!, parsed.GetValue(output) ?? "", parsed.GetValue(evaluation), EvaluationOptions.From(effective), parsed.GetValue(continueWithChanges), RunOptions.From(effective))
            {
                ForceClaim = parsed.GetValue(forceClaim),
            };
            var request = new NodeRequest(NodeConfig.RolesOf(akka), run, parsed.GetValue(data) ?? [], KafkaRunOptions.From(effective), cluster, akka, WatchOptions.From(effective));
            Check(request);
            return await RunAsync(request, cancellation);
        });
        return command;
    }

    /// <summary>What lies below the settings that a node is given.</summary>
    internal static HoconDocument Settings() => SettingOptions.Recipe("cluster.conf", typeof(ClusterVerb).Assembly);

    private static async Task<int> RunAsync(NodeRequest request, CancellationToken stop)
    {
        var printer = new ProgressPrinter(request.Run.Options.Progress, TimeProvider.System, Console.Error, rewrite: !Console.IsErrorRedirected);
        using var logging = LoggerFactory.Create(builder => builder.AddProvider(new ErrorLineLogger()));
        NodeOutcome outcome;
        try
        {
            outcome = await new ClusterJob(request, logging.CreateLogger("massdpo")).RunAsync(new NodeEars(printer.Update, _ => { }, Output.ErrorLine), stop);
        }
        finally
        {
            printer.End();
        }
        if (outcome.Result is { } result)
            RunSummary.Print(result, request.Run.Output);
        else
            Output.Line(outcome.InputEnded ? "Done: the input has ended." : "Stopped as asked; the other nodes go on.");
        return ExitCode.Done;
    }

    private static Roles RolesIn(string? text)
    {
        var roles = (Roles)0;
        foreach (var name in text?.Split(',', StringSplitOptions.TrimEntries) ?? [])
            roles |= NodeConfig.Role(name) ?? throw new UsageException($"--roles {text}: write learner, selector or ingest, with commas between");
        return roles;
    }

    /// <exception cref="UsageException">something is missing</exception>
    private static void Check(NodeRequest request)
    {
        if (request.Roles == 0)
            throw new UsageException("this node has no role: give --roles learner,selector,ingest, or some of them, or set akka.cluster.roles");
        if (request.Data.Count == 0 && !request.Kafka.IsSet)
            throw new UsageException("Option '--data' is required, the same on all nodes, or --bootstrap with the topic of the records");
        if (request.Roles.HasFlag(Roles.Learner) && request.Run.Output.Length == 0)
            throw new UsageException("Option '--output' is required for a node of role learner");
        if (!request.Roles.HasFlag(Roles.Learner) && (request.Run.Output.Length > 0 || request.Run.Evaluation is not null))
            throw new UsageException("--output, --eval: a node without the role learner has no use for them");
        if (request.Run.Options.EvaluateEvery > 0 && request.Run.Evaluation is null && request.Roles.HasFlag(Roles.Learner))
            throw new UsageException($"metrics.evaluate-every is {request.Run.Options.EvaluateEvery}, but there is nothing to evaluate on: give --eval FILE, or set it to 0");
    }
}
