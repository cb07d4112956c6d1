using System.Security.Cryptography;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.Learner.Checkpoints;

/// <summary>How long a log is and what it holds: what a checkpoint names of it.</summary>
public sealed record LogMark(long Length, string Hash)
{
    public static LogMark Empty { get; } = new(0, ContentHash.Of([]));
}

/// <summary>
/// A log with one writer. What is appended is durable once <see cref="Sync"/> has returned; a checkpoint names its length and hash, and a resume cuts it
/// back to them.
/// </summary>
public sealed class AppendLog : IDisposable
{
    private readonly IFiles _files;
    private readonly IAppendFile _file;
    private IncrementalHash _hash = NewHash();

    public AppendLog(IFiles files, string path)
    {
        (_files, Path) = (files, path);
        _file = files.OpenAppend(path);
    }

    public string Path { get; }

    /// <summary>Bytes.</summary>
    public long Length => _file.Length;

    public LogMark Mark => new(_file.Length, ContentHash.Current(_hash));

    /// <summary>Appends one line or several.</summary>
    public void Append(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty)
            return;
        _file.Append(line);
        _hash.AppendData(line);
    }

    public void Sync() => _file.Sync();

    /// <summary>Cuts the log back to a mark.</summary>
    /// <exception cref="InvalidDataException">the log does not hold what the mark says</exception>
    public void CutTo(LogMark mark)
    {
        if (_file.Length < mark.Length)
            throw new InvalidDataException($"{Path} has {_file.Length} bytes, but the checkpoint covers {mark.Length}: the log was cut or replaced. Put the log of this run back, or begin anew in an empty output directory");
        Take(mark.Length);
        if (ContentHash.Current(_hash) != mark.Hash)
            throw new InvalidDataException($"the first {mark.Length} bytes of {Path} are not those that the checkpoint covers: the log was edited or damaged. Put the log of this run back, or begin anew in an empty output directory");
        if (_file.Length > mark.Length)
            _file.Truncate(mark.Length);
    }

    /// <summary>What the first bytes are; the log must have as many. Whoever asks cuts the log, or takes all of it up, before anything is appended.</summary>
    /// <exception cref="InvalidDataException">it ends before</exception>
    public LogMark TakeUp(long length)
    {
        Take(length);
        return new LogMark(length, ContentHash.Current(_hash));
    }

    public void Dispose()
    {
        _file.Dispose();
        _hash.Dispose();
    }

    private void Take(long length)
    {
        _hash.Dispose();
        _hash = NewHash();
        using var stream = _files.OpenRead(Path);
        var buffer = new byte[1 << 16];
        for (var left = length; left > 0;)
        {
            var read = stream.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (read == 0)
                throw new InvalidDataException($"{Path} ends before the {length} bytes that the checkpoint covers");
            _hash.AppendData(buffer, 0, read);
            left -= read;
        }
    }

    private static IncrementalHash NewHash() => IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
}
