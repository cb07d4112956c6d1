using Google.Protobuf;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Cluster.Links;

/// <summary>What ends and the hub tell each other (Protos/exchange.proto).</summary>
internal interface IExchangeMessage;

/// <summary>From an end to the hub, again until the hub has it; then, without its content, until it is answered.</summary>
internal sealed record Call(string Link, string End, long Number, long Oldest, V1.Call.Types.Operation Operation, string Who = "", Content? Content = null) : IExchangeMessage
{
    /// <summary>The number of the claim that it is about.</summary>
    public long Claim { get; init; }

    /// <summary>Of a member that joins: the newest epoch that its process has heard of.</summary>
    public long? KnownEpoch { get; init; }

    /// <summary>The same, of the newest checkpoint.</summary>
    public long? KnownCommitted { get; init; }

    /// <summary>Of a Hello: the hub that the end knows; empty: none yet.</summary>
    public string Hub { get; init; } = "";

    /// <summary>Of a Hello: the next push of that hub that the end has not received; null: an older build does not say.</summary>
    public long? NextPush { get; init; }

    /// <summary>Of a selector that asks for a block: those come first that do not ask ahead.</summary>
    public bool IsAhead { get; init; }
}

/// <summary>From the hub: a call is done, or a claim refused; with number 0 the answer to a Hello.</summary>
internal sealed record Return(string Hub, long Number, string Refusal = "", long? Newest = null) : IExchangeMessage
{
    /// <summary>To a Hello: the next call of the end that the hub has not received; null: an older build does not say.</summary>
    public long? NextCall { get; init; }
}

/// <summary>To a learner that has lost its epoch.</summary>
internal sealed record Fenced(string Reason) : IExchangeMessage;

/// <summary>From the hub to an end, again until the end has it; then, without its content, until it is answered.</summary>
internal sealed record Push(string Hub, long Number, long Oldest, long Asked, Content? Content) : IExchangeMessage;

/// <summary>From an end: a push is done.</summary>
internal sealed record Pushed(string Link, string End, string Hub, long Number, bool Refused) : IExchangeMessage;

/// <summary>A part of a call or a push that is too large to travel whole.</summary>
/// <param name="Source">the end whose call it is, or the hub whose push</param>
/// <param name="Number">of the call or the push</param>
/// <param name="Index">from 0 on</param>
/// <param name="Size">bytes of the whole</param>
/// <param name="Manifest">of the whole</param>
/// <param name="Bytes">of the part</param>
internal sealed record Part(string Source, long Number, int Index, long Size, string Manifest, ByteString Bytes) : IExchangeMessage;

/// <summary>From a new hub: what has your node heard?</summary>
internal sealed record KnownRequest : IExchangeMessage;

/// <summary>What the ends of a node have heard of each link.</summary>
/// <param name="Node">its address</param>
/// <param name="Orders">the newest epoch and checkpoint of each link</param>
internal sealed record Known(string Node, IReadOnlyList<(string Link, long? Epoch, long? Committed)> Orders) : IExchangeMessage;

/// <summary>Their forms as bytes.</summary>
internal static class ExchangeCodec
{
    public static byte[] Encode(Call call)
    {
        var wire = new V1.Call
        {
            Link = call.Link, End = call.End, Number = call.Number, Oldest = call.Oldest, Operation = call.Operation, Who = call.Who, Manifest = call.Content?.Manifest ?? "",
            Content = call.Content?.Bytes ?? ByteString.Empty, Claim = call.Claim, Hub = call.Hub, Ahead = call.IsAhead,
        };
        if (call.KnownEpoch is { } epoch)
            wire.KnownEpoch = epoch;
        if (call.KnownCommitted is { } committed)
            wire.KnownCommitted = committed;
        if (call.NextPush is { } next)
            wire.NextPush = next;
        return wire.ToByteArray();
    }

    public static byte[] Encode(Return answer)
    {
        var wire = new V1.Return { Hub = answer.Hub, Number = answer.Number, Refusal = answer.Refusal };
        if (answer.Newest is { } newest)
            wire.Newest = newest;
        if (answer.NextCall is { } next)
            wire.NextCall = next;
        return wire.ToByteArray();
    }

    public static byte[] Encode(Fenced fenced) => new V1.Fenced { Reason = fenced.Reason }.ToByteArray();

    public static Fenced ReadFenced(byte[] bytes) => new(Read(V1.Fenced.Parser, bytes).Reason);

    public static byte[] Encode(Push push) => new V1.Push
    {
        Hub = push.Hub, Number = push.Number, Oldest = push.Oldest, Asked = push.Asked, Manifest = push.Content?.Manifest ?? "", Content = push.Content?.Bytes ?? ByteString.Empty,
    }.ToByteArray();

    public static byte[] Encode(Pushed pushed) => new V1.Pushed { Link = pushed.Link, End = pushed.End, Hub = pushed.Hub, Number = pushed.Number, Refused = pushed.Refused }.ToByteArray();

    public static Call ReadCall(byte[] bytes)
    {
        var wire = Read(V1.Call.Parser, bytes);
        return new Call(wire.Link, wire.End, wire.Number, wire.Oldest, wire.Operation, wire.Who, Carried(wire.Manifest, wire.Content))
        {
            Claim = wire.Claim,
            KnownEpoch = wire.HasKnownEpoch ? wire.KnownEpoch : null,
            KnownCommitted = wire.HasKnownCommitted ? wire.KnownCommitted : null,
            Hub = wire.Hub,
            NextPush = wire.HasNextPush ? wire.NextPush : null,
            IsAhead = wire.Ahead,
        };
    }

    public static Return ReadReturn(byte[] bytes)
    {
        var wire = Read(V1.Return.Parser, bytes);
        return new Return(wire.Hub, wire.Number, wire.Refusal, wire.HasNewest ? wire.Newest : null) { NextCall = wire.HasNextCall ? wire.NextCall : null };
    }

    public static Push ReadPush(byte[] bytes)
    {
        var wire = Read(V1.Push.Parser, bytes);
        return new Push(wire.Hub, wire.Number, wire.Oldest, wire.Asked, Carried(wire.Manifest, wire.Content));
    }

    public static Pushed ReadPushed(byte[] bytes)
    {
        var wire = Read(V1.Pushed.Parser, bytes);
        return new Pushed(wire.Link, wire.End, wire.Hub, wire.Number, wire.Refused);
    }

    public static byte[] Encode(Part part) =>
        new V1.Part { Source = part.Source, Number = part.Number, Index = part.Index, Size = part.Size, Manifest = part.Manifest, Bytes = part.Bytes }.ToByteArray();

    public static Part ReadPart(byte[] bytes)
    {
        var wire = Read(V1.Part.Parser, bytes);
        return new Part(wire.Source, wire.Number, wire.Index, wire.Size, wire.Manifest, wire.Bytes);
    }

    public static byte[] Encode(KnownRequest request) => new V1.KnownRequest().ToByteArray();

    public static KnownRequest ReadKnownRequest(byte[] bytes)
    {
        Read(V1.KnownRequest.Parser, bytes);
        return new KnownRequest();
    }

    public static byte[] Encode(Known known)
    {
        var wire = new V1.Known { Node = known.Node };
        foreach (var (link, epoch, committed) in known.Orders)
        {
            var order = new V1.Known.Types.Order { Link = link };
            if (epoch is { } heard)
                order.Epoch = heard;
            if (committed is { } written)
                order.Committed = written;
            wire.Orders.Add(order);
        }
        return wire.ToByteArray();
    }

    public static Known ReadKnown(byte[] bytes)
    {
        var wire = Read(V1.Known.Parser, bytes);
        return new Known(wire.Node, [.. wire.Orders.Select(order => (order.Link, order.HasEpoch ? order.Epoch : (long?)null, order.HasCommitted ? order.Committed : (long?)null))]);
    }

    // An object is made of it where it is read: a kind that this build does not know must not take with it the number of the message that it came in.
    private static Content? Carried(string manifest, ByteString content) => manifest.Length == 0 ? null : new Content(manifest, content);
}
