using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Shared.Contracts;

namespace MassDpo.Learner.Checkpoints;

/// <summary>Counts of a run so far, over all its starts.</summary>
/// <param name="Applied">records trained on</param>
/// <param name="Dead">records in dead letters</param>
/// <param name="Duplicates">candidates dropped because they equal another one</param>
/// <param name="Unknown">candidates and history items dropped because the vocabulary lacks them</param>
/// <param name="Seconds">that updates were going on</param>
public sealed record RunCounts(long Applied, long Dead, long Duplicates, long Unknown, double Seconds)
{
    /// <summary>Records of which truncation took something.</summary>
    public long Truncated { get; init; }

    /// <summary>Tokens that it took, of prompts and of all candidates.</summary>
    public long CutTokens { get; init; }

    /// <summary>Positions settled.</summary>
    public long Read => Applied + Dead;
}

/// <summary>All that a checkpoint holds besides tensors.</summary>
/// <param name="Version">batches closed</param>
/// <param name="Epoch">that wrote it</param>
/// <param name="OptimizerSteps">updates that changed something</param>
/// <param name="Settled">positions applied or dead</param>
/// <param name="Logs">how long each log is, by file name</param>
/// <param name="Counts">over all starts of the run</param>
/// <param name="Lags">records by how many versions old their selection was</param>
/// <param name="Identity">what the run must go on with</param>
/// <param name="PolicyHash">of the weights</param>
public sealed record CheckpointState(long Version, long Epoch, long OptimizerSteps, SettledPositions Settled, IReadOnlyDictionary<string, LogMark> Logs,
    RunCounts Counts, IReadOnlyDictionary<long, long> Lags, RunIdentity Identity, string PolicyHash)
{
    private const int Form = 1;

    public JsonObject ToJson() => new()
    {
        ["v"] = Form,
        ["version"] = Version,
        ["epoch"] = Epoch,
        ["optimizer_steps"] = OptimizerSteps,
        ["policy_hash"] = PolicyHash,
        ["settled"] = Settled.ToJson(),
        ["logs"] = new JsonObject(Logs.Select(log =>
            KeyValuePair.Create(log.Key, (JsonNode?)new JsonObject { ["length"] = log.Value.Length, ["hash"] = log.Value.Hash }))),
        ["counts"] = new JsonObject
        {
            ["applied"] = Counts.Applied,
            ["dead"] = Counts.Dead,
            ["duplicates"] = Counts.Duplicates,
            ["unknown"] = Counts.Unknown,
            ["seconds"] = Counts.Seconds,
            ["truncated"] = Counts.Truncated,
            ["cut_tokens"] = Counts.CutTokens,
        },
        ["lags"] = new JsonObject(Lags.Select(lag => KeyValuePair.Create(lag.Key.ToString(), (JsonNode?)lag.Value))),
        ["identity"] = new JsonObject(Identity.Values.Select(value => KeyValuePair.Create(value.Key, (JsonNode?)value.Value))),
    };

    /// <summary>Reads what <see cref="ToJson"/> writes.</summary>
    /// <exception cref="InvalidDataException">it is no state, or of a newer form</exception>
    public static CheckpointState FromJson(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var json = JsonNode.Parse(utf8)!.AsObject();
            if (json["v"]!.GetValue<int>() != Form)
                throw new InvalidDataException($"the checkpoint has form {json["v"]}, this build reads form {Form}");
            var counts = json["counts"]!;
            var seconds = counts["seconds"]!.GetValue<double>();
            if (!double.IsFinite(seconds))
                throw new FormatException($"{seconds} seconds");
            return new CheckpointState(
                Count(json["version"]),
                Count(json["epoch"]),
                Count(json["optimizer_steps"]),
                SettledPositions.FromJson(json["settled"]!.AsObject()),
                json["logs"]!.AsObject().ToDictionary(log => log.Key, log => new LogMark(Count(log.Value!["length"]), log.Value["hash"]!.GetValue<string>())),
                new RunCounts(Count(counts["applied"]), Count(counts["dead"]), Count(counts["duplicates"]), Count(counts["unknown"]), seconds)
                {
                    // Not in those of older builds, which cut nothing.
                    Truncated = counts["truncated"] is { } truncated ? Count(truncated) : 0,
                    CutTokens = counts["cut_tokens"] is { } cut ? Count(cut) : 0,
                },
                json["lags"]!.AsObject().ToDictionary(lag => long.Parse(lag.Key, NumberStyles.None, CultureInfo.InvariantCulture), lag => Count(lag.Value)),
                new RunIdentity(json["identity"]!.AsObject().ToDictionary(value => value.Key, value => value.Value!.GetValue<string>(), StringComparer.Ordinal)),
                json["policy_hash"]!.GetValue<string>());
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or FormatException or OverflowException or ArgumentException)
        {
            throw new InvalidDataException($"the checkpoint's state is malformed: {e.Message}", e);
        }

        static long Count(JsonNode? node) => node!.GetValue<long>() is >= 0 and var count ? count : throw new FormatException($"{node.GetPath()} is negative");
    }
}
