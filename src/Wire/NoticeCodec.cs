using Google.Protobuf;
using MassDpo.Shared.Links;
using static MassDpo.Wire.Parsing;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Wire;

/// <summary>
/// <see cref="ControlNotice"/>s, from the learner to all, as bytes (Protos/links.proto, <c>Notice</c>), and the claims that stand among them where the
/// order of a topic decides who owns an epoch.
/// </summary>
public static class NoticeCodec
{
    public static byte[] Encode(ControlNotice notice) => (notice switch
    {
        EpochOpened opened => new V1.Notice
        {
            Epoch = opened.Epoch,
            EpochOpened = new() { Version = opened.Version, Settled = { ToWire(opened.Settled) }, Identity = { opened.Identity.ToDictionary() } },
        },
        SlotsGranted granted => new V1.Notice { Epoch = granted.Epoch, SlotsGranted = new() { Intake = granted.Intake, Block = ToWire(granted.Block) } },
        BlockReissued reissued => new V1.Notice
        {
            Epoch = reissued.Epoch,
            BlockReissued = new()
            {
                Intake = reissued.Intake,
                Block = ToWire(reissued.Block),
                Deaths = { reissued.Deaths.Select(death => new V1.Notice.Types.SlotDeath { Slot = death.Slot, Code = death.Code, Reason = death.Reason }) },
            },
        },
        BatchClosed closed => new V1.Notice { Epoch = closed.Epoch, BatchClosed = new() { Version = closed.Version } },
        CheckpointWritten written => new V1.Notice { Epoch = written.Epoch, CheckpointWritten = new() { Version = written.Version, Settled = { ToWire(written.Settled) } } },
        LearnerStopped stopped => new V1.Notice { Epoch = stopped.Epoch, LearnerStopped = new() { Reason = stopped.Reason, InputEnded = stopped.InputEnded } },
        _ => throw new ArgumentException($"{notice.GetType().Name} has no form on the wire", nameof(notice)),
    }).ToByteArray();

    /// <param name="claim">what is claimed</param>
    /// <param name="claimant">by whom: a name that no other has</param>
    public static byte[] Encode(EpochClaim claim, string claimant) => new V1.Notice
    {
        Epoch = claim.Epoch,
        Claim = new() { Version = claim.Version, Hash = claim.Hash, Forced = claim.Forced, Claimant = claimant, Committed = claim.Committed },
    }.ToByteArray();

    /// <summary>A notice, or a claim with its claimant.</summary>
    /// <exception cref="WireFormatException">the bytes are neither</exception>
    public static (ControlNotice? Notice, EpochClaim? Claim, string Claimant) Decode(ReadOnlySpan<byte> bytes) => Read(V1.Notice.Parser, bytes, wire =>
        wire.KindCase == V1.Notice.KindOneofCase.Claim
            ? (default(ControlNotice), new EpochClaim(wire.Epoch, wire.Claim.Version, wire.Claim.Hash, wire.Claim.Forced) { Committed = wire.Claim.Committed }, wire.Claim.Claimant)
            : (Convert(wire), null, ""));

    private static ControlNotice Convert(V1.Notice wire) => wire.KindCase switch
    {
        V1.Notice.KindOneofCase.EpochOpened =>
            new EpochOpened(wire.Epoch, wire.EpochOpened.Version, FromWire(wire.EpochOpened.Settled)) { Identity = wire.EpochOpened.Identity.ToDictionary() },
        V1.Notice.KindOneofCase.SlotsGranted => new SlotsGranted(wire.Epoch, wire.SlotsGranted.Intake, FromWire(wire.SlotsGranted.Block)),
        V1.Notice.KindOneofCase.BlockReissued when FromWire(wire.BlockReissued.Block) is var block => new BlockReissued(wire.Epoch, wire.BlockReissued.Intake, block,
            [.. wire.BlockReissued.Deaths.Select(death => new SlotDeath(Slot(death.Slot, block), death.Code, death.Reason))]),
        V1.Notice.KindOneofCase.BatchClosed => new BatchClosed(wire.Epoch, wire.BatchClosed.Version),
        V1.Notice.KindOneofCase.CheckpointWritten => new CheckpointWritten(wire.Epoch, wire.CheckpointWritten.Version, FromWire(wire.CheckpointWritten.Settled)),
        V1.Notice.KindOneofCase.LearnerStopped => new LearnerStopped(wire.Epoch, wire.LearnerStopped.Reason, wire.LearnerStopped.InputEnded),
        _ => throw new WireFormatException("a notice of a kind that this build does not know"),
    };
}
