using Google.Protobuf;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using static MassDpo.Wire.Parsing;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Wire;

/// <summary><see cref="ControlMessage"/>s, from members to the learner, as bytes (Protos/links.proto, <c>Message</c>).</summary>
public static class MessageCodec
{
    public static byte[] Encode(ControlMessage message) => (message switch
    {
        IntakeReady ready => new V1.Message { IntakeReady = new() { Intake = ready.Intake, Incarnation = ready.Incarnation, Shared = ready.Shared } },
        IntakeChanged changed => new V1.Message { IntakeChanged = new() { Intake = changed.Intake, Epoch = changed.Epoch } },
        PositionsSkipped skipped => new V1.Message
        {
            PositionsSkipped = new() { Intake = skipped.Intake, Epoch = skipped.Epoch, From = ToWire(skipped.From), To = skipped.To, Reason = (V1.Message.Types.SkipReason)skipped.Reason },
        },
        SlotRequest request => new V1.Message
        {
            SlotRequest = new()
            {
                Intake = request.Intake,
                Epoch = request.Epoch,
                Offered = request.Offered,
                PassEnds = { request.PassEnds.Select(end => new V1.PassEnd { Source = end.Source, Pass = end.Pass, Length = end.Length }) },
                Ended = request.Ended,
                Sources = { request.Share.Sources },
                TotalSources = request.Share.Total,
            },
        },
        PositionDead dead => Dead(dead),
        SelectorReady ready => new V1.Message { SelectorReady = new() { Selector = ready.Selector, Incarnation = ready.Incarnation } },
        SnapshotConfirmed confirmed => new V1.Message
        {
            SnapshotConfirmed = new() { Selector = confirmed.Selector, Epoch = confirmed.Epoch, Version = confirmed.Version, Hash = confirmed.Hash },
        },
        BlockHeld held => new V1.Message { BlockHeld = new() { Selector = held.Selector, Block = ToWire(held.Block) } },
        BlockFailed failed => new V1.Message
        {
            BlockFailed = new()
            {
                Selector = failed.Selector,
                Block = ToWire(failed.Block),
                Failures = { failed.Failures.Select(failure => new V1.Message.Types.SlotFailure { Slot = failure.Slot, Reason = failure.Reason }) },
            },
        },
        _ => throw new ArgumentException($"{message.GetType().Name} has no form on the wire", nameof(message)),
    }).ToByteArray();

    /// <exception cref="WireFormatException">the bytes are no message</exception>
    public static ControlMessage Decode(ReadOnlySpan<byte> bytes) => Read(V1.Message.Parser, bytes, Convert);

    private static V1.Message Dead(PositionDead dead)
    {
        var wire = new V1.Message.Types.PositionDead { Intake = dead.Intake, Epoch = dead.Epoch, Letter = ToWire(dead.Letter) };
        if (dead.Slot is { } slot)
            wire.Slot = slot;
        return new V1.Message { PositionDead = wire };
    }

    private static ControlMessage Convert(V1.Message message) => message.KindCase switch
    {
        V1.Message.KindOneofCase.IntakeReady => new IntakeReady(message.IntakeReady.Intake, message.IntakeReady.Incarnation, message.IntakeReady.Shared),
        V1.Message.KindOneofCase.IntakeChanged => new IntakeChanged(message.IntakeChanged.Intake, message.IntakeChanged.Epoch),
        V1.Message.KindOneofCase.PositionsSkipped when message.PositionsSkipped is var skipped =>
            new PositionsSkipped(skipped.Intake, skipped.Epoch, FromWire(skipped.From), skipped.To, Reason(skipped.Reason)),
        V1.Message.KindOneofCase.SlotRequest when message.SlotRequest is var request => new SlotRequest(request.Intake, request.Epoch, request.Offered,
            [.. request.PassEnds.Select(end => new PassEnd(end.Source, Count(end.Pass, "pass"), Count(end.Length, "length")))], request.Ended,
            new InputShare([.. request.Sources], Count(request.TotalSources, "total_sources"))),
        V1.Message.KindOneofCase.PositionDead when message.PositionDead is var dead =>
            new PositionDead(dead.Intake, dead.Epoch, FromWire(dead.Letter), dead.HasSlot ? dead.Slot : null),
        V1.Message.KindOneofCase.SelectorReady => new SelectorReady(message.SelectorReady.Selector, message.SelectorReady.Incarnation),
        V1.Message.KindOneofCase.SnapshotConfirmed when message.SnapshotConfirmed is var confirmed =>
            new SnapshotConfirmed(confirmed.Selector, confirmed.Epoch, confirmed.Version, confirmed.Hash),
        V1.Message.KindOneofCase.BlockHeld => new BlockHeld(message.BlockHeld.Selector, FromWire(message.BlockHeld.Block)),
        V1.Message.KindOneofCase.BlockFailed when message.BlockFailed is var failed && FromWire(failed.Block) is var block =>
            new BlockFailed(failed.Selector, block, [.. failed.Failures.Select(failure => new SlotFailure(Slot(failure.Slot, block), failure.Reason))]),
        _ => throw new WireFormatException("a message of a kind that this build does not know"),
    };

    private static SkipReason Reason(V1.Message.Types.SkipReason reason) =>
        Enum.IsDefined((SkipReason)reason) ? (SkipReason)reason : throw new WireFormatException($"positions skipped for reason {reason}, which this build does not know");
}
