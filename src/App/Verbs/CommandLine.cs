using System.CommandLine;
using MassDpo.App.Running;
using MassDpo.App.Terminal;

namespace MassDpo.App.Verbs;

/// <summary>The program's command line: its verbs, and what becomes of a call that cannot be understood.</summary>
internal static class CommandLine
{
    // These go on for as long as they are left to.
    private static readonly string[] EndWhenStopped = ["run", "cluster", "broker", "produce", "tail"];

    /// <summary>The verbs of this program, and those of another that has more.</summary>
    public static RootCommand Create(RunSeams? seams = null, params Command[] more)
    {
        var root = new RootCommand("Continuous preference learning: a stream of preferences in, a better policy and the record of every choice out.")
        {
            DemoVerb.Create(), SftVerb.Create(), RunVerb.Create(seams ?? RunSeams.None), EvalVerb.Create(), CompareVerb.Create(), ScoreVerb.Create(), GenerateVerb.Create(),
            ReplayVerb.Create(), CheckpointsVerb.Create(), ValidateVerb.Create(),
            BrokerVerb.Create(), ProduceVerb.Create(), TailVerb.Create(), RedriveVerb.Create(),
        };
        foreach (var verb in more)
            root.Subcommands.Add(verb);
        root.WithDetails("""
            Start with:
              massdpo demo                 a simulated stream, from nothing to a report
              massdpo sft --help           a small policy from your own data
              massdpo run --help           the main job
              massdpo cluster --help       the same on several nodes, in an Akka cluster (docs/cluster.md)

            Exit codes: 0 done, or, for run, cluster, broker, produce and tail, stopped as asked; 1 failed; 2 bad usage or settings; 130 and 143 any other verb, stopped by
            Ctrl-C or SIGTERM before it was done.
            """);
        Help.Extend(root);
        return root;
    }

    /// <summary>Runs one call, of this program's verbs or <paramref name="more"/>, and gives its exit code.</summary>
    public static async Task<int> RunAsync(string[] args, RunSeams? seams = null, params Command[] more)
    {
        var root = Create(seams, more);
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                Output.ErrorLine($"error: {error.Message}");
            Output.ErrorLine($"See {PathOf(parsed.CommandResult.Command)} --help");
            return ExitCode.Usage;
        }
        return await Failures.Guard(cancellation =>
            parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, cancellation),
            EndWhenStopped.Contains(parsed.CommandResult.Command.Name));

        static string PathOf(Command command) => command.Parents.OfType<Command>().FirstOrDefault() is { } above ? $"{PathOf(above)} {command.Name}" : "massdpo";
    }
}
