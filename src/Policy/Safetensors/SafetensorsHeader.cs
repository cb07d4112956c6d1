using System.Buffers.Binary;
using System.Text.Json;

namespace MassDpo.Policy.Safetensors;

/// <summary>One tensor in a safetensors file: its type as the file names it, its shape, and where its bytes lie.</summary>
/// <param name="Type"><c>F32</c>, <c>BF16</c>, …</param>
/// <param name="Start">first byte, counted from the end of the header</param>
public sealed record SafetensorsEntry(string Type, long[] Shape, long Start, long End)
{
    public long Bytes => End - Start;
}

/// <summary>
/// The header of a safetensors file, strictly checked as the format demands: at most 100 MB of JSON, every tensor as long as its type and shape say,
/// no overlap, no hole, nothing after the last one.
/// </summary>
public sealed class SafetensorsHeader
{
    private const long MaxHeader = 100_000_000;

    private SafetensorsHeader(SortedDictionary<string, SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata, long dataStart) =>
        (Entries, Metadata, DataStart) = (entries, metadata, dataStart);

    /// <summary>By name, in ordinal order.</summary>
    public SortedDictionary<string, SafetensorsEntry> Entries { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Where the tensors' bytes begin in the file.</summary>
    public long DataStart { get; }

    /// <summary>Bytes of one element.</summary>
    internal static int? SizeOf(string type) => type switch
    {
        "BOOL" or "U8" or "I8" => 1,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "F32" or "I32" or "U32" => 4,
        "F64" or "I64" or "U64" => 8,
        _ => null,
    };

    /// <summary>Reads and checks the header; the stream stands at the tensors' bytes after it.</summary>
    /// <exception cref="PolicyFormatException">the file breaks a rule of the format</exception>
    public static SafetensorsHeader Read(Stream stream, string file)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8)
            throw Bad(file, "it is shorter than its 8-byte prefix");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxHeader || (long)length > stream.Length - 8)
            throw Bad(file, $"its header claims {length} bytes: more than the file has, or than the format allows (100 MB)");
        var header = new byte[length];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
            throw Bad(file, "it ends within its header");
        if (header is not [(byte)'{', ..])
            throw Bad(file, "its header does not begin with '{'");
        var entries = new SortedDictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(header, new JsonDocumentOptions { AllowDuplicateProperties = false });
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == "__metadata__")
                {
                    foreach (var item in property.Value.EnumerateObject())
                        metadata[item.Name] = item.Value.GetString() ?? throw Bad(file, $"__metadata__: '{item.Name}' is no text");
                    continue;
                }
                entries.Add(property.Name, ReadEntry(property.Value, property.Name, file));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw Bad(file, $"its header is malformed: {e.Message}", e);
        }
        CheckLayout(entries, stream.Length - 8 - (long)length, file);
        return new SafetensorsHeader(entries, metadata, 8 + (long)length);
    }

    private static SafetensorsEntry ReadEntry(JsonElement json, string name, string file)
    {
        var type = json.GetProperty("dtype").GetString()!;
        var size = SizeOf(type) ?? throw Bad(file, $"tensor '{name}' has type '{type}', which is not supported");
        long[] shape = [.. json.GetProperty("shape").EnumerateArray().Select(dim => dim.GetInt64())];
        var offsets = json.GetProperty("data_offsets");
        if (offsets.GetArrayLength() != 2)
            throw Bad(file, $"tensor '{name}': data_offsets has {offsets.GetArrayLength()} numbers instead of 2");
        var (start, end) = (offsets[0].GetInt64(), offsets[1].GetInt64());
        long bytes = size, span = size;
        try
        {
            // An empty tensor may not have sizes either that no tensor can have.
            foreach (var dim in shape)
                (bytes, span) = dim < 0 ? throw new OverflowException() : (bytes * dim, checked(span * Math.Max(dim, 1)));
        }
        catch (OverflowException e)
        {
            throw Bad(file, $"tensor '{name}': shape [{string.Join(", ", shape)}] is impossible", e);
        }
        if (start < 0 || end < start || end - start != bytes)
            throw Bad(file, $"tensor '{name}': {type} of shape [{string.Join(", ", shape)}] needs {bytes} bytes, "
                + $"its data_offsets [{start}, {end}] give {end - start}");
        return new SafetensorsEntry(type, shape, start, end);
    }

    private static void CheckLayout(SortedDictionary<string, SafetensorsEntry> entries, long available, string file)
    {
        var next = 0L;
        foreach (var (name, entry) in entries.OrderBy(e => e.Value.Start).ThenBy(e => e.Value.End))
        {
            if (entry.Start != next)
                throw Bad(file, $"tensor '{name}' begins at byte {entry.Start} where {next} is expected: tensors overlap or leave a hole");
            next = entry.End;
        }
        if (next != available)
            throw Bad(file, $"its tensors end at byte {next} of {available}: the file is truncated or has something after them");
    }

    internal static PolicyFormatException Bad(string file, string what, Exception? inner = null) =>
        new($"{file}: not a safetensors file: {what}", inner);
}
