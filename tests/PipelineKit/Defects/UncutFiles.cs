using MassDpo.Shared.Files;

namespace MassDpo.PipelineKit.Defects;

/// <summary>Files that are never cut back.</summary>
public sealed class UncutFiles(IFiles inner) : IFiles
{
    public bool FileExists(string path) => inner.FileExists(path);

    public bool FolderExists(string path) => inner.FolderExists(path);

    public void CreateFolder(string path) => inner.CreateFolder(path);

    public IReadOnlyList<string> List(string folder) => inner.List(folder);

    public Stream OpenRead(string path) => inner.OpenRead(path);

    public IReadFile OpenReadAt(string path) => inner.OpenReadAt(path);

    public Stream Create(string path) => inner.Create(path);

    public void Sync(Stream file) => inner.Sync(file);

    public void SyncFolder(string folder) => inner.SyncFolder(folder);

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void DeleteFile(string path) => inner.DeleteFile(path);

    public void DeleteFolder(string path) => inner.DeleteFolder(path);

    public IAppendFile OpenAppend(string path) => new UncutFile(inner.OpenAppend(path));

    public IDisposable? TryLock(string path) => inner.TryLock(path);
}

internal sealed class UncutFile(IAppendFile inner) : IAppendFile
{
    public long Length => inner.Length;

    public void Append(ReadOnlySpan<byte> bytes) => inner.Append(bytes);

    public void Sync() => inner.Sync();

    public void Truncate(long length)
    {
    }

    public void Dispose() => inner.Dispose();
}
