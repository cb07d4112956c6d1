using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MassDpo.Shared.Contracts;

namespace MassDpo.Selection;

/// <summary>
/// Log-probabilities under the reference policy by the content of a pack, bounded in bytes; what was not used for long goes first. It never changes a
/// result: every value comes from the same canonical pack, the record alone. Thread-safe.
/// </summary>
public sealed class ReferenceCache(long maxBytes)
{
    // Besides the numbers: key, array header, links of the two collections.
    private const int Overhead = 160;

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, LinkedListNode<(UInt128 Key, float[] Logps)>> _entries = [];
    private readonly LinkedList<(UInt128 Key, float[] Logps)> _byUse = new();
    private long _bytes;
    private long _hits;
    private long _misses;

    public long Hits => Interlocked.Read(ref _hits);

    public long Misses => Interlocked.Read(ref _misses);

    /// <summary>The pack's log-probabilities, computed by <paramref name="compute"/> where they are not held.</summary>
    public float[] Get(EncodedPool pack, Func<EncodedPool, float[]> compute)
    {
        var key = KeyOf(pack);
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var found))
            {
                _byUse.Remove(found);
                _byUse.AddFirst(found);
                _hits++;
                return found.Value.Logps;
            }
            _misses++;
        }
        // Outside the lock: two selectors may compute the same pack, with the same bits.
        var logps = compute(pack);
        var size = Overhead + logps.Length * sizeof(float);
        lock (_lock)
        {
            if (size > maxBytes || _entries.ContainsKey(key))
                return logps;
            _entries[key] = _byUse.AddFirst((key, logps));
            _bytes += size;
            while (_bytes > maxBytes)
            {
                var oldest = _byUse.Last!;
                _byUse.RemoveLast();
                _entries.Remove(oldest.Value.Key);
                _bytes -= Overhead + oldest.Value.Logps.Length * sizeof(float);
            }
        }
        return logps;
    }

    private static UInt128 KeyOf(EncodedPool pack)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(pack.Prompt);
        foreach (var response in pack.Responses)
            Append(response);
        Span<byte> bytes = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetCurrentHash(bytes);
        return MemoryMarshal.Read<UInt128>(bytes);

        // Lengths too, so that no two packs have the same bytes.
        void Append(int[] tokens)
        {
            hash.AppendData(MemoryMarshal.AsBytes([tokens.Length]));
            hash.AppendData(MemoryMarshal.AsBytes<int>(tokens));
        }
    }
}
