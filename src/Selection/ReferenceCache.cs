using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MassDpo.Shared.Contracts;

namespace MassDpo.Selection;

/// <summary>
/// Log-probabilities under a reference policy by that and the content of a pack, bounded in bytes; what was not used for long goes first. It never changes a
/// result: a pack has the same bits whenever it is computed. Thread-safe.
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

    /// <summary>
    /// The packs' log-probabilities under the reference of that hash, in their order. What is not held is computed by <paramref name="compute"/>, in one call and each pack once; it must
    /// give a pack the same bits whatever else it is given.
    /// </summary>
    public IReadOnlyList<float[]> Get(string reference, IReadOnlyList<EncodedPool> packs, Func<IReadOnlyList<EncodedPool>, IReadOnlyList<float[]>> compute)
    {
        var keys = packs.Select(pack => KeyOf(reference, pack)).ToArray();
        var found = new Dictionary<UInt128, float[]>();
        var (missing, missingKeys) = (new List<EncodedPool>(), new List<UInt128>());
        lock (_lock)
        {
            for (var i = 0; i < keys.Length; i++)
            {
                if (found.ContainsKey(keys[i]))
                {
                    _hits++;
                }
                else if (_entries.TryGetValue(keys[i], out var held))
                {
                    _byUse.Remove(held);
                    _byUse.AddFirst(held);
                    found[keys[i]] = held.Value.Logps;
                    _hits++;
                }
                else
                {
                    // So that another pack of the same content finds it.
                    found[keys[i]] = [];
                    missing.Add(packs[i]);
                    missingKeys.Add(keys[i]);
                    _misses++;
                }
            }
        }
        if (missing.Count > 0)
        {
            // Outside the lock: two selectors may compute the same pack, with the same bits.
            var computed = compute(missing);
            lock (_lock)
            {
                for (var i = 0; i < missingKeys.Count; i++)
                {
                    found[missingKeys[i]] = computed[i];
                    Keep(missingKeys[i], computed[i]);
                }
            }
        }
        return [.. keys.Select(key => found[key])];
    }

    private void Keep(UInt128 key, float[] logps)
    {
        var size = Overhead + logps.Length * sizeof(float);
        if (size > maxBytes || _entries.ContainsKey(key))
            return;
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

    private static UInt128 KeyOf(string reference, EncodedPool pack)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes(reference.AsSpan()));
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
