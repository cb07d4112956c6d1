using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Shared.Contracts;

/// <summary>
/// Writes one line of a run's logs: a JSON object that begins with <c>"v":1</c> and ends with a line feed. Numbers that are not finite are written
/// as null. A writer belongs to one thread.
/// </summary>
public sealed class LogLine
{
    /// <summary>The version of the form of all log lines. Lines only ever gain fields.</summary>
    public const int Version = 1;

    [ThreadStatic]
    private static LogLine? _ofThread;

    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _json;

    private LogLine() =>
        // Texts stay readable: the logs are files, not web pages.
        _json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    /// <summary>Begins a line on this thread's writer; the line before it is forgotten.</summary>
    public static LogLine Begin()
    {
        var line = _ofThread ??= new LogLine();
        line._buffer.ResetWrittenCount();
        line._json.Reset();
        line._json.WriteStartObject();
        line._json.WriteNumber("v"u8, Version);
        return line;
    }

    public Utf8JsonWriter Json => _json;

    /// <summary>How many bytes the line has so far.</summary>
    public int Length
    {
        get
        {
            _json.Flush();
            return _buffer.WrittenCount;
        }
    }

    /// <summary>Ends the line and hands out its bytes, the line feed included. They are valid until the next <see cref="Begin"/> on this thread.</summary>
    public ReadOnlySpan<byte> End()
    {
        _json.WriteEndObject();
        _json.Flush();
        _buffer.Write("\n"u8);
        return _buffer.WrittenSpan;
    }

    public void Node(string name, JsonNode? value)
    {
        _json.WritePropertyName(name);
        if (value is null)
            _json.WriteNullValue();
        else
            value.WriteTo(_json);
    }

    public void Number(ReadOnlySpan<byte> name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
            _json.WriteNumber(name, number);
        else
            _json.WriteNull(name);
    }

    public void Number(ReadOnlySpan<byte> name, float? value)
    {
        if (value is { } number && float.IsFinite(number))
            _json.WriteNumber(name, number);
        else
            _json.WriteNull(name);
    }

    public void Number(ReadOnlySpan<byte> name, int? value)
    {
        if (value is { } number)
            _json.WriteNumber(name, number);
        else
            _json.WriteNull(name);
    }
}
