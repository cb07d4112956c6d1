using Google.Protobuf;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;
using MassDpo.Wire;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>A file that can be pulled.</summary>
/// <param name="Name">its own, without a folder</param>
/// <param name="Length">bytes; of a log those that the newest checkpoint covers</param>
/// <param name="Hash">of these</param>
internal sealed record ListedFile(string Name, long Length, string Hash);

/// <summary>A checkpoint that can be pulled.</summary>
internal sealed record ListedCheckpoint(CheckpointName Name, IReadOnlyList<ListedFile> Files);

/// <summary>All of an output directory that a run is gone on with from: its checkpoints, the segments of logs that the newest one names, and what stands beside them.</summary>
/// <param name="Checkpoints">the newest first, one at least</param>
/// <param name="Logs">see above</param>
/// <param name="Others">see above</param>
internal sealed record CheckpointListing(IReadOnlyList<ListedCheckpoint> Checkpoints, IReadOnlyList<ListedFile> Logs, IReadOnlyList<ListedFile> Others)
{
    /// <summary>No listing has more bytes.</summary>
    public const int MostBytes = 64 << 20;

    // What a run writes beside its checkpoints and logs, and is gone on with: what it was made of.
    private static readonly string[] Beside = ["run.json"];

    public CheckpointName Newest => Checkpoints[0].Name;

    /// <summary>What a directory holds; null: no checkpoint. A learner may be at work in it.</summary>
    /// <param name="root">of the run</param>
    /// <param name="files">the file system</param>
    /// <param name="isWhole">whether a checkpoint is to be told of</param>
    /// <exception cref="IOException">something of it went away meanwhile</exception>
    /// <exception cref="InvalidDataException">it is damaged</exception>
    public static CheckpointListing? Of(string root, IFiles files, Func<CheckpointName, bool> isWhole)
    {
        var store = new CheckpointStore(RunDirectory.CheckpointsIn(root), files, keep: 2);
        var names = store.List().Where(isWhole).ToList();
        if (names.Count == 0)
            return null;
        // Segments that retention has taken since are in the checkpoint, but not there.
        var logs = store.LoadState(names[0]).Logs.Where(log => files.FileExists(Path.Combine(root, log.Key))).Select(log => new ListedFile(log.Key, log.Value.Length, log.Value.Hash));
        return new CheckpointListing([.. names.Select(name => new ListedCheckpoint(name, [.. store.FilesOf(name).Select(file => new ListedFile(file.Name, file.Bytes, file.Hash))]))],
            [.. logs], [.. Beside.Where(name => files.FileExists(Path.Combine(root, name))).Select(name => Whole(root, name, files))]);
    }

    public byte[] Encode()
    {
        var wire = new V1.CheckpointListing();
        foreach (var checkpoint in Checkpoints)
        {
            var listed = new V1.ListedCheckpoint { Name = checkpoint.Name.ToString() };
            listed.Files.AddRange(checkpoint.Files.Select(ToWire));
            wire.Checkpoints.Add(listed);
        }
        wire.Logs.AddRange(Logs.Select(ToWire));
        wire.Others.AddRange(Others.Select(ToWire));
        return wire.ToByteArray();
    }

    /// <summary>Reads what <see cref="Encode"/> writes. No name in it leads anywhere but to the file of a run that it stands for.</summary>
    /// <exception cref="WireFormatException">it is none, or names what no run has</exception>
    public static CheckpointListing Decode(byte[] bytes)
    {
        var wire = ProtobufReader.Read(V1.CheckpointListing.Parser, bytes);
        if (wire.Checkpoints.Count == 0)
            throw new WireFormatException("a listing without a checkpoint");
        return new CheckpointListing(
            [.. wire.Checkpoints.Select(listed => new ListedCheckpoint(CheckpointName.TryParse(listed.Name) ?? throw new WireFormatException($"'{listed.Name}' is no checkpoint's name"),
                [.. listed.Files.Select(file => FromWire(file, CheckpointStore.IsFile))])).OrderByDescending(checkpoint => checkpoint.Name)],
            [.. wire.Logs.Select(file => FromWire(file, RunDirectory.IsLog))],
            [.. wire.Others.Select(file => FromWire(file, Beside.Contains))]);
    }

    private static ListedFile Whole(string root, string name, IFiles files)
    {
        using var stream = files.OpenRead(Path.Combine(root, name));
        return new ListedFile(name, stream.Length, Shared.Contracts.ContentHash.Of(stream));
    }

    private static V1.ListedFile ToWire(ListedFile file) => new() { Name = file.Name, Length = file.Length, Hash = file.Hash };

    private static ListedFile FromWire(V1.ListedFile file, Func<string, bool> isOne) => isOne(file.Name) && file.Length >= 0
        ? new ListedFile(file.Name, file.Length, file.Hash)
        : throw new WireFormatException($"'{file.Name}' of {file.Length} bytes is no file of a run");
}
