using Google.Protobuf;
using MassDpo.Cluster.Serialization;
using MassDpo.Wire;

namespace MassDpo.Cluster.Links;

/// <summary>What ends and the hub tell each other (Protos/exchange.proto).</summary>
internal interface IExchangeMessage;

/// <summary>From an end to the hub, again and again until it is answered.</summary>
internal sealed record Call(string Link, string End, long Number, long Oldest, V1.Call.Types.Operation Operation, string Who = "", object? Content = null) : IExchangeMessage
{
    /// <summary>The number of the claim that it is about.</summary>
    public long Claim { get; init; }

    /// <summary>Of a member that joins: the newest epoch that its process has heard of.</summary>
    public long? KnownEpoch { get; init; }

    /// <summary>The same, of the newest checkpoint.</summary>
    public long? KnownCommitted { get; init; }
}

/// <summary>From the hub: a call is done, or a claim refused.</summary>
internal sealed record Return(string Hub, long Number, string Refusal = "", long? Newest = null) : IExchangeMessage;

/// <summary>To a learner that has lost its epoch.</summary>
internal sealed record Fenced(string Reason) : IExchangeMessage;

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
        var wire = new V1.Call
        {
            Link = call.Link, End = call.End, Number = call.Number, Oldest = call.Oldest, Operation = call.Operation, Who = call.Who, Manifest = manifest, Content = UnsafeByteOperations.UnsafeWrap(content),
            Claim = call.Claim,
        };
        if (call.KnownEpoch is { } epoch)
            wire.KnownEpoch = epoch;
        if (call.KnownCommitted is { } committed)
            wire.KnownCommitted = committed;
        return wire.ToByteArray();
    }

    public static byte[] Encode(Return answer)
    {
        var wire = new V1.Return { Hub = answer.Hub, Number = answer.Number, Refusal = answer.Refusal };
        if (answer.Newest is { } newest)
            wire.Newest = newest;
        return wire.ToByteArray();
    }

    public static byte[] Encode(Fenced fenced) => new V1.Fenced { Reason = fenced.Reason }.ToByteArray();

    public static Fenced ReadFenced(byte[] bytes) => new(Read(V1.Fenced.Parser, bytes).Reason);

    public static byte[] Encode(Push push)
    {
        var (manifest, content) = WireSerializer.Encode(push.Content);
        return new V1.Push { Hub = push.Hub, Number = push.Number, Oldest = push.Oldest, Asked = push.Asked, Manifest = manifest, Content = UnsafeByteOperations.UnsafeWrap(content) }.ToByteArray();
    }

    public static byte[] Encode(Pushed pushed) => new V1.Pushed { Link = pushed.Link, End = pushed.End, Hub = pushed.Hub, Number = pushed.Number, Refused = pushed.Refused }.ToByteArray();

    public static Call ReadCall(byte[] bytes)
    {
        var wire = Read(V1.Call.Parser, bytes);
        return new Call(wire.Link, wire.End, wire.Number, wire.Oldest, wire.Operation, wire.Who, wire.Manifest.Length == 0 ? null : WireSerializer.Decode(wire.Content.ToByteArray(), wire.Manifest))
        {
            Claim = wire.Claim,
            KnownEpoch = wire.HasKnownEpoch ? wire.KnownEpoch : null,
            KnownCommitted = wire.HasKnownCommitted ? wire.KnownCommitted : null,
        };
    }

    public static Return ReadReturn(byte[] bytes)
    {
        var wire = Read(V1.Return.Parser, bytes);
        return new Return(wire.Hub, wire.Number, wire.Refusal, wire.HasNewest ? wire.Newest : null);
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

    internal static T Read<T>(MessageParser<T> parser, byte[] bytes) where T : IMessage<T>
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
