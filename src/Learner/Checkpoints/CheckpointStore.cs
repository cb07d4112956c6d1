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
        DeleteUnfinished();
        var aside = target + Aside;
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
    /// The newest whole checkpoint; null before the first. <paramref name="damaged"/> is told of each newer one that is not whole, with the reason; it is
    /// set aside, so that it no longer counts as one of those to keep.
    /// </summary>
    /// <exception cref="InvalidDataException">there were checkpoints, but none is whole: beginning anew would throw away what the run has done</exception>
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
                var setAside = Path.Combine(folder, Damaged + name);
                if (files.FolderExists(setAside))
                    files.DeleteFolder(setAside);
                files.Rename(Path.Combine(folder, name), setAside);
                damaged(name, e.Message);
            }
        }
        if (files.FolderExists(folder) && files.List(folder).FirstOrDefault(name => name.StartsWith(Damaged, StringComparison.Ordinal)) is { } lost)
            throw new InvalidDataException($"{folder} holds {lost} and no checkpoint that is whole: put one of this run back, or begin anew in an empty output directory");
        return null;
    }

    private Checkpoint Load(string name)
    {
        var path = Path.Combine(folder, name);
        foreach (var (file, (bytes, hash)) in ReadManifest(name))
        {
            using var stream = files.OpenRead(Path.Combine(path, file));
            if (stream.Length != bytes || ContentHash.Of(stream) != hash)
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

    private List<KeyValuePair<string, (long Bytes, string Hash)>> ReadManifest(string name)
    {
        try
        {
            var manifest = JsonNode.Parse(ReadFile(Path.Combine(folder, name, Manifest)))!;
            return [.. new[] { Weights, Optimizer, State }.Select(file =>
                KeyValuePair.Create(file, (manifest[file]!["bytes"]!.GetValue<long>(), manifest[file]!["hash"]!.GetValue<string>())))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{name}/{Manifest} is malformed: {e.Message}", e);
        }
    }

    // What a commit that never came to its end has left, under whatever name.
    private void DeleteUnfinished()
    {
        if (!files.FolderExists(folder))
            return;
        foreach (var name in files.List(folder).Where(name => name.EndsWith(Aside, StringComparison.Ordinal)))
            files.DeleteFolder(Path.Combine(folder, name));
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
