using System.Reflection;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Telemetry;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary><c>report.json</c>: what a run did, with what.</summary>
internal static class RunReport
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonObject Of(RunOptions options, LearnerOutcome outcome, EvaluationResult? before, EvaluationResult? after, ReferenceCacheUse? references)
    {
        var (counts, start) = (outcome.Counts, outcome.CountsAtStart);
        var seconds = counts.Seconds - start.Seconds;
        return new JsonObject
        {
            ["v"] = 1,
            ["stopped"] = outcome.Stopped,
            ["before"] = before?.ToJson(),
            ["after"] = after?.ToJson(),
            ["counts"] = new JsonObject
            {
                ["read"] = counts.Read,
                ["applied"] = counts.Applied,
                ["dead"] = counts.Dead,
                ["duplicates"] = counts.Duplicates,
                ["unknown"] = counts.Unknown,
                ["truncated"] = counts.Truncated,
                ["cut_tokens"] = counts.CutTokens,
            },
            ["updates"] = outcome.Version,
            ["policy_hash"] = outcome.PolicyHash,
            ["seconds"] = Math.Round(counts.Seconds, 3),
            ["records_per_s"] = seconds > 0 ? Math.Round((counts.Applied - start.Applied) / seconds, 1) : 0,
            ["lag"] = new JsonObject { ["p50"] = Quantile(outcome.Lags, 0.5), ["p95"] = Quantile(outcome.Lags, 0.95), ["max"] = Quantile(outcome.Lags, 1) },
            ["notes"] = new JsonArray([.. options.Warnings.Concat(outcome.Notes).Select(note => (JsonNode)note)]),
            ["settings"] = Settings(options.Settings),
            ["build"] = Build,
            ["device"] = options.Policy.Placement.Device.ToString(),
            ["threads"] = options.Threads,
            ["reference_cache"] = references is null
                ? null
                : new JsonObject
                {
                    ["from_memory"] = references.FromMemory,
                    ["from_disk"] = references.FromDisk,
                    ["computed"] = references.Computed,
                    ["memory_bytes"] = references.MemoryBytes,
                    ["disk_bytes"] = references.DiskBytes,
                    ["damaged"] = references.Damaged,
                },
        };
    }

    public static JsonObject Settings(IReadOnlyDictionary<string, string> settings) =>
        new(settings.OrderBy(setting => setting.Key, StringComparer.Ordinal).Select(setting => KeyValuePair.Create(setting.Key, (JsonNode?)setting.Value)));

    public static string Text(JsonObject json) => json.ToJsonString(Readable) + "\n";

    /// <summary>Writes a file of a run's directory so that it is always whole: this one or the one before.</summary>
    public static void Write(RunDirectory directory, string path, JsonObject json)
    {
        var aside = path + ".writing";
        using (var stream = directory.Files.Create(aside))
        {
            stream.Write(Encoding.UTF8.GetBytes(Text(json)));
            directory.Files.Sync(stream);
        }
        directory.Files.Rename(aside, path);
        directory.Files.SyncFolder(directory.Root);
    }

    /// <summary>Version of the program and of libtorch.</summary>
    public static string Build =>
        $"massdpo {typeof(RunReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}, libtorch {__version__}";

    // The smallest lag that at least this share of the records does not exceed.
    private static long Quantile(IReadOnlyDictionary<long, long> lags, double share)
    {
        var (needed, seen) = (share * lags.Values.Sum(), 0L);
        foreach (var (lag, records) in lags.OrderBy(entry => entry.Key))
            if ((seen += records) >= needed)
                return lag;
        return 0;
    }
}
