using Akka.Actor;
using Akka.Serialization;
using Google.Protobuf;
using MassDpo.Cluster.Serialization;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>Speaks as a build does that knows only the fields of the first: what came later it neither sends nor hears.</summary>
public sealed class OlderSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private static int _stripped;

    /// <summary>Messages of which something was left out.</summary>
    public static int Stripped => Volatile.Read(ref _stripped);

    public override int Identifier => 7_351;

    public override string Manifest(object o) => WireSerializer.Encode(o).Manifest;

    public override byte[] ToBinary(object obj) => WireSerializer.Encode(obj) is var (manifest, bytes) ? Older(bytes, manifest) : [];

    public override object FromBinary(byte[] bytes, string manifest) => WireSerializer.Decode(Older(bytes, manifest), manifest);

    private static byte[] Older(byte[] bytes, string manifest)
    {
        IMessage message;
        switch (manifest)
        {
            case "call":
                var call = V1.Call.Parser.ParseFrom(bytes);
                call.Hub = "";
                call.ClearNextPush();
                message = call;
                break;
            case "return":
                var answer = V1.Return.Parser.ParseFrom(bytes);
                answer.ClearNextCall();
                message = answer;
                break;
            default:
                return bytes;
        }
        var older = message.ToByteArray();
        if (older.Length < bytes.Length)
            Interlocked.Increment(ref _stripped);
        return older;
    }
}
