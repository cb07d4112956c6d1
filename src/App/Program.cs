using System.CommandLine;
using MassDpo.App.Terminal;
using MassDpo.App.Verbs;

var root = new RootCommand("Continuous preference learning: a stream of preferences in, a better policy and the record of every choice out.")
{
    DemoVerb.Create(), SftVerb.Create(), RunVerb.Create(), EvalVerb.Create(), ScoreVerb.Create(), ReplayVerb.Create(), ValidateVerb.Create(),
};
root.WithDetails("""
    Start with:
      massdpo demo                 a simulated stream, from nothing to a report
      massdpo sft --help           a small policy from your own data
      massdpo run --help           the main job
    """);
Help.Extend(root);

var parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        Output.ErrorLine($"error: {error.Message}");
    Output.ErrorLine(parsed.CommandResult.Command == root ? "See massdpo --help" : $"See massdpo {parsed.CommandResult.Command.Name} --help");
    return ExitCode.Usage;
}
return await Failures.Guard(cancellation =>
    parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, cancellation));
