using System.Buffers;
using System.Globalization;
using MassDpo.Shared.Files;

namespace MassDpo.Selection.References;

/// <summary>
/// Log-probabilities by key on disk, bounded in bytes, in a directory that processes share. Each process has a folder of its own in it, the first that nobody holds,
/// and appends to segments there; what lies in the others' folders when it opens it finds too. When a folder is full its oldest segment goes whole.
/// Nothing is made durable: an entry is served only if its checksums hold, so what a crash or the disk took is missing, never wrong. A disk that is full or fails
/// keeps nothing new, which is told and disturbs nobody. Thread-safe.
/// </summary>
public sealed class ReferenceStore : IDisposable
{
    private const string Extension = ".references";
    private const int MostFolders = 10_000;

    // A full folder is so many segments.
    private const int Segments = 8;

    private readonly IFiles _files;
    private readonly string _folder;
    private readonly long _maxBytes;
    private readonly Action<string> _note;
    private readonly IDisposable _held;
    private readonly ReaderWriterLockSlim _lock = new();
    // In the order of their numbers; the last one grows.
    private readonly List<ReferenceSegment> _own = [];
    private readonly List<ReferenceSegment> _others = [];
    private readonly ArrayBufferWriter<byte> _written = new();
    private readonly List<(UInt128 Key, int Numbers)> _entries = [];
    private IAppendFile? _growing;
    private long _next = 1;
    private long _damaged;
    private bool _hasFailed;
    private bool _isDisposed;

    private ReferenceStore(IFiles files, string folder, long maxBytes, Action<string> note, IDisposable held) =>
        (_files, _folder, _maxBytes, _note, _held) = (files, folder, maxBytes, note, held);

    /// <summary>The smallest bound that makes sense.</summary>
    public const long LeastBytes = 64 << 10;

    /// <summary>Bytes in this process's folder.</summary>
    public long Bytes => Locked(() => _own.Sum(segment => segment.Length));

    /// <summary>Entries that can be found.</summary>
    public long Count => Locked(() => _own.Concat(_others).Sum(segment => (long)segment.Count));

    /// <summary>Entries and stretches that were not what was written, and were passed over.</summary>
    public long Damaged => Interlocked.Read(ref _damaged);

    /// <summary>Opens a directory, creating it where it is absent.</summary>
    /// <param name="directory">that processes share</param>
    /// <param name="maxBytes">of this process's folder, at least <see cref="LeastBytes"/></param>
    /// <param name="files">the file system</param>
    /// <param name="note">told, in a sentence, of what was cut off, passed over or cannot be written; from any thread</param>
    /// <exception cref="IOException">it cannot be written or read</exception>
    public static ReferenceStore Open(string directory, long maxBytes, IFiles files, Action<string> note)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, LeastBytes);
        try
        {
            var (folder, held) = TakeFolder(directory, files);
            var store = new ReferenceStore(files, folder, maxBytes, note, held);
            try
            {
                store.Load(directory);
                return store;
            }
            catch
            {
                store.Dispose();
                throw;
            }
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            throw new IOException($"reference log-probabilities cannot be kept in {directory}: {e.Message} Name a directory that can be written and read as selection.reference-cache-directory, or \"\" for none", e);
        }
    }

    /// <summary>The log-probabilities of a key, of which there must be so many; null: they are not here.</summary>
    public float[]? Find(UInt128 key, int numbers)
    {
        ReferenceSegment? bad = null;
        _lock.EnterReadLock();
        try
        {
            if (SegmentOf(key) is not { } segment)
                return null;
            if (segment.TryRead(key, numbers) is { } found)
                return found;
            bad = segment;
        }
        finally
        {
            _lock.ExitReadLock();
        }
        _lock.EnterWriteLock();
        try
        {
            bad.Remove(key);
        }
        finally
        {
            _lock.ExitWriteLock();
        }
        if (Interlocked.Increment(ref _damaged) == 1)
            _note($"{bad.Path} is damaged: what is in it no more as it was written is computed anew");
        return null;
    }

    /// <summary>Keeps what is not here yet, written in one go. What the disk does not take is not kept.</summary>
    public void Append(IReadOnlyList<(UInt128 Key, float[] Logps)> entries)
    {
        _lock.EnterWriteLock();
        try
        {
            if (_isDisposed)
                return;
            foreach (var (key, logps) in entries)
            {
                var size = ReferenceSegment.SizeOf(logps.Length);
                if (logps.Length == 0 || ReferenceSegment.Magic.Length + size > SegmentBytes || SegmentOf(key) is not null)
                    continue;
                if (_growing is null || _own[^1].Length + _written.WrittenCount + size > SegmentBytes)
                {
                    Flush();
                    Begin();
                }
                ReferenceSegment.Write(_written, key, logps);
                _entries.Add((key, logps.Length));
            }
            Flush();
            _hasFailed = false;
        }
        catch (Exception e) when (IsOfDisk(e))
        {
            // Once, until it works again. What was written of it lies after what is whole, and the next try begins there.
            if (!_hasFailed)
                _note($"{_folder} takes no more reference log-probabilities: {e.Message} The run goes on without keeping them");
            _hasFailed = true;
        }
        finally
        {
            _written.ResetWrittenCount();
            _entries.Clear();
            _lock.ExitWriteLock();
        }
    }

    public void Dispose()
    {
        _lock.EnterWriteLock();
        try
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            _growing?.Dispose();
            foreach (var segment in _own.Concat(_others))
                segment.Dispose();
            _held.Dispose();
        }
        finally
        {
            _lock.ExitWriteLock();
        }
    }

    private long SegmentBytes => _maxBytes / Segments;

    private T Locked<T>(Func<T> ask)
    {
        _lock.EnterReadLock();
        try
        {
            return ask();
        }
        finally
        {
            _lock.ExitReadLock();
        }
    }

    // The newest of this process's, else any of the others'.
    private ReferenceSegment? SegmentOf(UInt128 key)
    {
        if (_isDisposed)
            return null;
        for (var i = _own.Count - 1; i >= 0; i--)
            if (_own[i].Contains(key))
                return _own[i];
        foreach (var segment in _others)
            if (segment.Contains(key))
                return segment;
        return null;
    }

    private void Flush()
    {
        if (_entries.Count == 0)
            return;
        _growing!.Append(_written.WrittenSpan);
        foreach (var (key, numbers) in _entries)
            _own[^1].Add(key, numbers);
        _written.ResetWrittenCount();
        _entries.Clear();
    }

    // The next segment, and room for it.
    private void Begin()
    {
        _growing?.Dispose();
        _growing = null;
        MakeRoom(SegmentBytes);
        var path = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_next:D8}{Extension}"));
        var file = _files.OpenAppend(path);
        try
        {
            // What an attempt that failed has left.
            if (file.Length > 0)
                file.Truncate(0);
            file.Append(ReferenceSegment.Magic);
            _own.Add(ReferenceSegment.New(_files, path));
            _growing = file;
            _next++;
        }
        finally
        {
            if (_growing is null)
                file.Dispose();
        }
    }

    private void MakeRoom(long bytes)
    {
        while (_own.Count > 0 && _own.Sum(segment => segment.Length) + bytes > _maxBytes)
        {
            _own[0].Dispose();
            var path = _own[0].Path;
            _own.RemoveAt(0);
            _files.DeleteFile(path);
        }
    }

    private static (string Folder, IDisposable Held) TakeFolder(string directory, IFiles files)
    {
        for (var i = 0; i < MostFolders; i++)
        {
            var folder = Path.Combine(directory, i.ToString("D4", CultureInfo.InvariantCulture));
            files.CreateFolder(folder);
            if (files.TryLock(Path.Combine(folder, "lock")) is { } held)
                return (folder, held);
        }
        throw new IOException($"{MostFolders} processes hold all its folders.");
    }

    private void Load(string directory)
    {
        foreach (var path in SegmentsIn(_folder))
            LoadOwn(path);
        foreach (var folder in _files.List(directory).Select(name => Path.Combine(directory, name)).Where(folder => folder != _folder && _files.FolderExists(folder)))
            foreach (var path in SegmentsIn(folder))
                LoadOther(path);
        MakeRoom(0);
        if (_own.Count > 0 && _own[^1].Length < SegmentBytes)
            _growing = _files.OpenAppend(_own[^1].Path);
    }

    private IEnumerable<string> SegmentsIn(string folder) =>
        _files.List(folder).Where(name => NumberOf(name) is not null).OrderBy(name => NumberOf(name)).Select(name => Path.Combine(folder, name));

    private static long? NumberOf(string name) => Path.GetExtension(name) == Extension
        && long.TryParse(Path.GetFileNameWithoutExtension(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private void LoadOwn(string path)
    {
        _next = NumberOf(Path.GetFileName(path))!.Value + 1;
        switch (ReferenceSegment.KindOf(_files, path))
        {
            case SegmentKind.Foreign:
                _note($"{path} is no segment of this version: it is left as it is. Delete it if no other version of the program needs it");
                return;
            case SegmentKind.Torn:
                _files.DeleteFile(path);
                return;
        }
        var segment = ReferenceSegment.Load(_files, path);
        _own.Add(segment);
        if (segment.Tail > 0)
        {
            _note($"the last {segment.Tail} bytes of {path} are no whole entry, as a crash leaves them, and are cut off");
            using var file = _files.OpenAppend(path);
            file.Truncate(segment.Length);
        }
        Interlocked.Add(ref _damaged, segment.Damaged);
        if (segment.Damaged > 0)
            _note($"{path} is damaged in {segment.Damaged} places: what stood there is computed anew");
    }

    // Whoever holds it may be writing it, or deleting it.
    private void LoadOther(string path)
    {
        try
        {
            if (ReferenceSegment.KindOf(_files, path) == SegmentKind.Whole)
                _others.Add(ReferenceSegment.Load(_files, path));
        }
        catch (Exception e) when (IsOfDisk(e))
        {
        }
    }

    private static bool IsOfDisk(Exception e) => e is IOException or UnauthorizedAccessException;
}
