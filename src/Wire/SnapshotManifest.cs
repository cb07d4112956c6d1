using Google.Protobuf;
using static MassDpo.Wire.Parsing;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Wire;

/// <summary>A piece of a snapshot in a topic: where it stands and what it must be.</summary>
/// <param name="Partition">of the topic</param>
/// <param name="Offset">there</param>
/// <param name="Length">in bytes</param>
/// <param name="Hash">SHA-256 of them</param>
public sealed record SnapshotChunk(int Partition, long Offset, int Length, ReadOnlyMemory<byte> Hash);

/// <summary>Tensors cut into chunks.</summary>
/// <param name="Hash">of the tensors</param>
/// <param name="Length">of all chunks together, in bytes</param>
/// <param name="Chunks">in order</param>
public sealed record SnapshotBlob(string Hash, long Length, IReadOnlyList<SnapshotChunk> Chunks);

/// <summary>Where a snapshot's pieces stand; written when they are all there.</summary>
/// <param name="Epoch">that published it</param>
/// <param name="Version">of the policy</param>
/// <param name="Policy">its tensors</param>
/// <param name="Reference">those of the reference policy; null: the one that the run found</param>
public sealed record SnapshotManifest(long Epoch, long Version, SnapshotBlob Policy, SnapshotBlob? Reference)
{
    private const int HashBytes = 32;

    public byte[] Encode() =>
        new V1.SnapshotManifest { Epoch = Epoch, Version = Version, Policy = ToWire(Policy), Reference = Reference is null ? null : ToWire(Reference) }.ToByteArray();

    /// <exception cref="WireFormatException">the bytes are no manifest, or its chunks do not make up what it says</exception>
    public static SnapshotManifest Decode(ReadOnlySpan<byte> bytes) => Read(V1.SnapshotManifest.Parser, bytes, wire =>
        new SnapshotManifest(wire.Epoch, wire.Version, FromWire(Required(wire.Policy, "policy")), wire.Reference is null ? null : FromWire(wire.Reference)));

    private static V1.SnapshotManifest.Types.Blob ToWire(SnapshotBlob blob) => new()
    {
        Hash = blob.Hash,
        Length = blob.Length,
        Chunks =
        {
            blob.Chunks.Select(chunk => new V1.SnapshotManifest.Types.Chunk
            {
                Partition = chunk.Partition, Offset = chunk.Offset, Length = chunk.Length, Hash = UnsafeByteOperations.UnsafeWrap(chunk.Hash),
            }),
        },
    };

    private static SnapshotBlob FromWire(V1.SnapshotManifest.Types.Blob wire)
    {
        var total = 0L;
        foreach (var chunk in wire.Chunks)
        {
            if (chunk.Partition < 0 || chunk.Offset < 0 || chunk.Length <= 0 || chunk.Hash.Length != HashBytes)
                throw new WireFormatException($"a chunk of {chunk.Length} bytes at {chunk.Partition}/{chunk.Offset} with a hash of {chunk.Hash.Length} bytes");
            total += chunk.Length;
        }
        if (total != wire.Length || total == 0)
            throw new WireFormatException($"chunks of {total} bytes for a snapshot of {wire.Length}");
        return new SnapshotBlob(wire.Hash, wire.Length, [.. wire.Chunks.Select(chunk => new SnapshotChunk(chunk.Partition, chunk.Offset, chunk.Length, chunk.Hash.Memory))]);
    }
}
