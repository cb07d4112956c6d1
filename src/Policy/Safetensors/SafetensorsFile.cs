using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace MassDpo.Policy.Safetensors;

/// <summary>Reads and writes tensors as safetensors (https://huggingface.co/docs/safetensors). Never pickle.</summary>
public static class SafetensorsFile
{
    private const int BlockSize = 1 << 20;

    // In the order in which the reference implementation writes types, the last one first.
    private static readonly (string Name, ScalarType Type)[] Types =
    [
        ("BOOL", ScalarType.Bool), ("U8", ScalarType.Byte), ("I8", ScalarType.Int8), ("I16", ScalarType.Int16), ("F16", ScalarType.Float16),
        ("BF16", ScalarType.BFloat16), ("I32", ScalarType.Int32), ("F32", ScalarType.Float32), ("F64", ScalarType.Float64), ("I64", ScalarType.Int64),
    ];

    /// <summary>Reads all tensors of a file, as they are stored, on the CPU. The caller owns them.</summary>
    /// <exception cref="PolicyFormatException">the file breaks a rule of the format, or has a type that is not supported</exception>
    public static Dictionary<string, Tensor> Read(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        return Read(stream, file);
    }

    /// <summary>The same from a stream that can seek; <paramref name="name"/> is what errors call it.</summary>
    public static Dictionary<string, Tensor> Read(Stream stream, string name)
    {
        var header = SafetensorsHeader.Read(stream, name);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var (key, entry) in header.Entries)
            {
                var type = TypeOf(entry.Type) ?? throw SafetensorsHeader.Bad(name, $"tensor '{key}' has type '{entry.Type}', which is not supported");
                var tensor = empty(entry.Shape, dtype: type, device: CPU).DetachFromDisposeScope();
                tensors[key] = tensor;
                stream.Position = header.DataStart + entry.Start;
                Fill(tensor, stream, key, name);
            }
            return tensors;
        }
        catch
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
            throw;
        }
    }

    /// <summary>Writes tensors, ordered by type and then by name as the reference implementation does, with a header padded to 8 bytes.</summary>
    public static void Write(Stream stream, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        var ordered = tensors.Select(t => (t.Key, t.Value, Rank: RankOf(t.Key, t.Value.dtype)))
            .OrderByDescending(t => t.Rank).ThenBy(t => t.Key, StringComparer.Ordinal).ToList();
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            var next = 0L;
            foreach (var (name, tensor, rank) in ordered)
            {
                var type = Types[rank].Name;
                json.WriteStartObject(name);
                json.WriteString("dtype", type);
                json.WriteStartArray("shape");
                foreach (var dim in tensor.shape)
                    json.WriteNumberValue(dim);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(next);
                json.WriteNumberValue(next += tensor.numel() * SafetensorsHeader.SizeOf(type)!.Value);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0)
            buffer.WriteByte((byte)' ');
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, buffer.Length);
        stream.Write(prefix);
        buffer.WriteTo(stream);
        foreach (var (_, tensor, _) in ordered)
        {
            using var here = tensor.detach();
            using var main = here.cpu();
            using var whole = main.contiguous();
            whole.WriteBytesToStream(stream, BlockSize);
        }
    }

    /// <summary>The type that a file calls so; null: one that tensors do not have here.</summary>
    internal static ScalarType? TypeOf(string name) => Array.FindIndex(Types, type => type.Name == name) is >= 0 and var rank ? Types[rank].Type : null;

    private static void Fill(Tensor tensor, Stream stream, string key, string name)
    {
        try
        {
            tensor.ReadBytesFromStream(stream, BlockSize);
        }
        catch (EndOfStreamException e)
        {
            throw SafetensorsHeader.Bad(name, $"it ends within tensor '{key}'", e);
        }
    }

    private static int RankOf(string name, ScalarType type) => Array.FindIndex(Types, t => t.Type == type) is >= 0 and var rank
        ? rank
        : throw new ArgumentException($"tensor '{name}' is of type {type}, which safetensors does not have");
}
