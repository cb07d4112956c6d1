using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MassDpo.Shared.Files;

/// <summary>The real file system.</summary>
public sealed partial class PhysicalFiles : IFiles
{
    public static PhysicalFiles Instance { get; } = new();

    public bool FileExists(string path) => File.Exists(path);

    public bool FolderExists(string path) => Directory.Exists(path);

    public void CreateFolder(string path) => Directory.CreateDirectory(path);

    public IReadOnlyList<string> List(string folder) =>
        [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    public Stream OpenRead(string path) => new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 16, FileOptions.SequentialScan);

    public IReadFile OpenReadAt(string path) => new ReadFile(path);

    public Stream Create(string path) => new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16);

    public void Sync(Stream file) => ((FileStream)file).Flush(flushToDisk: true);

    public void SyncFolder(string folder)
    {
        // .NET has no way to open a folder. On Windows, where names need no such step, there is none to take.
        if (OperatingSystem.IsWindows())
            return;
        using var handle = Libc.Open(folder, Libc.ReadOnly);
        if (handle.IsInvalid || Libc.FSync(handle) != 0)
            throw new IOException($"cannot make the folder {folder} durable: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    public void Rename(string from, string to)
    {
        if (Directory.Exists(from))
            Directory.Move(from, to);
        else
            File.Move(from, to, overwrite: true);
    }

    public void DeleteFile(string path) => File.Delete(path);

    public void DeleteFolder(string path) => Directory.Delete(path, recursive: true);

    public IAppendFile OpenAppend(string path) => new AppendFile(path);

    public IDisposable? TryLock(string path)
    {
        try
        {
            // FileShare.None is an flock here: the system lets go of it when the process ends, however it ends.
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        // Only this: a file that cannot be opened because its disk is read-only or failing is held by nobody.
        catch (IOException e) when (e.HResult == SharingViolation)
        {
            return null;
        }
    }

    // ERROR_SHARING_VIOLATION on Windows, elsewhere EWOULDBLOCK as the system numbers it.
    private static int SharingViolation => OperatingSystem.IsWindows() ? unchecked((int)0x80070020) : OperatingSystem.IsLinux() ? 11 : 35;

    private sealed class ReadFile(string path) : IReadFile
    {
        private readonly SafeFileHandle _handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

        public long Length => RandomAccess.GetLength(_handle);

        public int ReadAt(long offset, Span<byte> bytes)
        {
            var done = 0;
            while (done < bytes.Length && RandomAccess.Read(_handle, bytes[done..], offset + done) is var read and > 0)
                done += read;
            return done;
        }

        public void Dispose() => _handle.Dispose();
    }

    private sealed class AppendFile : IAppendFile
    {
        private readonly SafeFileHandle _handle;

        public AppendFile(string path)
        {
            _handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            Length = RandomAccess.GetLength(_handle);
        }

        public long Length { get; private set; }

        public void Append(ReadOnlySpan<byte> bytes)
        {
            RandomAccess.Write(_handle, bytes, Length);
            Length += bytes.Length;
        }

        public void Sync() => RandomAccess.FlushToDisk(_handle);

        public void Truncate(long length)
        {
            RandomAccess.SetLength(_handle, length);
            Length = length;
        }

        public void Dispose() => _handle.Dispose();
    }

    private static partial class Libc
    {
        public const int ReadOnly = 0;

        [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
        public static partial SafeFileHandle Open(string path, int flags);

        [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
        public static partial int FSync(SafeFileHandle handle);
    }
}
