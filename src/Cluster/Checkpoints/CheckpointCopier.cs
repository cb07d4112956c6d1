using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>Pulls a thing from an offset on to its end, in order.</summary>
/// <param name="thing">see <see cref="ServedFiles"/></param>
/// <param name="from">the first byte</param>
/// <param name="length">where it ends</param>
/// <param name="take">gets it</param>
internal delegate void Pull(string thing, long from, long length, Action<ReadOnlyMemory<byte>> take);

/// <summary>
/// Makes an output directory one in which a learner can go on as that of another node would after a restart. Checkpoints are put together aside and checked; the logs that they name are
/// made durable before them; then they are renamed whole. What the directory has of another history, as where this node had the learner once, is set aside, never deleted. Interrupted
/// anywhere it is begun again and goes on with what is there; until it is through, the checkpoints that both have in common still hold.
/// </summary>
/// <param name="directory">that is written; its lock is held</param>
/// <param name="note">told of what was set aside</param>
internal sealed class CheckpointCopier(RunDirectory directory, Action<string> note) : IDisposable
{
    private readonly IFiles _files = directory.Files;
    private readonly CheckpointStore _store = new(directory.Checkpoints, directory.Files, keep: 2);
    // Checked since this was made.
    private readonly HashSet<CheckpointName> _whole = [];
    private readonly Dictionary<string, AppendLog> _live = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ListedFile> _closed = new(StringComparer.Ordinal);
    // Where things are set aside in this go; null: nothing was.
    private string? _aside;

    /// <summary>Brings all that a listing names.</summary>
    /// <param name="listing">of the other node</param>
    /// <param name="isLeader">whether it has the learner: what it does not keep goes here, too</param>
    /// <param name="pull">brings its files</param>
    /// <exception cref="InvalidDataException">what came is not what was listed</exception>
    /// <exception cref="IOException">something is gone there, or cannot be written here</exception>
    public void Bring(CheckpointListing listing, bool isLeader, Pull pull)
    {
        _aside = null;
        var held = listing.Checkpoints.Where(Holds).ToList();
        var missing = listing.Checkpoints.Except(held).ToList();
        missing.RemoveAll(listed => !TryFetch(listed, isNewest: listed.Name == listing.Newest, pull));
        // Until there both have the same logs.
        var common = held.Count > 0 ? _store.LoadState(held[0].Name).Logs : new Dictionary<string, LogMark>();
        var foreign = _store.List().Where(name => held.All(listed => listed.Name != name)).ToList();
        if (foreign.Any(name => name.CompareTo(listing.Newest) > 0 || missing.Any(listed => listed.Name == name)))
            SetAside(foreign);
        foreach (var log in listing.Logs)
            Bring(log, common.GetValueOrDefault(log.Name) ?? LogMark.Empty, foreign, pull);
        CloseLogs(listing, isLeader);
        _files.SyncFolder(directory.Root);
        // The oldest first: each of them finds those there that it needs.
        foreach (var listed in Enumerable.Reverse(missing))
        {
            _store.CommitCopy(listed.Name);
            _whole.Add(listed.Name);
        }
        foreach (var other in listing.Others)
            Replace(other, pull);
        foreach (var old in _store.List().Where(name => isLeader && listing.Checkpoints.All(listed => listed.Name != name)))
            _store.Remove(old);
        _store.DeleteUnfinished();
    }

    public void Dispose()
    {
        foreach (var log in _live.Values)
            log.Dispose();
    }

    private bool Holds(ListedCheckpoint listed)
    {
        if (!_files.FolderExists(_store.PathOf(listed.Name)))
            return false;
        if (!_whole.Contains(listed.Name) && !_store.IsWhole(listed.Name, (name, reason) => note($"checkpoint {name} is damaged and was set aside: {reason}")))
            return false;
        _whole.Add(listed.Name);
        return _store.FilesOf(listed.Name).Select(file => new ListedFile(file.Name, file.Bytes, file.Hash)).Order(ByName).SequenceEqual(listed.Files.Order(ByName));
    }

    private static Comparer<ListedFile> ByName { get; } = Comparer<ListedFile>.Create((a, b) => string.CompareOrdinal(a.Name, b.Name));

    private bool TryFetch(ListedCheckpoint listed, bool isNewest, Pull pull)
    {
        try
        {
            Fetch(listed, pull);
            return true;
        }
        // There, too, a learner would pass over it.
        catch (InvalidDataException e) when (!isNewest)
        {
            note($"checkpoint {listed.Name} was left out: {e.Message}");
            return false;
        }
    }

    private void Fetch(ListedCheckpoint listed, Pull pull)
    {
        var folder = _store.BeginCopy(listed.Name);
        foreach (var file in listed.Files)
            if (Path.Combine(folder, file.Name) is var path && !Is(path, file))
                Write(path, ServedFiles.ThingOf(listed.Name, file), file, pull);
        _store.CheckCopy(listed.Name);
    }

    private void Bring(ListedFile wanted, LogMark known, IReadOnlyList<CheckpointName> foreign, Pull pull)
    {
        if (_closed.GetValueOrDefault(wanted.Name) == wanted)
            return;
        if (!_live.TryGetValue(wanted.Name, out var log))
        {
            _live[wanted.Name] = log = new AppendLog(_files, Path.Combine(directory.Root, wanted.Name));
            log.TakeUp(log.Length);
        }
        var goal = new LogMark(wanted.Length, wanted.Hash);
        if (log.Length <= wanted.Length)
        {
            var before = log.Mark;
            Append(log, wanted, pull);
            if (log.Mark == goal)
            {
                log.Sync();
                return;
            }
            log.CutTo(before);
        }
        else if (log.TakeUp(wanted.Length) == goal)
        {
            // What another learner, or this node's, had begun on and no checkpoint covers.
            KeepTail(log, wanted.Length);
            log.CutTo(goal);
            return;
        }
        if (log.Length > 0)
            SetAside(foreign);
        var common = log.Length >= known.Length && log.TakeUp(known.Length) == known ? known : LogMark.Empty;
        KeepTail(log, common.Length);
        log.CutTo(common);
        Append(log, wanted, pull);
        if (log.Mark != goal)
        {
            log.CutTo(common);
            throw new InvalidDataException($"{wanted.Name} came otherwise than it was listed");
        }
        log.Sync();
    }

    private static void Append(AppendLog log, ListedFile wanted, Pull pull) => pull(ServedFiles.ThingOf(wanted), log.Length, wanted.Length, piece => log.Append(piece.Span));

    // Segments that the learner does not have any more, or never had; closed ones are not written again.
    private void CloseLogs(CheckpointListing listing, bool isLeader)
    {
        var last = directory.Logs.SelectMany(log => listing.Logs.Select(file => LogSegments.BeginOf(Path.GetFileName(log), file.Name))).Max() ?? 0;
        foreach (var log in directory.Logs)
        {
            foreach (var begin in LogSegments.In(_files, log))
            {
                var path = LogSegments.PathOf(log, begin);
                var file = listing.Logs.FirstOrDefault(file => file.Name == Path.GetFileName(path));
                if (begin < last || file is null)
                    if (_live.Remove(Path.GetFileName(path), out var closed))
                        closed.Dispose();
                if (file is not null)
                {
                    if (begin < last)
                        _closed[file.Name] = file;
                    continue;
                }
                _closed.Remove(Path.GetFileName(path));
                if (begin > last || _aside is not null)
                    _files.Rename(path, Path.Combine(Aside(), Path.GetFileName(path)));
                else if (isLeader && (!directory.LastingLogs.Contains(log) || IsEmpty(path)))
                    _files.DeleteFile(path);
            }
        }
    }

    private void Replace(ListedFile wanted, Pull pull)
    {
        var path = Path.Combine(directory.Root, wanted.Name);
        if (Is(path, wanted))
            return;
        var aside = path + ".writing";
        Write(aside, ServedFiles.ThingOf(wanted), wanted, pull);
        if (!Is(aside, wanted))
            throw new InvalidDataException($"{wanted.Name} came otherwise than it was listed");
        _files.Rename(aside, path);
        _files.SyncFolder(directory.Root);
    }

    private void Write(string path, string thing, ListedFile file, Pull pull)
    {
        using var stream = _files.Create(path);
        pull(thing, 0, file.Length, piece => stream.Write(piece.Span));
        _files.Sync(stream);
    }

    private bool Is(string path, ListedFile file)
    {
        if (!_files.FileExists(path))
            return false;
        using var stream = _files.OpenRead(path);
        return stream.Length == file.Length && ContentHash.Of(stream) == file.Hash;
    }

    private bool IsEmpty(string path)
    {
        using var stream = _files.OpenRead(path);
        return stream.Length == 0;
    }

    // The newest first: whatever is left is a run that can go on.
    private void SetAside(IReadOnlyList<CheckpointName> foreign)
    {
        foreach (var name in foreign.Where(name => _files.FolderExists(_store.PathOf(name))))
        {
            _files.Rename(_store.PathOf(name), Path.Combine(Aside(), name.ToString()));
            _whole.Remove(name);
        }
        _files.SyncFolder(Aside());
        _files.SyncFolder(directory.Checkpoints);
    }

    private void KeepTail(AppendLog log, long from)
    {
        if (log.Length <= from)
            return;
        using var source = _files.OpenRead(log.Path);
        source.Position = from;
        using var copy = _files.Create(Path.Combine(Aside(), Path.GetFileName(log.Path)));
        source.CopyTo(copy);
        _files.Sync(copy);
        // Before the log is cut: a name that is not durable goes with the power.
        _files.SyncFolder(Aside());
    }

    private string Aside()
    {
        if (_aside is not null)
            return _aside;
        _files.CreateFolder(directory.Diverged);
        _files.SyncFolder(directory.Root);
        var number = 1;
        while (_files.FolderExists(_aside = Path.Combine(directory.Diverged, $"{number:D6}")))
            number++;
        _files.CreateFolder(_aside);
        _files.SyncFolder(directory.Diverged);
        note($"what this node had that the learner's history does not hold was set aside in {_aside}");
        return _aside;
    }
}
