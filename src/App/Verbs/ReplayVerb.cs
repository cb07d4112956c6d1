using System.CommandLine;
using System.Globalization;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using MassDpo.Policy;
using MassDpo.Policy.Model;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo replay</c>: the weights again, from the logs.</summary>
internal static class ReplayVerb
{
    public static Command Create()
    {
        var command = new Command("replay", "Rebuilds the policy of a run from its logs and records, and checks that all agree.").WithDetails("""
            Every event's hash, every loss, and the policy that each selection was made with are compared on the way. On the same build, device and threads the
            weights are the same, bit for bit. Settings are those of the run; --config and --set lie over them, and what would change the result is refused.

            Example:
              massdpo replay out --output out-again
            """);
        var run = new Argument<string>("OUTPUT") { Description = "The output directory of a run." };
        var output = DataOption.Output("Directory to write the rebuilt policy to.");
        command.Arguments.Add(run);
        command.Options.Add(output);
        var settings = new SettingOptions(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var (from, to) = (parsed.GetValue(run)!, parsed.GetValue(output)!);
            if (!Directory.Exists(from))
                throw new UsageException($"{from} is no directory");
            var computed = Placement.Default;
            var result = await ReplayJob.RunAsync(from, to, of =>
            {
                var effective = settings.ReadOver(of, parsed);
                computed = computed with { Type = PlacementSettings.From(effective).Type };
                return effective;
            }, note => Output.ErrorLine($"note: {note}"), _ => { }, cancellation);
            Output.Line(string.Create(CultureInfo.InvariantCulture, $"Replayed {result.Updates:N0} updates on {result.Records:N0} records; events, losses and policy hashes agree."));
            var original = Path.Combine(from, "policy");
            if (!Directory.Exists(original))
            {
                Output.Line($"The policy is in {to}; {from} has none to compare it with.");
                return ExitCode.Done;
            }
            var origin = PolicyOrigin.Of(original);
            // What was trained is held and hashed in float32; an adapter's hash is that of its base too, in the type that was computed in.
            using var weights = origin.LoadWeights(PolicyDirectory.LoadConfig(origin.Base), origin.Adapter is null ? Placement.Default : computed);
            var same = weights.ComputeHash() == result.PolicyHash;
            Output.Line($"The policy is in {to}, {(same ? "bit for bit the one" : "NOT the one")} in {original}.");
            return same ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }
}
