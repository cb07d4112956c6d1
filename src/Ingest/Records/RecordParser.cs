using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Records;

/// <summary>
/// Reads one record from JSON. Responses come as <c>chosen</c> and <c>rejected</c> (a list or a single one, or <c>rejected1</c> …
/// <c>rejectedN</c>), as <c>candidates</c> and <c>chosen_index</c>, or as <c>ranked</c>, best first. The prompt is a text,
/// messages (also as <c>conversations</c> or <c>messages</c>), <c>{"history": […]}</c>, or absent: then it is what the responses have in common. In a
/// chat a response is a text or one message of the assistant's, what several messages would be (a trajectory) is refused. Unknown fields are kept.
/// Numbers per candidate (<c>rewards</c>, <c>reference_logps</c>) are in the order [chosen, rejected…] in every form.
/// </summary>
public static class RecordParser
{
    private const int MaxDepth = 64;

    /// <summary>Reads one record.</summary>
    /// <param name="utf8">JSON</param>
    /// <param name="known">gives texts of items and responses that need not be made anew, by their UTF-8; null of others</param>
    /// <exception cref="RecordFormatException">the bytes are no record</exception>
    public static PreferenceRecord Parse(ReadOnlySpan<byte> utf8, Func<ReadOnlySpan<byte>, string?>? known = null) => Parse(utf8, null, known);

    /// <summary>The same of bytes that nobody writes to again, parts of which the record may keep.</summary>
    /// <exception cref="RecordFormatException">the bytes are no record</exception>
    public static PreferenceRecord ParseOwned(ReadOnlyMemory<byte> utf8, Func<ReadOnlySpan<byte>, string?>? known = null) => Parse(utf8.Span, utf8, known);

    private static PreferenceRecord Parse(ReadOnlySpan<byte> utf8, ReadOnlyMemory<byte>? owned, Func<ReadOnlySpan<byte>, string?>? known)
    {
        if (!Utf8.IsValid(utf8))
            throw new RecordFormatException(DeadLetterCodes.Encoding, $"not UTF-8 at byte {FirstInvalidByte(utf8)}: save the data as UTF-8");
        var fields = new RecordFields(known, owned);
        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new RecordFormatException(DeadLetterCodes.Json,
                    "not a JSON object: a record is one, as {\"prompt\": …, \"chosen\": …, \"rejected\": […]}");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                fields.Read(ref reader, utf8);
            // What follows the object is read too: it may only be white space.
            while (reader.Read())
            {
            }
        }
        catch (JsonException e)
        {
            throw new RecordFormatException(DeadLetterCodes.Json, $"not JSON: {e.Message} A record is one JSON object");
        }
        catch (InvalidOperationException e)
        {
            // An escape such as \ud800 that is no character.
            var field = fields.Current is { } name ? $"'{name}'" : "the name of a field";
            throw new RecordFormatException(DeadLetterCodes.Encoding,
                $"{field} is no valid Unicode: {e.Message} Escapes from \\ud800 to \\udfff come in pairs");
        }
        return fields.ToRecord();
    }

    private static int FirstInvalidByte(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (at < bytes.Length && Rune.DecodeFromUtf8(bytes[at..], out _, out var consumed) == System.Buffers.OperationStatus.Done)
            at += consumed;
        return at;
    }
}
