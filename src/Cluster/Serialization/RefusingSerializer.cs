using Akka.Actor;
using Akka.Serialization;

namespace MassDpo.Cluster.Serialization;

/// <summary>
/// Stands where Akka would fall back to JSON by reflection: a message that no binary serializer is bound to does not travel, whoever sends it, and none is made of bytes
/// that name a type.
/// </summary>
public sealed class RefusingSerializer(ExtendedActorSystem system) : Serializer(system)
{
    /// <inheritdoc/>
    public override int Identifier => 7_352;

    /// <inheritdoc/>
    public override bool IncludeManifest => false;

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">always</exception>
    public override byte[] ToBinary(object obj) =>
        throw new NotSupportedException($"{obj.GetType()} has no binary serializer, so it cannot go to another node: bind one under akka.actor.serialization-bindings");

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">always</exception>
    public override object FromBinary(byte[] bytes, Type type) => throw new NotSupportedException($"{bytes.Length} bytes come from a node that sends what has no binary serializer");
}
