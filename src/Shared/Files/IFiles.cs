namespace MassDpo.Shared.Files;

/// <summary>
/// The one seam through which a run touches its output directory, so that a test can make a disk fill up or a process die between any two steps.
/// Errors are those of <see cref="System.IO"/>.
/// </summary>
public interface IFiles
{
    bool FileExists(string path);

    bool FolderExists(string path);

    void CreateFolder(string path);

    /// <summary>Names of the files and folders directly below, sorted.</summary>
    IReadOnlyList<string> List(string folder);

    Stream OpenRead(string path);

    /// <summary>A file to be read anywhere in it, also while it grows. On systems that can, it stays readable when its name is deleted.</summary>
    IReadFile OpenReadAt(string path);

    /// <summary>A new file, or an emptied one. It is durable only after <see cref="Sync"/>.</summary>
    Stream Create(string path);

    /// <summary>Makes what was written to a stream of <see cref="Create"/> durable.</summary>
    void Sync(Stream file);

    /// <summary>Makes the names in a folder durable: what was created, renamed or deleted in it.</summary>
    void SyncFolder(string folder);

    /// <summary>Renames a file or folder, replacing a file of that name. Atomic within a file system.</summary>
    void Rename(string from, string to);

    void DeleteFile(string path);

    void DeleteFolder(string path);

    /// <summary>A file that only ever grows; it is created where it is absent.</summary>
    IAppendFile OpenAppend(string path);

    /// <summary>A lock that one process holds until the result is disposed or the process ends; null where another holds it.</summary>
    IDisposable? TryLock(string path);
}

/// <summary>A file open for reading at any place. Thread-safe.</summary>
public interface IReadFile : IDisposable
{
    /// <summary>Bytes, now.</summary>
    long Length { get; }

    /// <summary>Reads from a place on until <paramref name="bytes"/> is full or the file ends; returns how many were read.</summary>
    int ReadAt(long offset, Span<byte> bytes);
}

/// <summary>A file open for appending.</summary>
public interface IAppendFile : IDisposable
{
    long Length { get; }

    /// <summary>Appends. What does not fit is an <see cref="IOException"/>; part of it may then be there, and the next append is written over it.</summary>
    void Append(ReadOnlySpan<byte> bytes);

    /// <summary>Makes all that was appended durable.</summary>
    void Sync();

    /// <summary>Cuts the file back.</summary>
    void Truncate(long length);
}
