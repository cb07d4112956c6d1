using System.Text.Json;

namespace MassDpo.Shared.Contracts;

/// <summary>
/// A <see cref="SelectionEvent"/> as <c>selections.jsonl</c> holds it. Its hash covers the line up to and without <c>,"epoch":</c>: what follows there
/// (epoch, which selector, timing) may differ between two runs of the same stream.
/// </summary>
/// <param name="Bytes">the line with its line feed</param>
/// <param name="Hash">see <see cref="ContentHash"/></param>
public readonly record struct EventLine(ReadOnlyMemory<byte> Bytes, string Hash)
{
    private static ReadOnlySpan<byte> HashedUpTo => ",\"epoch\":"u8;

    public static EventLine Of(SelectionEvent e)
    {
        var line = LogLine.Begin();
        var json = line.Json;
        json.WriteString("id"u8, e.Id);
        json.WriteString("position"u8, e.Position.ToString());
        json.WriteNumber("slot"u8, e.Slot);
        json.WriteNumber("version"u8, e.Version);
        json.WriteString("policy_hash"u8, e.PolicyHash);
        json.WriteString("reference_hash"u8, e.ReferenceHash);
        json.WriteString("method"u8, e.Method);
        json.WriteNumber("k"u8, e.K);
        json.WriteNumber("beta"u8, e.Beta);
        line.Number("rho"u8, e.Rho);
        line.Number("gamma"u8, e.Gamma);
        json.WriteString("features"u8, e.Features);
        json.WriteStartArray("candidates"u8);
        foreach (var candidate in e.Candidates)
        {
            json.WriteStartObject();
            json.WriteString("hash"u8, candidate.Hash);
            line.Number("logp"u8, candidate.Logp);
            line.Number("logp_ref"u8, candidate.LogpRef);
            line.Number("z"u8, candidate.Z);
            line.Number("p"u8, candidate.P);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("picks"u8);
        foreach (var pick in e.Picks)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, pick.Index);
            line.Number("gain"u8, pick.Gain);
            line.Number("runner_up"u8, pick.RunnerUp);
            line.Number("runner_up_gain"u8, pick.RunnerUpGain);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        line.Number("information"u8, e.Information);
        line.Number("bound"u8, e.Bound);
        line.Number("effective_rank"u8, e.EffectiveRank);
        line.Number("rank"u8, e.Rank);
        json.WriteNumber("lag"u8, e.Lag);
        if (e.Meta is not null)
        {
            json.WritePropertyName("meta"u8);
            json.WriteRawValue(e.Meta);
        }
        var hashed = line.Length;
        json.WriteNumber("epoch"u8, e.Epoch);
        json.WriteString("selector"u8, e.Selector);
        json.WriteStartObject("timing"u8);
        line.Number("score_us"u8, Tenths(e.Timing.ScoreMicroseconds));
        line.Number("reference_us"u8, Tenths(e.Timing.ReferenceMicroseconds));
        line.Number("select_us"u8, Tenths(e.Timing.SelectMicroseconds));
        json.WriteEndObject();
        var bytes = line.End();
        return new EventLine(bytes.ToArray(), ContentHash.Of(bytes[..hashed]));

        static double Tenths(double microseconds) => Math.Round(microseconds, 1);
    }

    /// <summary>The hash of a line read back from a log.</summary>
    /// <exception cref="FormatException">the line is no event</exception>
    public static string HashOf(ReadOnlySpan<byte> line)
    {
        var end = line.LastIndexOf(HashedUpTo);
        return end < 0 ? throw new FormatException("no selection event: it has no epoch") : ContentHash.Of(line[..end]);
    }

    /// <summary>Reads an event back.</summary>
    /// <exception cref="FormatException">the line is no event</exception>
    public static SelectionEvent Read(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var json = document.RootElement;
            return new SelectionEvent
            {
                Id = Text(json, "id"),
                Position = Position.Parse(Text(json, "position")),
                Slot = json.GetProperty("slot"u8).GetInt64(),
                Version = json.GetProperty("version"u8).GetInt64(),
                PolicyHash = Text(json, "policy_hash"),
                ReferenceHash = json.TryGetProperty("reference_hash"u8, out var reference) ? reference.GetString() : null,
                Method = Text(json, "method"),
                K = json.GetProperty("k"u8).GetInt32(),
                Beta = json.GetProperty("beta"u8).GetDouble(),
                Rho = Number(json, "rho"),
                Gamma = Number(json, "gamma"),
                Features = json.GetProperty("features"u8).GetString(),
                Candidates = [.. json.GetProperty("candidates"u8).EnumerateArray().Select(c => new CandidateEvent(
                    Text(c, "hash"), Single(c, "logp"), Single(c, "logp_ref"), Number(c, "z"), Number(c, "p")))],
                Picks = [.. json.GetProperty("picks"u8).EnumerateArray().Select(p => new PickEvent(
                    p.GetProperty("index"u8).GetInt32(), Number(p, "gain"), Integer(p, "runner_up"), Number(p, "runner_up_gain")))],
                Information = Number(json, "information"),
                Bound = Number(json, "bound"),
                EffectiveRank = Number(json, "effective_rank"),
                Rank = Integer(json, "rank"),
                Lag = json.GetProperty("lag"u8).GetInt64(),
                Meta = json.TryGetProperty("meta"u8, out var meta) ? meta.GetRawText() : null,
                Epoch = json.GetProperty("epoch"u8).GetInt64(),
                Selector = Text(json, "selector"),
                Timing = new SelectionTiming(Number(json.GetProperty("timing"u8), "score_us") ?? 0,
                    Number(json.GetProperty("timing"u8), "reference_us") ?? 0, Number(json.GetProperty("timing"u8), "select_us") ?? 0),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"no selection event: {e.Message}", e);
        }

        static string Text(JsonElement json, string name) => json.GetProperty(name).GetString() ?? throw new FormatException($"'{name}' is null");
        static double? Number(JsonElement json, string name) => json.GetProperty(name) is { ValueKind: JsonValueKind.Number } n ? n.GetDouble() : null;
        static float? Single(JsonElement json, string name) => json.GetProperty(name) is { ValueKind: JsonValueKind.Number } n ? n.GetSingle() : null;
        static int? Integer(JsonElement json, string name) => json.GetProperty(name) is { ValueKind: JsonValueKind.Number } n ? n.GetInt32() : null;
    }
}
