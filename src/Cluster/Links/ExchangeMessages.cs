using Google.Protobuf;
using MassDpo.Cluster.Serialization;
using MassDpo.Wire;

namespace MassDpo.Cluster.Links;

/// <summary>What ends and the hub tell each other (Protos/exchange.proto).</summary>
internal interface IExchangeMessage;

/// <summary>From an end to the hub, again and again until it is answered.</summary>
internal sealed record Call(string Link, string End, long Number, long Oldest, V1.Call.Types.Operation Operation, string Who = "", object? Content = null) : IExchangeMessage;

/// <summary>From the hub: a call is done.</summary>
internal sealed record Return(string Hub, long Number) : IExchangeMessage;

/// <summary>From the hub to an end, again and again until it is answered.</summary>
internal sealed record Push(string Hub, long Number, long Oldest, long Asked, object Content) : IExchangeMessage;

/// <summary>From an end: a push is done.</summary>
internal sealed record Pushed(string Link, string End, string Hub, long Number, bool Refused) : IExchangeMessage;

/// <summary>Their forms as bytes.</summary>
internal static class ExchangeCodec
{
    public static byte[] Encode(Call call)
    {
        var (manifest, content) = call.Content is { } message ? WireSerializer.Encode(message) : ("", []);
        return new V1.Call
        {
            Link = call.Link, End = call.End, Number = call.Number, Oldest = call.Oldest, Operation = call.Operation, Who = call.Who, Manifest = manifest, Content = UnsafeByteOperations.UnsafeWrap(content),
        }.ToByteArray();
    }

    public static byte[] Encode(Return answer) => new V1.Return { Hub = answer.Hub, Number = answer.Number }.ToByteArray();

    public static byte[] Encode(Push push)
    {
        var (manifest, content) = WireSerializer.Encode(push.Content);
        return new V1.Push { Hub = push.Hub, Number = push.Number, Oldest = push.Oldest, Asked = push.Asked, Manifest = manifest, Content = UnsafeByteOperations.UnsafeWrap(content) }.ToByteArray();
    }

    public static byte[] Encode(Pushed pushed) => new V1.Pushed { Link = pushed.Link, End = pushed.End, Hub = pushed.Hub, Number = pushed.Number, Refused = pushed.Refused }.ToByteArray();

    public static Call ReadCall(byte[] bytes)
    {
        var wire = Read(V1.Call.Parser, bytes);
        return new Call(wire.Link, wire.End, wire.Number, wire.Oldest, wire.Operation, wire.Who, wire.Manifest.Length == 0 ? null : WireSerializer.Decode(wire.Content.ToByteArray(), wire.Manifest));
    }

    public static Return ReadReturn(byte[] bytes)
    {
        var wire = Read(V1.Return.Parser, bytes);
        return new Return(wire.Hub, wire.Number);
    }

    public static Push ReadPush(byte[] bytes)
    {
        var wire = Read(V1.Push.Parser, bytes);
        return new Push(wire.Hub, wire.Number, wire.Oldest, wire.Asked, WireSerializer.Decode(wire.Content.ToByteArray(), wire.Manifest));
    }

    public static Pushed ReadPushed(byte[] bytes)
    {
        var wire = Read(V1.Pushed.Parser, bytes);
        return new Pushed(wire.Link, wire.End, wire.Hub, wire.Number, wire.Refused);
    }

    private static T Read<T>(MessageParser<T> parser, byte[] bytes) where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new WireFormatException($"these {bytes.Length} bytes are no {typeof(T).Name}: {e.Message}", e);
        }
    }
}
