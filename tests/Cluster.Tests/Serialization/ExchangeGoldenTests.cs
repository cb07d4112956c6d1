using Google.Protobuf;
using MassDpo.Cluster.Checkpoints;
using MassDpo.Cluster.Links;
using MassDpo.Cluster.Serialization;
using MassDpo.Cluster.Transfer;
using MassDpo.Learner.Checkpoints;
using MassDpo.LinkKit;
using MassDpo.PipelineKit.Mutants;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Files;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Tests.Serialization;

/// <summary>The bytes of what ends and the hub tell each other, as they were when each file was made. What stands inside them has files of its own in tests/Wire.Tests.</summary>
public sealed class ExchangeGoldenTests
{
    private static readonly Dictionary<string, object> Messages = new()
    {
        ["call"] = new Call("run", "node/1", 17, 12, Operation.SendMessage, "selector-1", new Content(new SelectorReady("s", 3))) { Claim = 9, KnownEpoch = 5, KnownCommitted = 40 },
        ["call-hello"] = new Call("run", "node/1", 0, 18, Operation.Hello),
        ["call-hello-of-hub"] = new Call("run", "node/1", 0, 18, Operation.Hello) { Hub = "hub", NextPush = 5 },
        ["call-nothing-known"] = new Call("run", "node/1", 18, 18, Operation.Join, "member"),
        ["call-ahead"] = new Call("run", "node/1", 19, 18, Operation.RequestPools, "selector-1") { IsAhead = true },
        ["return"] = new Return("hub", 17, "the checkpoint is behind", 6),
        ["return-done"] = new Return("hub", 17),
        ["return-hello"] = new Return("hub", 0) { NextCall = 19 },
        ["push"] = new Push("hub", 4, 2, 17, new Content(new BatchClosed(5, 18))),
        ["push-asked-for"] = new Push("hub", 4, 2, 17, null),
        ["pushed"] = new Pushed("run", "node/1", "hub", 4, true),
        ["fenced"] = new Fenced("epoch 6 was claimed by another learner"),
        ["part"] = new Part("node/1", 17, 3, 250_000, "call", ByteString.CopyFrom(1, 2, 3)),
        ["known-request"] = new KnownRequest(),
        ["known"] = new Known("akka.tcp://massdpo@host:4053", [("run", 5, 40), ("other", null, null)]),
        ["snapshot-offer"] = new SnapshotOffer(5, 40, new SnapshotPart("epoch 5, version 40", "hash", 10_000), new SnapshotPart("reference r", "r", 9_000), "akka.tcp://massdpo@host:4053/user/$b#17"),
        ["snapshot-offer-found"] = new SnapshotOffer(5, 40, new SnapshotPart("epoch 5, version 40", "hash", 10_000), null, "akka.tcp://massdpo@host:4053/user/$b#17"),
        ["piece-request"] = new PieceRequest("epoch 5, version 40", 119_808, 4_000),
        ["piece-request-in-pieces"] = new PieceRequest("epoch 5, version 40", 119_808, 4_000) { Piece = 1_000 },
        ["piece"] = new Piece(119_808, new byte[] { 1, 2, 255 }),
        ["piece-gone"] = new PieceGone("it is not there any more"),
        ["checkpoint-news"] = new CheckpointNews(5, "v000000000040-e000005-s000000000320"),
        ["checkpoint-held"] = new CheckpointHeld(5, "v000000000040-e000005-s000000000320"),
        ["listing-request"] = new ListingRequest(),
        ["listing-answer"] = new ListingAnswer("v000000000040-e000005-s000000000320", "listing 3", "akka.tcp://massdpo@host:4053/user/massdpo-checkpoints/$a#17", 12_000, 6),
        ["checkpoint-listing"] = new CheckpointListing([new ListedCheckpoint(new CheckpointName(40, 5, 320), [new ListedFile("manifest.json", 300, "m")]), new ListedCheckpoint(new CheckpointName(20, 4, 160), [new ListedFile("state.json", 900, "s")])],
            [new ListedFile("selections-v000000000020.jsonl", 5_000, "l")], [new ListedFile("run.json", 700, "r")]),
        ["epoch-claim"] = new EpochClaim(4, 7, "hash", Forced: true) { Committed = 5 },
    };

    private static GoldenFiles Files { get; } = new("Cluster.Tests");

    public static TheoryData<string> Names => [.. Messages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void What_was_written_once_is_read_and_written_alike(string name)
    {
        var (manifest, bytes) = WireSerializer.Encode(Messages[name]);
        var golden = Files.Read(name, bytes);
        Assert.Equal(Convert.ToHexString(golden), Convert.ToHexString(bytes));
        var read = WireSerializer.Decode(golden, manifest);
        Assert.Equal(Convert.ToHexString(golden), Convert.ToHexString(WireSerializer.Encode(read).Bytes));
        Assert.Equal(Telling.Of(Messages[name]), Telling.Of(read));
        Assert.Equal(name.Split('-')[0], manifest.Split('-')[0]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Whatever_is_done_to_the_bytes_they_are_read_or_refused(string name)
    {
        var (manifest, bytes) = WireSerializer.Encode(Messages[name]);
        using var input = new MutatedMessage<object>(manifest, [bytes], mutant => WireSerializer.Decode(mutant, manifest), read => WireSerializer.Encode(read).Bytes);
        var refused = 0;
        input.Read(0, 1_000, verdict => refused += verdict == "refused" ? 1 : 0);
        Assert.InRange(refused, 1, 999);
    }

    [Fact]
    public void Every_file_is_of_something_that_travels_and_every_operation_has_its_number()
    {
        Assert.Equal(Messages.Keys.Order(StringComparer.Ordinal), Files.Names);
        Assert.Equal("Hello SendSelections ReceiveSelections LeaveSelections OfferPools RequestPools WithdrawPools Claim Release Announce SendMessage Join Leave PublishSnapshot WithdrawSnapshot FollowSnapshots LeaveSnapshots",
            string.Join(' ', Enum.GetValues<Operation>()));
        Assert.Equal(Enumerable.Range(0, 17), Enum.GetValues<Operation>().Select(operation => (int)operation));
    }
}
