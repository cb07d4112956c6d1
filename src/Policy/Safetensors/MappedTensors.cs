using System.IO.MemoryMappedFiles;
using System.Text.Json;
using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.Policy.Safetensors;

/// <summary>
/// The tensors of a safetensors file, or of the shards that an index names, read one by one through memory maps: no more than a piece of one is in memory
/// beside what was asked for. Headers are checked when it is opened. Thread-safe.
/// </summary>
public sealed class MappedTensors : IDisposable
{
    // Bytes that are mapped and held twice at a time.
    private const long Piece = 32 << 20;

    private readonly SortedDictionary<string, (SafetensorsEntry Entry, long DataStart, MemoryMappedFile Map, string File)> _places = new(StringComparer.Ordinal);
    private readonly List<MemoryMappedFile> _maps = [];

    private MappedTensors(string name) => Name = name;

    /// <summary>What errors call it: the file, or the index of its shards.</summary>
    public string Name { get; }

    /// <summary>Types and shapes by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; private set; } = new Dictionary<string, SafetensorsEntry>();

    /// <summary>Opens one file.</summary>
    /// <exception cref="PolicyFormatException">it breaks a rule of the format</exception>
    public static MappedTensors Open(string file) => Opened(new MappedTensors(file), tensors => tensors.Add(file));

    /// <summary>Opens all shards of an index (<c>model.safetensors.index.json</c>), which lie beside it.</summary>
    /// <exception cref="PolicyFormatException">the index or a shard is malformed, or they do not fit each other</exception>
    public static MappedTensors OpenShards(string index) => Opened(new MappedTensors(index), tensors => tensors.AddShards(index));

    /// <summary>A tensor in a type that may be another than its own. The caller owns it.</summary>
    /// <exception cref="PolicyFormatException">its type is not supported</exception>
    public Tensor Read(string name, Placement placement)
    {
        var (entry, dataStart, map, _) = _places[name];
        var stored = TypeOf(name);
        var size = SafetensorsHeader.SizeOf(entry.Type)!.Value;
        var whole = empty(entry.Shape, dtype: placement.Type, device: placement.Device).DetachFromDisposeScope();
        try
        {
            using var scope = NewDisposeScope();
            var flat = whole.view(-1);
            for (var at = 0L; at < entry.Bytes; at += Piece)
            {
                using var ofPiece = NewDisposeScope();
                var bytes = Math.Min(Piece, entry.Bytes - at);
                using var view = map.CreateViewStream(dataStart + entry.Start + at, bytes, MemoryMappedFileAccess.Read);
                var piece = empty([bytes / size], dtype: stored, device: CPU);
                piece.ReadBytesFromStream(view, 1 << 20);
                flat.narrow(0, at / size, bytes / size).copy_(piece);
            }
            return whole;
        }
        catch
        {
            whole.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var map in _maps)
            map.Dispose();
    }

    private ScalarType TypeOf(string name) => SafetensorsFile.TypeOf(_places[name].Entry.Type)
        ?? throw SafetensorsHeader.Bad(_places[name].File, $"tensor '{name}' has type '{_places[name].Entry.Type}', which is not supported");

    private static MappedTensors Opened(MappedTensors tensors, Action<MappedTensors> open)
    {
        try
        {
            open(tensors);
            tensors.Entries = tensors._places.ToDictionary(place => place.Key, place => place.Value.Entry, StringComparer.Ordinal);
            return tensors;
        }
        catch
        {
            tensors.Dispose();
            throw;
        }
    }

    private IEnumerable<string> Add(string file)
    {
        SafetensorsHeader header;
        using (var stream = File.OpenRead(file))
            header = SafetensorsHeader.Read(stream, file);
        var map = MemoryMappedFile.CreateFromFile(file, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _maps.Add(map);
        foreach (var (name, entry) in header.Entries)
            _places[name] = (entry, header.DataStart, map, file);
        return header.Entries.Keys;
    }

    private void AddShards(string index)
    {
        var shardOf = ReadIndex(index);
        var directory = Path.GetDirectoryName(index)!;
        foreach (var shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (shard.Length == 0 || Path.GetFileName(shard) != shard)
                throw new PolicyFormatException($"{index}: shard '{shard}' is not a plain file name");
            var path = Path.Combine(directory, shard);
            if (!File.Exists(path))
                throw new PolicyFormatException($"{index} names {shard}, which does not exist");
            if (Add(path).FirstOrDefault(name => shardOf.GetValueOrDefault(name) != shard) is { } foreign)
                throw new PolicyFormatException($"{path} holds tensor '{foreign}', which {Path.GetFileName(index)} does not place there");
        }
        if (shardOf.Keys.FirstOrDefault(name => !_places.ContainsKey(name)) is { } lacking)
            throw new PolicyFormatException($"{index} places tensor '{lacking}' in {shardOf[lacking]}, which lacks it");
    }

    // Which shard holds which tensor.
    private static Dictionary<string, string> ReadIndex(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file), new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(place => place.Name, Shard, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new PolicyFormatException($"{file}: malformed: {e.Message}", e);
        }

        string Shard(JsonProperty place) => place.Value.GetString() ?? throw new PolicyFormatException($"{file}: tensor '{place.Name}' has no shard");
    }
}
