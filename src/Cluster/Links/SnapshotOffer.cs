using Google.Protobuf;
using MassDpo.Wire;

namespace MassDpo.Cluster.Links;

/// <summary>A snapshot that can be pulled (Protos/snapshots.proto).</summary>
/// <param name="Epoch">that publishes it</param>
/// <param name="Version">of the policy</param>
/// <param name="Policy">see there</param>
/// <param name="Reference">the reference policy that goes with it; null: the one that the run found</param>
/// <param name="Publisher">path of the actor that has it, with its node's address</param>
internal sealed record SnapshotOffer(long Epoch, long Version, SnapshotPart Policy, SnapshotPart? Reference, string Publisher)
{
    /// <summary>Whether it is newer, by epoch and then version.</summary>
    public bool IsNewerThan((long Epoch, long Version) other) => (Epoch, Version).CompareTo(other) > 0;

    public byte[] Encode() => new V1.SnapshotOffer { Epoch = Epoch, Version = Version, Policy = Policy.ToWire(), Reference = Reference?.ToWire(), Publisher = Publisher }.ToByteArray();

    /// <exception cref="WireFormatException">the bytes are none</exception>
    public static SnapshotOffer Decode(byte[] bytes)
    {
        var wire = ProtobufReader.Read(V1.SnapshotOffer.Parser, bytes);
        return new SnapshotOffer(wire.Epoch, wire.Version, SnapshotPart.Of(wire.Policy ?? throw new WireFormatException("'policy' is missing")),
            wire.Reference is { } reference ? SnapshotPart.Of(reference) : null, wire.Publisher);
    }
}

/// <summary>Tensors as bytes.</summary>
/// <param name="Thing">the name that they are pulled by</param>
/// <param name="Hash">of the tensors</param>
/// <param name="Length">bytes</param>
internal sealed record SnapshotPart(string Thing, string Hash, long Length)
{
    public V1.SnapshotPart ToWire() => new() { Thing = Thing, Hash = Hash, Length = Length };

    public static SnapshotPart Of(V1.SnapshotPart wire) => new(wire.Thing, wire.Hash, wire.Length);
}
