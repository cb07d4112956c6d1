using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy;
using MassDpo.Policy.Safetensors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using static TorchSharp.torch;

namespace MassDpo.Learner.Checkpoints;

/// <summary>A checkpoint read back; the caller disposes the tensors.</summary>
public sealed record Checkpoint(string Name, CheckpointState State, Dictionary<string, Tensor> Weights, Dictionary<string, Tensor> Optimizer) : IDisposable
{
    public void Dispose()
    {
        foreach (var tensor in Weights.Values.Concat(Optimizer.Values))
            tensor.Dispose();
    }
}

/// <summary>
/// The commits of a run: one directory each, written aside, made durable and then renamed, so that it is whole or absent. A manifest names every file's
/// length and hash; a checkpoint that does not match it is passed over for the one before, which is why at least two are kept.
/// </summary>
public sealed class CheckpointStore(string folder, IFiles files, int keep)
{
    private const string Weights = "model.safetensors";
    private const string Optimizer = "optimizer.safetensors";
    private const string State = "state.json";
    private const string Manifest = "manifest.json";
    private const string Aside = ".writing";
    private const string Damaged = "damaged-";

    /// <summary>Names of the checkpoints, newest first: version, epoch, positions settled.</summary>
    public IReadOnlyList<string> List() => !files.FolderExists(folder) ? [] :
        [.. files.List(folder).Where(name => name.StartsWith('v') && !name.EndsWith(Aside, StringComparison.Ordinal)).OrderDescending(StringComparer.Ordinal)];

    /// <summary>Commits, then removes the checkpoints that are older than the ones to keep.</summary>
    public string Write(CheckpointState state, IEnumerable<KeyValuePair<string, Tensor>> weights, IEnumerable<KeyValuePair<string, Tensor>> optimizer)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"v{state.Version:D12}-e{state.Epoch:D6}-s{state.Settled.Count:D12}");
        var target = Path.Combine(folder, name);
        if (files.FolderExists(target))
            return name;
        var aside = target + Aside;
        if (files.FolderExists(aside))
            files.DeleteFolder(aside);
        files.CreateFolder(aside);
        var manifest = new JsonObject
        {
            [Weights] = WriteFile(Path.Combine(aside, Weights), stream => SafetensorsFile.Write(stream, weights)),
            [Optimizer] = WriteFile(Path.Combine(aside, Optimizer), stream => SafetensorsFile.Write(stream, optimizer)),
            [State] = WriteFile(Path.Combine(aside, State), stream => WriteJson(stream, state.ToJson())),
        };
        WriteFile(Path.Combine(aside, Manifest), stream => WriteJson(stream, manifest));
        files.SyncFolder(aside);
        files.Rename(aside, target);
        files.SyncFolder(folder);
        Prune();
        return name;
    }

    /// <summary>
    /// The newest whole checkpoint; null where there is none. <paramref name="damaged"/> is told of each newer one that is not whole, with the reason; it is
    /// set aside, so that it no longer counts as one of those to keep.
    /// </summary>
    public Checkpoint? LoadNewest(Action<string, string> damaged)
    {
        foreach (var name in List())
        {
            try
            {
                return Load(name);
            }
            catch (Exception e) when (e is InvalidDataException or PolicyFormatException or IOException)
            {
                files.Rename(Path.Combine(folder, name), Path.Combine(folder, Damaged + name));
                damaged(name, e.Message);
            }
        }
        return null;
    }

    private Checkpoint Load(string name)
    {
        var path = Path.Combine(folder, name);
        JsonObject manifest;
        try
        {
            manifest = JsonNode.Parse(ReadFile(Path.Combine(path, Manifest)))!.AsObject();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException)
        {
            throw new InvalidDataException($"{name}/{Manifest} is malformed: {e.Message}", e);
        }
        foreach (var file in new[] { Weights, Optimizer, State })
        {
            using var stream = files.OpenRead(Path.Combine(path, file));
            if (manifest[file] is not JsonObject entry || (long?)entry["bytes"] != stream.Length || (string?)entry["hash"] != ContentHash.Of(stream))
                throw new InvalidDataException($"{name}/{file} is not what its manifest says: it is damaged");
        }
        var state = CheckpointState.FromJson(ReadFile(Path.Combine(path, State)));
        var weights = ReadTensors(Path.Combine(path, Weights));
        try
        {
            return new Checkpoint(name, state, weights, ReadTensors(Path.Combine(path, Optimizer)));
        }
        catch
        {
            foreach (var tensor in weights.Values)
                tensor.Dispose();
            throw;
        }
    }

    private void Prune()
    {
        foreach (var old in List().Skip(Math.Max(2, keep)))
            files.DeleteFolder(Path.Combine(folder, old));
    }

    private Dictionary<string, Tensor> ReadTensors(string path)
    {
        using var stream = files.OpenRead(path);
        return SafetensorsFile.Read(stream, path);
    }

    private byte[] ReadFile(string path)
    {
        using var stream = files.OpenRead(path);
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return memory.ToArray();
    }

    private JsonObject WriteFile(string path, Action<Stream> write)
    {
        using (var stream = files.Create(path))
        {
            write(stream);
            files.Sync(stream);
        }
        using var written = files.OpenRead(path);
        return new JsonObject { ["bytes"] = written.Length, ["hash"] = ContentHash.Of(written) };
    }

    private static void WriteJson(Stream stream, JsonObject json)
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteTo(writer);
    }
}
