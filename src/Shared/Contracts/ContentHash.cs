using System.Security.Cryptography;
using System.Text;

namespace MassDpo.Shared.Contracts;

/// <summary>
/// The hashes that logs, snapshots and checkpoints carry: SHA-256, of which the first 16 bytes are kept, as 32 hexadecimal digits.
/// </summary>
public static class ContentHash
{
    private const int Kept = 16;

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return Text(hash);
    }

    public static string Of(string text)
    {
        var size = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (size > 1024)
            return Of(Encoding.UTF8.GetBytes(text));
        Span<byte> bytes = stackalloc byte[size];
        return Of(bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }

    public static string Of(Stream stream) => Text(SHA256.HashData(stream));

    /// <summary>The hash of what <paramref name="hash"/> has been given so far; it can be given more.</summary>
    public static string Current(IncrementalHash hash)
    {
        Span<byte> bytes = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetCurrentHash(bytes);
        return Text(bytes);
    }

    private static string Text(ReadOnlySpan<byte> hash) => Convert.ToHexStringLower(hash[..Kept]);
}
