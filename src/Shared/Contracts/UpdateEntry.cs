using System.Text.Json;

namespace MassDpo.Shared.Contracts;

/// <summary>
/// One line of <c>updates.jsonl</c>, the truth of what was trained on, in order: closing batch <c>Version − 1</c> made this version of the policy.
/// </summary>
/// <param name="Version">the version that the update made: the number of batches closed</param>
/// <param name="FirstSlot">of the batch</param>
/// <param name="Positions">per slot from <paramref name="FirstSlot"/>; null where a record died and its slot closed empty</param>
/// <param name="EventHashes">per slot, as <see cref="EventLine.Hash"/>; null for an empty slot</param>
/// <param name="BlockCounts">how many slots each block of the batch has, in order: what was computed together</param>
/// <param name="Loss">mean over the slots that are not empty; null where all are</param>
/// <param name="LearningRate">of this update</param>
/// <param name="ReferenceHash">of the reference policy that this version brought; null: it stayed as it was</param>
public sealed record UpdateEntry(long Version, long FirstSlot, IReadOnlyList<Position?> Positions, IReadOnlyList<string?> EventHashes,
    IReadOnlyList<int> BlockCounts, double? Loss, double LearningRate, string? ReferenceHash = null)
{
    public int Applied => Positions.Count(position => position is not null);

    public ReadOnlySpan<byte> ToLine()
    {
        var line = LogLine.Begin();
        var json = line.Json;
        json.WriteNumber("version"u8, Version);
        json.WriteStartObject("slots"u8);
        json.WriteNumber("first"u8, FirstSlot);
        json.WriteNumber("count"u8, Positions.Count);
        json.WriteEndObject();
        json.WriteStartArray("positions"u8);
        foreach (var position in Positions)
            json.WriteStringValue(position?.ToString());
        json.WriteEndArray();
        json.WriteStartArray("events"u8);
        foreach (var hash in EventHashes)
            json.WriteStringValue(hash);
        json.WriteEndArray();
        json.WriteStartArray("blocks"u8);
        foreach (var count in BlockCounts)
            json.WriteNumberValue(count);
        json.WriteEndArray();
        line.Number("loss"u8, Loss);
        json.WriteNumber("learning_rate"u8, LearningRate);
        json.WriteString("reference"u8, ReferenceHash);
        return line.End();
    }

    /// <summary>Reads a line back.</summary>
    /// <exception cref="FormatException">the line is no update</exception>
    public static UpdateEntry Read(ReadOnlyMemory<byte> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var json = document.RootElement;
            return new UpdateEntry(
                json.GetProperty("version"u8).GetInt64(),
                json.GetProperty("slots"u8).GetProperty("first"u8).GetInt64(),
                [.. json.GetProperty("positions"u8).EnumerateArray().Select(p => p.GetString() is { } text ? Position.Parse(text) : (Position?)null)],
                [.. json.GetProperty("events"u8).EnumerateArray().Select(e => e.GetString())],
                [.. json.GetProperty("blocks"u8).EnumerateArray().Select(b => b.GetInt32())],
                json.GetProperty("loss"u8) is { ValueKind: JsonValueKind.Number } loss ? loss.GetDouble() : null,
                json.GetProperty("learning_rate"u8).GetDouble(),
                json.TryGetProperty("reference"u8, out var reference) ? reference.GetString() : null);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"no update: {e.Message}", e);
        }
    }
}
