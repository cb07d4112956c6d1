using MassDpo.Shared.Files;

namespace MassDpo.TestKit.Files;

/// <summary>What a fault does to the step that it hits.</summary>
public enum Fault
{
    /// <summary>The disk is full: an <see cref="IOException"/>. A write or append leaves half of its bytes.</summary>
    NoSpace,
    /// <summary>The disk is mounted read-only: an <see cref="IOException"/>, and nothing changes.</summary>
    ReadOnly,
    /// <summary>The process dies: a <see cref="SimulatedCrashException"/>, here and at whatever it tries after. A write, append or deletion is half done.</summary>
    Crash,
}

/// <summary>The process is dead.</summary>
public sealed class SimulatedCrashException() : Exception("simulated crash");

/// <summary>One step that changes the disk, as the journal holds it.</summary>
/// <param name="Name"><c>create</c>, <c>write</c>, <c>sync</c>, <c>sync-folder</c>, <c>rename</c>, <c>delete</c>, <c>append</c>, <c>truncate</c> or <c>lock</c></param>
/// <param name="Path">whose; of a rename the old one</param>
public readonly record struct FileStep(string Name, string Path)
{
    public override string ToString() => $"{Name} {System.IO.Path.GetFileName(Path)}";
}

/// <summary>
/// Real files with faults at chosen steps. Every step that changes the disk is counted and named. It can also take back what was not made durable, as a power
/// cut may. Syncing costs nothing here: what is durable is kept in the books alone. One thread at a time.
/// </summary>
public sealed class FaultyFiles : IFiles
{
    private readonly IFiles _files = PhysicalFiles.Instance;
    private readonly List<FileStep> _journal = [];
    // Durable bytes of each file that was written here; of others all are.
    private readonly Dictionary<string, long> _durable = new(StringComparer.Ordinal);
    // Changes of names that no sync of their folder has made durable, in their order.
    private readonly List<NameChange> _names = [];
    private Func<FileStep, Fault?> _plan = _ => null;
    private bool _isDead;

    /// <summary>The steps taken so far, the one with the fault included.</summary>
    public IReadOnlyList<FileStep> Journal => _journal;

    /// <summary>Whether the planned fault has come.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Plans a fault at the <paramref name="step"/>-th step from now, the first being 1. <paramref name="lasting"/>: at all after it too, until <see cref="Mend"/>.</summary>
    public void FailAt(int step, Fault fault, bool lasting = false)
    {
        var left = step;
        HasFailed = false;
        _plan = _ => --left == 0 || (lasting && left < 0) ? fault : null;
    }

    /// <summary>Plans a fault at every step that <paramref name="when"/> says.</summary>
    public void FailWhen(Func<FileStep, bool> when, Fault fault)
    {
        HasFailed = false;
        _plan = step => when(step) ? fault : null;
    }

    /// <summary>No more faults; a dead process is alive again.</summary>
    public void Mend()
    {
        _plan = _ => null;
        _isDead = false;
    }

    /// <summary>
    /// Takes back what was not durable: bytes that were not synced are cut off, and <paramref name="names"/>: folders have the entries they had when they were last synced.
    /// </summary>
    public void CutPower(bool names)
    {
        for (; names && _names.Count > 0; _names.RemoveAt(_names.Count - 1))
            _names[^1].Undo();
        _names.Clear();
        foreach (var (path, bytes) in _durable)
        {
            if (!File.Exists(path))
                continue;
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            if (file.Length > bytes)
                file.SetLength(bytes);
        }
    }

    public bool FileExists(string path) => Alive(() => _files.FileExists(path));

    public bool FolderExists(string path) => Alive(() => _files.FolderExists(path));

    public IReadOnlyList<string> List(string folder) => Alive(() => _files.List(folder));

    public Stream OpenRead(string path) => Alive(() => _files.OpenRead(path));

    public IReadFile OpenReadAt(string path) => Alive(() => _files.OpenReadAt(path));

    public IDisposable? TryLock(string path)
    {
        Step("lock", path);
        return _files.TryLock(path);
    }

    public void CreateFolder(string path)
    {
        if (Alive(() => _files.FolderExists(path)))
            return;
        Step("create", path);
        _files.CreateFolder(path);
        Changed(path, p =>
        {
            if (Directory.Exists(p))
                Directory.Delete(p, recursive: true);
        });
    }

    public Stream Create(string path)
    {
        Step("create", path);
        var isNew = !File.Exists(path);
        var stream = new FaultyStream(this, path, _files.Create(path));
        _durable[path] = 0;
        if (isNew)
            Changed(path, File.Delete);
        return stream;
    }

    public void Sync(Stream file)
    {
        var stream = (FaultyStream)file;
        stream.Flush();
        Step("sync", stream.Path);
        _durable[stream.Path] = stream.Length;
    }

    public void SyncFolder(string folder)
    {
        Step("sync-folder", folder);
        _names.RemoveAll(change => Path.GetDirectoryName(change.Path) == folder);
    }

    public void Rename(string from, string to)
    {
        Step("rename", from);
        var replaced = File.Exists(to) ? File.ReadAllBytes(to) : null;
        _files.Rename(from, to);
        Rebase(from, to);
        Changed(to, path =>
        {
            if (!File.Exists(path) && !Directory.Exists(path))
                return;
            _files.Rename(path, from);
            Rebase(path, from);
            if (replaced is not null)
                File.WriteAllBytes(path, replaced);
        });
    }

    public void DeleteFile(string path)
    {
        Step("delete", path);
        var bytes = File.ReadAllBytes(path);
        _files.DeleteFile(path);
        Changed(path, p => File.WriteAllBytes(p, bytes));
    }

    public void DeleteFolder(string path)
    {
        var files = Alive(() => Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList());
        Step("delete", path, () =>
        {
            foreach (var file in files.Take(files.Count / 2))
                File.Delete(file);
        });
        var contents = files.ToDictionary(file => Path.GetRelativePath(path, file), File.ReadAllBytes);
        _files.DeleteFolder(path);
        Changed(path, p =>
        {
            foreach (var (name, bytes) in contents)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(p, name))!);
                File.WriteAllBytes(Path.Combine(p, name), bytes);
            }
        });
    }

    public IAppendFile OpenAppend(string path)
    {
        if (!Alive(() => _files.FileExists(path)))
        {
            Step("create", path);
            _durable[path] = 0;
            Changed(path, File.Delete);
        }
        var file = _files.OpenAppend(path);
        _durable.TryAdd(path, file.Length);
        return new FaultyAppendFile(this, path, file);
    }

    private T Alive<T>(Func<T> ask) => _isDead ? throw new SimulatedCrashException() : ask();

    // The step happens after this, unless a fault keeps it from it; then what is half of it may.
    private void Step(string name, string path, Action? half = null)
    {
        if (_isDead)
            throw new SimulatedCrashException();
        var step = new FileStep(name, path);
        _journal.Add(step);
        if (_plan(step) is not { } fault)
            return;
        HasFailed = true;
        _isDead = fault == Fault.Crash;
        if (half is not null && (fault == Fault.Crash || (fault == Fault.NoSpace && name is "write" or "append")))
            half();
        throw fault switch
        {
            Fault.Crash => new SimulatedCrashException(),
            Fault.ReadOnly => new IOException($"Read-only file system : '{path}'"),
            _ => new IOException($"No space left on device : '{path}'"),
        };
    }

    private void Changed(string path, Action<string> undo) => _names.Add(new NameChange(path, undo));

    // What lay below one path lies below another now.
    private void Rebase(string from, string to)
    {
        string Moved(string path) => path == from || path.StartsWith(from + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? to + path[from.Length..] : path;
        foreach (var (path, bytes) in _durable.Where(file => Moved(file.Key) != file.Key).ToList())
        {
            _durable.Remove(path);
            _durable[Moved(path)] = bytes;
        }
        foreach (var change in _names)
            change.Path = Moved(change.Path);
    }

    private sealed class NameChange(string path, Action<string> undo)
    {
        public string Path { get; set; } = path;

        // The folder that it happened in may be gone, and durably.
        public void Undo()
        {
            if (Directory.Exists(System.IO.Path.GetDirectoryName(Path)))
                undo(Path);
        }
    }

    /// <summary>Keeps what is written until it is synced or closed, as the real one does with small files: one step each.</summary>
    private sealed class FaultyStream(FaultyFiles files, string path, Stream inner) : Stream
    {
        private readonly MemoryStream _buffer = new();

        public string Path => path;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => inner.Length + _buffer.Length;

        public override long Position
        {
            get => Length;
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _buffer.Write(buffer);
            if (_buffer.Length > 1 << 16)
                Flush();
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            if (_buffer.Length == 0)
                return;
            var bytes = _buffer.ToArray();
            _buffer.SetLength(0);
            files.Step("write", path, () => WriteThrough(bytes.AsSpan(0, bytes.Length / 2)));
            WriteThrough(bytes);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (!disposing || !inner.CanWrite)
                return;
            try
            {
                if (!files._isDead)
                    Flush();
            }
            finally
            {
                inner.Dispose();
            }
        }

        private void WriteThrough(ReadOnlySpan<byte> bytes)
        {
            inner.Write(bytes);
            inner.Flush();
        }
    }

    private sealed class FaultyAppendFile(FaultyFiles files, string path, IAppendFile inner) : IAppendFile
    {
        public long Length => inner.Length;

        public void Append(ReadOnlySpan<byte> bytes)
        {
            var first = bytes[..(bytes.Length / 2)].ToArray();
            // Half of the bytes lie in the file, though the writer never heard that any do.
            files.Step("append", path, () => File.AppendAllBytes(path, first));
            inner.Append(bytes);
        }

        public void Sync()
        {
            files.Step("sync", path);
            files._durable[path] = inner.Length;
        }

        public void Truncate(long length)
        {
            files.Step("truncate", path);
            inner.Truncate(length);
            files._durable[path] = Math.Min(files._durable[path], length);
        }

        public void Dispose() => inner.Dispose();
    }
}
