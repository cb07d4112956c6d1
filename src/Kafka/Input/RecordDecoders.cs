using System.Text;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Input;

/// <summary>Reads records of one content type.</summary>
public interface IRecordDecoder
{
    /// <summary>The content types that it reads, in lower case, without parameters.</summary>
    IReadOnlyList<string> ContentTypes { get; }

    /// <summary>The record as the JSON that a line of a file would hold; it may be the very value.</summary>
    /// <exception cref="InvalidDataException">the value is not of this content type; the message is a sentence with the remedy</exception>
    ReadOnlyMemory<byte> ToJson(ReadOnlyMemory<byte> value);
}

/// <summary>JSON, as it stands: what it holds is looked at where records are validated.</summary>
public sealed class JsonRecordDecoder : IRecordDecoder
{
    public IReadOnlyList<string> ContentTypes { get; } = ["application/json", "text/json"];

    public ReadOnlyMemory<byte> ToJson(ReadOnlyMemory<byte> value) => value;
}

/// <summary>
/// Makes entries of messages, with the decoder that their content type names; without one they are JSON. A message that is known to be no record becomes an
/// entry with a flaw, which goes to dead letters.
/// </summary>
internal sealed class RecordDecoders
{
    private const string Structured = "application/cloudevents";

    private readonly IRecordDecoder _json = new JsonRecordDecoder();
    private readonly Dictionary<string, IRecordDecoder> _byType = new(StringComparer.Ordinal);

    public RecordDecoders()
    {
        foreach (var decoder in new[] { _json, new ProtobufRecordDecoder() })
            foreach (var type in decoder.ContentTypes)
                _byType[type] = decoder;
    }

    /// <summary>The entry of a message, whose value becomes the entry's.</summary>
    public SourceEntry.Bytes Entry(string source, long offset, byte[] value, RecordHeaders headers, DateTimeOffset? time, int maxRecordBytes)
    {
        var entry = new SourceEntry.Bytes(new Position(source, 0, offset), source, offset, value, null) { Trace = headers.Trace, Time = time, IsOwned = true };
        if (value.Length > maxRecordBytes)
            return entry with { Json = value.AsMemory(0, Math.Min(maxRecordBytes, RecordOrigin.RawLimit)).ToArray(), Oversize = value.Length, OversizeHash = ContentHash.Of(value) };
        if (headers.Type is { } kind && IsOther(kind))
            return entry with { Flaw = Unsupported($"its ce_type is '{Short(kind)}', records are '{CloudEvents.RecordType}': send it to the topic that it belongs to") };
        if (headers.ContentType is not { } content)
            return entry;
        if (Find(content) is not { } decoder)
            return entry with { Flaw = Unsupported(content.StartsWith(Structured, StringComparison.OrdinalIgnoreCase)
                ? $"its content type '{Short(content)}' is an event in structured mode: send it in binary mode, with the record alone as the value and the rest in headers"
                : $"its content type '{Short(content)}' is not read: send {string.Join(" or ", _byType.Keys)}") };
        if (decoder == _json)
            return entry;
        try
        {
            return entry with { Json = decoder.ToJson(value) };
        }
        catch (InvalidDataException e)
        {
            return entry with { Flaw = Unsupported(e.Message) };
        }
    }

    // Others' types say nothing of what this program knows.
    private static bool IsOther(string type) => type.StartsWith("massdpo.", StringComparison.Ordinal) && type != CloudEvents.RecordType;

    private IRecordDecoder? Find(string contentType) =>
        _byType.GetValueOrDefault(contentType) ?? _byType.GetValueOrDefault(contentType.Split(';')[0].Trim().ToLowerInvariant());

    private static RecordFlaw Unsupported(string reason) => new(DeadLetterCodes.Unsupported, reason);

    private static string Short(string text) => text.Length <= 80 ? text : text[..80] + "…";
}

/// <summary>What the headers of a message say that a source needs.</summary>
internal readonly record struct RecordHeaders(string? ContentType, string? Type, string? Trace, bool IsEnd)
{
    private const string Json = "application/json";

    public static RecordHeaders Of(Confluent.Kafka.Headers? headers)
    {
        var (content, type, trace, end) = ((string?)null, (string?)null, (string?)null, false);
        // The last of a name counts.
        for (var i = 0; i < (headers?.Count ?? 0); i++)
        {
            var header = headers![i];
            switch (header.Key)
            {
                case "content-type":
                    content = Text(header.GetValueBytes(), Json);
                    break;
                case "ce_type":
                    type = Text(header.GetValueBytes(), CloudEvents.RecordType);
                    break;
                case "traceparent":
                    trace = Text(header.GetValueBytes(), null);
                    break;
                case EndMarker.Header:
                    end = true;
                    break;
            }
        }
        return new RecordHeaders(content, type, trace, end);
    }

    // What nearly every message says is not made anew for each.
    private static string? Text(byte[]? bytes, string? usual)
    {
        if (bytes is null)
            return null;
        return usual is not null && Ascii.Equals(bytes, usual) ? usual : Encoding.UTF8.GetString(bytes);
    }
}
