using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Telemetry;

namespace MassDpo.Selection.References;

/// <summary>
/// Log-probabilities under a reference policy by that, how it is scored and the content of a pack: in memory, bounded in bytes, where what was not used for long goes
/// first, and behind that on disk. It never changes a result: a pack has the same bits whenever it is computed. Thread-safe.
/// </summary>
/// <param name="maxBytes">in memory</param>
/// <param name="scoring">what decides the bits beside the reference's weights and a pack's tokens</param>
/// <param name="store">on disk, which it owns from now on; null: in memory alone</param>
public sealed class ReferenceCache(long maxBytes, string scoring, ReferenceStore? store = null) : IDisposable
{
    // Besides the numbers: key, array header, links of the two collections.
    private const int Overhead = 160;

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, LinkedListNode<(UInt128 Key, float[] Logps)>> _entries = [];
    private readonly LinkedList<(UInt128 Key, float[] Logps)> _byUse = new();
    private long _bytes;
    private long _fromMemory;
    private long _fromDisk;
    private long _computed;

    /// <summary>What it was asked for so far, and how large it is.</summary>
    public ReferenceCacheUse Use
    {
        get
        {
            lock (_lock)
                return new ReferenceCacheUse(_fromMemory, _fromDisk, _computed, _bytes, store?.Bytes, store?.Damaged ?? 0);
        }
    }

    /// <summary>
    /// The packs' log-probabilities under the reference of that hash, in their order. What is not held is computed by <paramref name="compute"/>, in one call and each pack once; it must
    /// give a pack the same bits whatever else it is given.
    /// </summary>
    public IReadOnlyList<float[]> Get(string reference, IReadOnlyList<EncodedPool> packs, Func<IReadOnlyList<EncodedPool>, IReadOnlyList<float[]>> compute)
    {
        var keys = packs.Select(pack => KeyOf(reference, pack)).ToArray();
        var found = new Dictionary<UInt128, float[]>();
        var missing = new List<(UInt128 Key, EncodedPool Pack)>();
        lock (_lock)
        {
            for (var i = 0; i < keys.Length; i++)
            {
                if (found.ContainsKey(keys[i]))
                {
                    _fromMemory++;
                }
                else if (_entries.TryGetValue(keys[i], out var held))
                {
                    _byUse.Remove(held);
                    _byUse.AddFirst(held);
                    found[keys[i]] = held.Value.Logps;
                    _fromMemory++;
                }
                else
                {
                    // So that another pack of the same content finds it.
                    found[keys[i]] = [];
                    missing.Add((keys[i], packs[i]));
                }
            }
        }
        // Outside the lock: two selectors may read or compute the same pack, with the same bits.
        if (store is not null)
        {
            var read = missing.Select(entry => (entry.Key, Logps: store.Find(entry.Key, entry.Pack.Candidates))).Where(entry => entry.Logps is not null).ToList();
            Take(read!, ref _fromDisk);
            missing.RemoveAll(entry => found[entry.Key].Length > 0);
        }
        if (missing.Count > 0)
        {
            var logps = compute([.. missing.Select(entry => entry.Pack)]);
            var computed = missing.Select((entry, i) => (entry.Key, logps[i])).ToList();
            Take(computed, ref _computed);
            store?.Append(computed);
        }
        return [.. keys.Select(key => found[key])];

        void Take(List<(UInt128 Key, float[] Logps)> entries, ref long count)
        {
            lock (_lock)
            {
                count += entries.Count;
                foreach (var (key, logps) in entries)
                {
                    found[key] = logps;
                    Keep(key, logps);
                }
            }
        }
    }

    public void Dispose() => store?.Dispose();

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

    private UInt128 KeyOf(string reference, EncodedPool pack)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(MemoryMarshal.AsBytes(scoring.AsSpan()));
        Append(MemoryMarshal.AsBytes(reference.AsSpan()));
        Append(MemoryMarshal.AsBytes<int>(pack.Prompt));
        foreach (var response in pack.Responses)
            Append(MemoryMarshal.AsBytes<int>(response));
        Span<byte> bytes = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetCurrentHash(bytes);
        return MemoryMarshal.Read<UInt128>(bytes);

        // Lengths too, so that no two packs have the same bytes.
        void Append(ReadOnlySpan<byte> part)
        {
            hash.AppendData(MemoryMarshal.AsBytes([part.Length]));
            hash.AppendData(part);
        }
    }
}
