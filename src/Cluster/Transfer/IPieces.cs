using MassDpo.Shared.Files;

namespace MassDpo.Cluster.Transfer;

/// <summary>A large thing that can be read anywhere in it. It does not change while somebody pulls it.</summary>
internal interface IPieces : IDisposable
{
    /// <summary>Reads from a place on until <paramref name="bytes"/> is full or the thing ends; returns how many were read.</summary>
    int ReadAt(long offset, Span<byte> bytes);
}

/// <summary>Bytes in memory.</summary>
internal sealed class MemoryPieces(ReadOnlyMemory<byte> content) : IPieces
{
    public int ReadAt(long offset, Span<byte> bytes)
    {
        if (offset >= content.Length)
            return 0;
        var rest = content.Span[(int)offset..];
        rest = rest[..Math.Min(rest.Length, bytes.Length)];
        rest.CopyTo(bytes);
        return rest.Length;
    }

    public void Dispose()
    {
    }
}

/// <summary>A file, which stays readable when its name is deleted.</summary>
internal sealed class FilePieces(IReadFile file) : IPieces
{
    public int ReadAt(long offset, Span<byte> bytes) => file.ReadAt(offset, bytes);

    public void Dispose() => file.Dispose();
}
