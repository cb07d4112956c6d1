using System.CommandLine;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using static TorchSharp.torch;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo eval</c>: measures a policy.</summary>
internal static class EvalVerb
{
    public static Command Create()
    {
        var command = new Command("eval", "Measures how a policy ranks the chosen response of each record among all its candidates.").WithDetails("""
            Ties count against the policy.

            Examples:
              massdpo eval --policy out/policy --data test.jsonl.gz
              massdpo eval --policy out/policy --reference start --data test.jsonl.gz --json
            """);
        var (data, policy) = (DataOption.Data(), DataOption.Policy("Directory of the policy."));
        var reference = new Option<string?>("--reference") { Description = "Directory of the reference policy: adds reward accuracy and the Plackett–Luce loss.", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of a table." };
        foreach (var option in new Option[] { data, policy, reference, json })
            command.Options.Add(option);
        var settings = new SettingOptions(command,
            ("--beta", "eval.beta", "BETA", "β of the loss."),
            ("--compute-type", PlacementSettings.ComputeTypeKey, "float32|bfloat16", "Type of weights and activations."),
            ("--device", PlacementSettings.DeviceKey, "cpu|cuda|cuda:N", "Where the policy is computed."),
            ("--threads", "runtime.threads", "N", "Threads inside one tensor operation."));
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var options = EvaluationOptions.From(effective);
            set_num_threads(effective.Integer("runtime.threads", 1, 1024));
            var result = await MeasureAsync(parsed.GetValue(policy)!, parsed.GetValue(reference), parsed.GetValue(data)!, options, cancellation);
            if (parsed.GetValue(json))
                Output.Line(result.ToJson().ToJsonString());
            else
                RunSummary.PrintEvaluation((Path.GetFileName(Path.GetFullPath(parsed.GetValue(policy)!)), result));
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<EvaluationResult> MeasureAsync(string policyDirectory, string? referenceDirectory, string[] files, EvaluationOptions options, CancellationToken cancellation)
    {
        using var policy = LoadedPolicy.Load(policyDirectory, options.Policy);
        var data = await EvaluationData.LoadAsync(files, policy.Encoder, options, cancellation);
        if (data.Pools.Count == 0)
            throw new InvalidDataException(data.Skipped.Count == 0 ? "the data has no records" : $"no record can be measured; {Where(data)}: {data.Skipped[0].Reason}");
        IReadOnlyList<float[]>? under = null;
        if (referenceDirectory is not null)
        {
            // lora.adapter stands on the policy alone.
            using var reference = LoadedPolicy.Load(referenceDirectory, options.Policy with { Lora = null });
            var same = await EvaluationData.LoadAsync(files, reference.Encoder, options, cancellation);
            if (!same.HasSameCandidatesAs(data))
                throw new InvalidDataException($"{referenceDirectory} and {policyDirectory} cannot both score the same candidates: their vocabularies differ");
            under = [.. Evaluator.Score(reference.Scorer, reference.Weights, same.Pools, options.Batch, cancellation)];
        }
        return Evaluator.Measure(policy, policy.Weights, data, under, options, cancellation);

        static string Where(EvaluationData data) => $"{data.Skipped[0].Origin.File}, line {data.Skipped[0].Origin.Line}";
    }
}
