using System.Buffers;
using System.Text;

namespace MassDpo.Shared.Contracts;

/// <summary>A <see cref="DeadLetter"/> as <c>dead-letters.jsonl</c> holds it.</summary>
public static class DeadLetterLine
{
    /// <summary>The line; its bytes are valid until the next log line of this thread.</summary>
    public static ReadOnlySpan<byte> Of(DeadLetter letter)
    {
        var line = LogLine.Begin();
        var json = line.Json;
        json.WriteString("position"u8, letter.Position.ToString());
        json.WriteString("file"u8, letter.Origin.File);
        json.WriteNumber("line"u8, letter.Origin.Line);
        json.WriteString("code"u8, letter.Code);
        json.WriteString("reason"u8, letter.Reason);
        json.WriteString("raw"u8, Readable(letter.Origin.Raw.Span));
        json.WriteNumber("raw_bytes"u8, letter.Origin.RawLength);
        json.WriteString("hash"u8, letter.Origin.RawHash);
        if (letter.Origin.Time is { } time)
            json.WriteString("time"u8, time);
        return line.End();
    }

    // Bytes that are no UTF-8, and a character cut in two at the end, become replacement characters: the hash tells of the true bytes.
    private static string Readable(ReadOnlySpan<byte> raw)
    {
        var text = new StringBuilder(raw.Length);
        while (!raw.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(raw, out var rune, out var consumed);
            text.Append(status == OperationStatus.Done ? rune.ToString() : "\uFFFD");
            raw = raw[consumed..];
        }
        return text.ToString();
    }
}
