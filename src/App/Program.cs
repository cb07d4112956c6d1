using System.CommandLine;
using MassDpo.App.Terminal;
using MassDpo.App.Verbs;

var root = new RootCommand("""
    MassDpo.Actors: continuous preference learning. Records (a prompt, a preferred response, a pool of rejected ones) stream in; selectors keep the few
    negatives that carry the information; a learner turns them into multi-negative DPO updates; every choice is on record.

    Start with:
      massdpo demo                 a simulated stream, from nothing to a report
      massdpo sft --help           a small policy from your own data
      massdpo run --help           the main job
    """)
{
    DemoVerb.Create(), SftVerb.Create(), RunVerb.Create(), EvalVerb.Create(), ScoreVerb.Create(), ReplayVerb.Create(), ValidateVerb.Create(),
};

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors)
        Output.ErrorLine($"error: {error.Message}");
    Output.ErrorLine($"See massdpo {string.Join(' ', parsed.CommandResult.Command.Parents.Any() ? [parsed.CommandResult.Command.Name] : Array.Empty<string>())} --help");
    return ExitCode.Usage;
}
return await Failures.Guard(cancellation => parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, cancellation));
