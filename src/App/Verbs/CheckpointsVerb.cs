using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using MassDpo.App.Checkpoints;
using MassDpo.App.Evaluation;
using MassDpo.App.Terminal;
using MassDpo.Shared.Files;
using Spectre.Console;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo checkpoints</c>: what a run has committed, and what to do with it.</summary>
internal static class CheckpointsVerb
{
    public static Command Create() => new("checkpoints", "Lists the checkpoints of a run, promotes one to a policy directory, or takes the run back to one.")
    {
        List(), Promote(), RollBack(),
    };

    private static Command List()
    {
        var command = new Command("list", "The checkpoints of a run, newest first. Works beside a run that is going on.").WithDetails("""
            Example:
              massdpo checkpoints list out --check
            """);
        var run = Run(command);
        var check = new Option<bool>("--check") { Description = "Read every file against its hash. Without it the states alone are read." };
        var json = new Option<bool>("--json") { Description = "Print a JSON line for each." };
        command.Options.Add(check);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            var all = new RunCheckpoints(Existing(parsed.GetValue(run)!)).List(parsed.GetValue(check));
            if (parsed.GetValue(json))
                foreach (var checkpoint in all)
                    Output.Line(ToJson(checkpoint).ToJsonString());
            else if (all.Count == 0)
                Output.Line("No checkpoint yet.");
            else
                Print(all);
            return all.Any(checkpoint => checkpoint.Damage is not null) ? ExitCode.Failed : ExitCode.Done;
        });
        return command;
    }

    private static Command Promote()
    {
        var command = new Command("promote", "Writes a checkpoint as a policy directory that others can load; refused where it does not pass a gate.").WithDetails("""
            DIR is at any moment one whole policy: the one before, or this one. With --eval the checkpoint is measured, and so is what DIR holds now; every --gate must
            hold: METRIC>=NUMBER or METRIC<=NUMBER, or the word current for what DIR has now. Metrics are the fields of massdpo eval --json. Works beside a run that is
            going on; each promotion is a line in OUTPUT/promotions.jsonl. Of a run that trains an adapter that alone is written, as a PEFT directory; with --merge it is added
            to its base, and a whole checkpoint is written, in float32: what an adapter adds to a weight is often less than bfloat16 can tell from nothing.

            Examples:
              massdpo checkpoints promote out --to serving
              massdpo checkpoints promote out --checkpoint 1200 --to serving --eval test.jsonl.gz --gate "hr@1>=current" --gate "pl_loss<=1.5"
              massdpo checkpoints promote out --to whole --merge
            """);
        var run = Run(command);
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Its version or name; without it the newest.", HelpName = "VERSION|NAME" };
        var to = new Option<string>("--to") { Description = "Policy directory to write.", HelpName = "DIR", Required = true };
        var merge = new Option<bool>("--merge") { Description = "Add the adapter that the run trains to its base, and write the whole checkpoint." };
        var evaluation = DataOption.Evaluation("Records to measure on.");
        var gates = new Option<string[]>("--gate") { Description = "A condition on that measure; may be given several times.", HelpName = "METRIC>=NUMBER" };
        foreach (var option in new Option[] { checkpoint, to, merge, evaluation, gates })
            command.Options.Add(option);
        var settings = new SettingOptions(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var request = new PromotionRequest(Existing(parsed.GetValue(run)!), parsed.GetValue(checkpoint), parsed.GetValue(to)!, parsed.GetValue(evaluation),
                Gates(parsed.GetValue(gates) ?? []), EvaluationOptions.From(settings.Read(parsed))) { Merge = parsed.GetValue(merge) };
            if (request.Gates.Count > 0 && request.Evaluation is null)
                throw new UsageException("--gate needs something to measure on: give --eval FILE");
            var result = await Promotion.RunAsync(request, TimeProvider.System, cancellation);
            if (result.Evaluation is not null)
                RunSummary.PrintEvaluation(("now", result.Current), (result.Checkpoint.ToString(), result.Evaluation));
            foreach (var refusal in result.Refusals)
                Output.ErrorLine($"error: {result.Checkpoint} does not pass: {refusal}");
            if (result.Refusals.Count > 0)
                return ExitCode.Failed;
            Output.Line($"{result.Checkpoint}{(request.Merge ? ", merged into its base," : "")} is now the policy in {request.To}.");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command RollBack()
    {
        var command = new Command("rollback", "Takes a run back to an earlier checkpoint; what came after it is set aside, not deleted.").WithDetails("""
            The next massdpo run on OUTPUT goes on from there and reads the records after it again. To go on with other settings (a lower learning rate, say), give them
            with --continue-with-changes. The newer checkpoints, and what the logs had after this one, are kept in OUTPUT/rolled-back. The run must not be going on.

            Example:
              massdpo checkpoints rollback out 1200
            """);
        var run = Run(command);
        var checkpoint = new Argument<string>("CHECKPOINT") { Description = "Its version or name, as massdpo checkpoints list tells it." };
        command.Arguments.Add(checkpoint);
        command.SetAction(parsed =>
        {
            var output = Existing(parsed.GetValue(run)!);
            var result = Rollback.Run(output, parsed.GetValue(checkpoint)!, PhysicalFiles.Instance);
            Output.Line(result.Folder is null
                ? $"{result.To} is the newest checkpoint: nothing came after it but what the next start would have cut off anyway."
                : $"{output} stands at {result.To} again. What came after it ({result.SetAside.Count} {(result.SetAside.Count == 1 ? "checkpoint" : "checkpoints")} and the rest of the logs) is in {result.Folder}.");
            return ExitCode.Done;
        });
        return command;
    }

    private static Argument<string> Run(Command command)
    {
        var run = new Argument<string>("OUTPUT") { Description = "The output directory of a run." };
        command.Arguments.Add(run);
        return run;
    }

    private static string Existing(string run) => Directory.Exists(run) ? run : throw new UsageException($"{run} is no directory");

    private static List<Gate> Gates(IEnumerable<string> texts)
    {
        try
        {
            return [.. texts.Select(Gate.Parse)];
        }
        catch (FormatException e)
        {
            throw new UsageException(e.Message);
        }
    }

    private static JsonObject ToJson(ListedCheckpoint checkpoint) => new()
    {
        ["name"] = checkpoint.Name.ToString(),
        ["version"] = checkpoint.Name.Version,
        ["epoch"] = checkpoint.Name.Epoch,
        ["applied"] = checkpoint.State?.Counts.Applied,
        ["dead"] = checkpoint.State?.Counts.Dead,
        ["policy_hash"] = checkpoint.State?.PolicyHash,
        ["damage"] = checkpoint.Damage,
        ["evaluation"] = checkpoint.Evaluation?.DeepClone(),
    };

    private static void Print(IReadOnlyList<ListedCheckpoint> all)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("checkpoint");
        foreach (var column in new[] { "version", "epoch", "trained on", "dead", "HR@1" })
            table.AddColumn(new TableColumn(column).RightAligned());
        table.AddColumn("");
        foreach (var (name, state, damage, evaluation) in all)
        {
            var hitRate = evaluation?["hr@1"] is { } value ? RunSummary.Percent(value.GetValue<double>()) : "";
            table.AddRow(name.ToString(), Number(name.Version), Number(name.Epoch), Number(state?.Counts.Applied), Number(state?.Counts.Dead), hitRate, Markup.Escape(damage ?? ""));
        }
        Output.Out.Write(table);
    }

    private static string Number(long? value) => value?.ToString("N0", CultureInfo.InvariantCulture) ?? "";
}
