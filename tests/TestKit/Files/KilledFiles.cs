using MassDpo.Shared.Files;

namespace MassDpo.TestKit.Files;

/// <summary>
/// Real files, and a death at chosen ones of the steps by which they change. It comes just before the step, but that half of what is then written, appended or deleted is
/// done already. Where whoever kills comes back the step goes on as if nothing had been.
/// </summary>
/// <param name="isNow">asked at every step, the names being those of <see cref="FileStep"/></param>
/// <param name="kill">called in the middle of the step</param>
public sealed class KilledFiles(Func<FileStep, bool> isNow, Action kill) : IFiles
{
    private readonly PhysicalFiles _files = PhysicalFiles.Instance;

    public bool FileExists(string path) => _files.FileExists(path);

    public bool FolderExists(string path) => _files.FolderExists(path);

    public void CreateFolder(string path)
    {
        Step("create", path);
        _files.CreateFolder(path);
    }

    public IReadOnlyList<string> List(string folder) => _files.List(folder);

    public Stream OpenRead(string path) => _files.OpenRead(path);

    public IReadFile OpenReadAt(string path) => _files.OpenReadAt(path);

    public Stream Create(string path)
    {
        Step("create", path);
        return new WrittenStream(this, path, _files.Create(path));
    }

    public void Sync(Stream file)
    {
        var written = (WrittenStream)file;
        Step("sync", written.Path);
        _files.Sync(written.Inner);
    }

    public void SyncFolder(string folder)
    {
        Step("sync-folder", folder);
        _files.SyncFolder(folder);
    }

    public void Rename(string from, string to)
    {
        Step("rename", from);
        _files.Rename(from, to);
    }

    public void DeleteFile(string path)
    {
        Step("delete", path);
        _files.DeleteFile(path);
    }

    public void DeleteFolder(string path)
    {
        Step("delete", path, () =>
        {
            var files = Directory.GetFiles(path, "*", SearchOption.AllDirectories);
            foreach (var file in files.Order(StringComparer.Ordinal).Take(files.Length / 2))
                File.Delete(file);
        });
        _files.DeleteFolder(path);
    }

    public IAppendFile OpenAppend(string path)
    {
        Step("create", path);
        return new AppendFile(this, path, _files.OpenAppend(path));
    }

    public IDisposable? TryLock(string path) => _files.TryLock(path);

    private void Step(string name, string path) => Step(name, path, () => { });

    private void Step(string name, string path, Action half)
    {
        if (!isNow(new FileStep(name, path)))
            return;
        half();
        kill();
    }

    private sealed class WrittenStream(KilledFiles files, string path, Stream inner) : Stream
    {
        public string Path => path;

        public Stream Inner => inner;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            var half = 0;
            var first = buffer[..(buffer.Length / 2)].ToArray();
            files.Step("write", path, () =>
            {
                inner.Write(first);
                inner.Flush();
                half = first.Length;
            });
            inner.Write(buffer[half..]);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
        }
    }

    private sealed class AppendFile(KilledFiles files, string path, IAppendFile inner) : IAppendFile
    {
        public long Length => inner.Length;

        public void Append(ReadOnlySpan<byte> bytes)
        {
            var half = 0;
            // Two lines of one length are appended in one piece: their middle is between them, and nothing would be torn.
            var middle = bytes.Length / 2;
            var first = bytes[..(middle > 0 && bytes[middle - 1] == '\n' ? middle - 1 : middle)].ToArray();
            files.Step("append", path, () =>
            {
                inner.Append(first);
                half = first.Length;
            });
            inner.Append(bytes[half..]);
        }

        public void Sync()
        {
            files.Step("sync", path);
            inner.Sync();
        }

        public void Truncate(long length)
        {
            files.Step("truncate", path);
            inner.Truncate(length);
        }

        public void Dispose() => inner.Dispose();
    }
}
