using MassDpo.Shared.Files;

namespace MassDpo.App.Tests.Running;

/// <summary>
/// Real files, of which a copy is taken just before one of the steps by which they change, as a process leaves them that is killed there. Of what is appended just then, half is there.
/// </summary>
public sealed class KilledFiles(long at, Action kill) : IFiles
{
    private readonly PhysicalFiles _files = PhysicalFiles.Instance;

    /// <summary>Steps so far.</summary>
    public long Steps { get; private set; }

    public bool FileExists(string path) => _files.FileExists(path);

    public bool FolderExists(string path) => _files.FolderExists(path);

    public void CreateFolder(string path)
    {
        Step();
        _files.CreateFolder(path);
    }

    public IReadOnlyList<string> List(string folder) => _files.List(folder);

    public Stream OpenRead(string path) => _files.OpenRead(path);

    public Stream Create(string path)
    {
        Step();
        return _files.Create(path);
    }

    public void Sync(Stream file)
    {
        Step();
        _files.Sync(file);
    }

    public void SyncFolder(string folder)
    {
        Step();
        _files.SyncFolder(folder);
    }

    public void Rename(string from, string to)
    {
        Step();
        _files.Rename(from, to);
    }

    public void DeleteFile(string path)
    {
        Step();
        _files.DeleteFile(path);
    }

    public void DeleteFolder(string path)
    {
        Step();
        _files.DeleteFolder(path);
    }

    public IAppendFile OpenAppend(string path)
    {
        Step();
        return new AppendFile(this, _files.OpenAppend(path));
    }

    public IDisposable? TryLock(string path) => _files.TryLock(path);

    private bool IsNext => Steps == at;

    private void Step()
    {
        if (IsNext)
            kill();
        Steps++;
    }

    private sealed class AppendFile(KilledFiles files, IAppendFile inner) : IAppendFile
    {
        public long Length => inner.Length;

        public void Append(ReadOnlySpan<byte> bytes)
        {
            var half = files.IsNext ? bytes.Length / 2 : 0;
            inner.Append(bytes[..half]);
            files.Step();
            inner.Append(bytes[half..]);
        }

        public void Sync()
        {
            files.Step();
            inner.Sync();
        }

        public void Truncate(long length)
        {
            files.Step();
            inner.Truncate(length);
        }

        public void Dispose() => inner.Dispose();
    }
}
