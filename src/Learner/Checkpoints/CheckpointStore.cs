using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy;
using MassDpo.Policy.Safetensors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using static TorchSharp.torch;

namespace MassDpo.Learner.Checkpoints;

/// <summary>A file of a checkpoint.</summary>
public sealed record CheckpointFile(string Name, long Bytes, string Hash);

/// <summary>
/// The commits of a run: one directory each, written aside, made durable and then renamed, so that it is whole or absent. A manifest names every file's
/// length and hash; a checkpoint that does not match it is passed over for the one before, which is why at least two are kept.
/// </summary>
public sealed class CheckpointStore(string folder, IFiles files, int keep)
{
    private const string Weights = "model.safetensors";
    private const string Optimizer = "optimizer.safetensors";
    private const string Reference = "reference.safetensors";
    private const string State = "state.json";
    private const string Manifest = "manifest.json";
    private const string Aside = ".writing";
    private const string Damaged = "damaged-";

    /// <summary>The checkpoints, newest first.</summary>
    public IReadOnlyList<CheckpointName> List() => !files.FolderExists(folder) ? [] :
        [.. files.List(folder).Select(CheckpointName.TryParse).OfType<CheckpointName>().OrderDescending()];

    /// <summary>Where a checkpoint lies.</summary>
    public string PathOf(CheckpointName name) => Path.Combine(folder, name.ToString());

    /// <summary>Commits, then removes the checkpoints that are older than the ones to keep.</summary>
    /// <param name="state">of the run</param>
    /// <param name="weights">of the policy</param>
    /// <param name="optimizer">its state</param>
    /// <param name="reference">weights of the reference; null: still those that the run found</param>
    /// <param name="bases">versions of which a checkpoint stays, however old</param>
    public CheckpointName Write(CheckpointState state, IEnumerable<KeyValuePair<string, Tensor>> weights, IEnumerable<KeyValuePair<string, Tensor>> optimizer,
        IEnumerable<KeyValuePair<string, Tensor>>? reference = null, IReadOnlyCollection<long>? bases = null)
    {
        var name = new CheckpointName(state.Version, state.Epoch, state.Settled.Count);
        var target = PathOf(name);
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
        if (reference is not null)
            manifest[Reference] = WriteFile(Path.Combine(aside, Reference), stream => SafetensorsFile.Write(stream, reference));
        WriteFile(Path.Combine(aside, Manifest), stream => WriteJson(stream, manifest));
        files.SyncFolder(aside);
        files.Rename(aside, target);
        files.SyncFolder(folder);
        Prune(bases ?? []);
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
            catch (Exception e) when (IsDamage(e))
            {
                SetAside(name);
                damaged(name.ToString(), e.Message);
            }
        }
        if (files.FolderExists(folder) && files.List(folder).FirstOrDefault(name => name.StartsWith(Damaged, StringComparison.Ordinal)) is { } lost)
            throw new InvalidDataException($"{folder} holds {lost} and no checkpoint that is whole: put one of this run back, or begin anew in an empty output directory");
        return null;
    }

    /// <summary>Reads a checkpoint, every file against its hash. The caller disposes it.</summary>
    /// <exception cref="InvalidDataException">it is not whole</exception>
    public Checkpoint Load(CheckpointName name)
    {
        Check(name);
        var path = PathOf(name);
        var state = CheckpointState.FromJson(ReadFile(Path.Combine(path, State)));
        var read = new List<Dictionary<string, Tensor>>();
        try
        {
            read.Add(ReadTensors(Path.Combine(path, Weights)));
            read.Add(ReadTensors(Path.Combine(path, Optimizer)));
            if (ReadManifest(name.ToString()).Any(file => file.Key == Reference))
                read.Add(ReadTensors(Path.Combine(path, Reference)));
            return new Checkpoint(name, state, read[0], read[1], read.ElementAtOrDefault(2));
        }
        catch
        {
            foreach (var tensor in read.SelectMany(tensors => tensors.Values))
                tensor.Dispose();
            throw;
        }
    }

    /// <summary>The state that a checkpoint holds, without its tensors, against its hash.</summary>
    /// <exception cref="InvalidDataException">it is not whole</exception>
    public CheckpointState LoadState(CheckpointName name)
    {
        Check(name.ToString(), file => file == State);
        return CheckpointState.FromJson(ReadFile(Path.Combine(PathOf(name), State)));
    }

    /// <summary>All that a copy of a checkpoint needs: what its manifest names, and the manifest itself.</summary>
    /// <exception cref="InvalidDataException">the manifest is malformed</exception>
    /// <exception cref="IOException">the checkpoint is gone</exception>
    public IReadOnlyList<CheckpointFile> FilesOf(CheckpointName name)
    {
        var manifest = ReadFile(Path.Combine(PathOf(name), Manifest));
        return [.. ReadManifest(name.ToString()).Select(file => new CheckpointFile(file.Key, file.Value.Bytes, file.Value.Hash)), new CheckpointFile(Manifest, manifest.Length, ContentHash.Of(manifest))];
    }

    /// <summary>Whether checkpoints have a file of this name.</summary>
    public static bool IsFile(string name) => name is Weights or Optimizer or State or Reference or Manifest;

    /// <summary>A folder aside in which a copy of a checkpoint is put together; what an earlier attempt has left stays in it.</summary>
    public string BeginCopy(CheckpointName name)
    {
        var aside = PathOf(name) + Aside;
        files.CreateFolder(aside);
        return aside;
    }

    /// <summary>Reads every file of a copy against the hash in its manifest.</summary>
    /// <exception cref="InvalidDataException">it is not whole</exception>
    public void CheckCopy(CheckpointName name) => Check(name + Aside, _ => true);

    /// <summary>Makes a checkpoint of a copy whose files are there, as they should be, and durable.</summary>
    public void CommitCopy(CheckpointName name)
    {
        files.SyncFolder(PathOf(name) + Aside);
        files.Rename(PathOf(name) + Aside, PathOf(name));
        files.SyncFolder(folder);
    }

    /// <summary>Deletes a checkpoint that nobody needs.</summary>
    public void Remove(CheckpointName name) => files.DeleteFolder(PathOf(name));

    /// <summary>Whether a checkpoint is what its manifest says. One that is not is set aside, and <paramref name="damaged"/> is told.</summary>
    public bool IsWhole(CheckpointName name, Action<string, string> damaged)
    {
        try
        {
            Check(name);
            return true;
        }
        catch (Exception e) when (IsDamage(e))
        {
            SetAside(name);
            damaged(name.ToString(), e.Message);
            return false;
        }
    }

    private static bool IsDamage(Exception e) => e is InvalidDataException or PolicyFormatException or IOException;

    private void SetAside(CheckpointName name)
    {
        var aside = Path.Combine(folder, Damaged + name);
        if (files.FolderExists(aside))
            files.DeleteFolder(aside);
        files.Rename(PathOf(name), aside);
    }

    /// <summary>Reads every file of a checkpoint against its hash.</summary>
    /// <exception cref="InvalidDataException">it is not whole</exception>
    /// <exception cref="IOException">the same</exception>
    public void Check(CheckpointName name) => Check(name.ToString(), _ => true);

    private void Check(string name, Func<string, bool> which)
    {
        foreach (var (file, (bytes, hash)) in ReadManifest(name).Where(file => which(file.Key)))
        {
            using var stream = files.OpenRead(Path.Combine(folder, name, file));
            if (stream.Length != bytes || ContentHash.Of(stream) != hash)
                throw new InvalidDataException($"{name}/{file} is not what its manifest says: it is damaged");
        }
    }

    private List<KeyValuePair<string, (long Bytes, string Hash)>> ReadManifest(string name)
    {
        try
        {
            var manifest = JsonNode.Parse(ReadFile(Path.Combine(folder, name, Manifest)))!;
            return [.. new[] { Weights, Optimizer, State }.Concat(manifest[Reference] is null ? [] : [Reference]).Select(file =>
                KeyValuePair.Create(file, (manifest[file]!["bytes"]!.GetValue<long>(), manifest[file]!["hash"]!.GetValue<string>())))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{name}/{Manifest} is malformed: {e.Message}", e);
        }
    }

    /// <summary>Deletes what a commit, or a copy, that never came to its end has left, under whatever name.</summary>
    public void DeleteUnfinished()
    {
        if (!files.FolderExists(folder))
            return;
        foreach (var name in files.List(folder).Where(name => name.EndsWith(Aside, StringComparison.Ordinal)))
            files.DeleteFolder(Path.Combine(folder, name));
    }

    private void Prune(IReadOnlyCollection<long> bases)
    {
        foreach (var old in List().Skip(Math.Max(2, keep)).Where(name => !bases.Contains(name.Version)))
            files.DeleteFolder(PathOf(old));
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
