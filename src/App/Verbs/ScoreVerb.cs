using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using static TorchSharp.torch;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo score</c>: log-probabilities for use elsewhere.</summary>
internal static class ScoreVerb
{
    public static Command Create()
    {
        var command = new Command("score", "Prints the log-probabilities of all candidates, to use the result elsewhere.").WithDetails("""
            One JSON line a record: {"id", "candidates", "logps", "tokens"}, the chosen candidate first; log π(y|x) in nats, summed over the response's tokens. A
            record that cannot be scored is told of on standard error.

            Example:
              massdpo score --policy out/policy --data test.jsonl.gz > scores.jsonl
            """);
        var (data, policy) = (DataOption.Data(), DataOption.Policy("Directory of the policy."));
        command.Options.Add(data);
        command.Options.Add(policy);
        var settings = new SettingOptions(command,
            ("--compute-type", PlacementSettings.ComputeTypeKey, "float32|bfloat16", "Type of weights and activations."),
            ("--device", PlacementSettings.DeviceKey, "cpu|cuda|cuda:N", "Where the policy is computed."),
            ("--threads", "runtime.threads", "N", "Threads inside one tensor operation."));
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var options = EvaluationOptions.From(effective);
            set_num_threads(effective.Integer("runtime.threads", 1, 1024));
            using var loaded = LoadedPolicy.Load(parsed.GetValue(policy)!, options.Policy);
            var records = await EvaluationData.LoadAsync(parsed.GetValue(data)!, loaded.Encoder, options, cancellation);
            foreach (var dead in records.Skipped)
                Output.ErrorLine($"{dead.Origin.File}, line {dead.Origin.Line}: {dead.Reason}");
            Print(loaded, records, options, cancellation);
            return records.Pools.Count > 0 ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static void Print(LoadedPolicy policy, EvaluationData records, EvaluationOptions options, CancellationToken cancellation)
    {
        using var stream = Console.OpenStandardOutput();
        using var buffered = new BufferedStream(stream, 1 << 16);
        var format = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        foreach (var (pool, logps) in records.Pools.Zip(Evaluator.Score(policy.Scorer, policy.Weights, records.Pools, options.Batch, cancellation)))
        {
            using (var json = new Utf8JsonWriter(buffered, format))
            {
                json.WriteStartObject();
                json.WriteString("id", pool.Id);
                json.WriteStartArray("candidates");
                foreach (var candidate in pool.Record.Candidates)
                    json.WriteStringValue(candidate);
                json.WriteEndArray();
                json.WriteStartArray("logps");
                foreach (var logp in logps)
                    json.WriteNumberValue(logp);
                json.WriteEndArray();
                json.WriteStartArray("tokens");
                foreach (var response in pool.Tokens.Responses)
                    json.WriteNumberValue(response.Length);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            buffered.Write("\n"u8);
        }
    }
}
