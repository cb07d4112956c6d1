using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.LinkKit;

/// <summary>One or two of everything that travels over links, with each field at something that is not its default.</summary>
public static class Samples
{
    private static readonly SlotBlock Block = new(3, 17, 140, 4, 2);

    private static readonly DeadLetter Letter = new(new Position("clicks/3", 0, 99), DeadLetterCodes.Field, "'chosen' is missing", RecordOrigin.Of("clicks/3", 99, "{\"prompt\":1}"u8));

    public static IReadOnlyList<ControlMessage> Messages { get; } =
    [
        new IntakeReady("in", 2, Shared: true),
        new IntakeChanged("in", 5),
        new PositionsSkipped("in", 5, new Position("clicks/3", 0, 12), 40, SkipReason.Lost),
        new PositionsSkipped("in", 5, new Position("clicks/3", 0, 12), 40, SkipReason.BeforeStart),
        new SlotRequest("in", 5, 1234567890123, [new PassEnd("files", 1, 77)], true, new InputShare(["clicks/1", "clicks/3"], 8)),
        new PositionDead("in", 5, Letter, 141),
        new PositionDead("in", 5, Letter with { Origin = Letter.Origin with { Time = DateTimeOffset.FromUnixTimeMilliseconds(1790000000123) } }),
        new PositionDead("in", 5, Letter with { Origin = RecordOrigin.Of("clicks/3", 99, new byte[RecordOrigin.RawLimit + 1]) }),
        new SelectorReady("s", 3),
        new SnapshotConfirmed("s", 5, 9, "abc"),
        new BlockHeld("s", Block),
        new BlockFailed("s", Block, [new SlotFailure(140, "no"), new SlotFailure(143, "neither")]),
    ];

    public static IReadOnlyList<ControlNotice> Notices { get; } =
    [
        new EpochOpened(5, 9, Settled()) { Identity = new Dictionary<string, string> { ["learner.beta"] = "0.1", ["policy"] = "ünï" } },
        new SlotsGranted(5, "in", Block),
        new BlockReissued(5, "in", Block, [new SlotDeath(141, DeadLetterCodes.HolderLost, "lost")]),
        new BatchClosed(5, 18),
        new CheckpointWritten(5, 18, Settled()),
        new LearnerStopped(5, "the input has ended", InputEnded: true),
    ];

    public static SelectionBlock Selections()
    {
        var pool = MadeSelection.Pool(new EncodedPool([1, 2, 3], [[4, 5], [6], [7, 8, 9], [10]]), new Position("clicks/3", 0, 7)) with { Id = "seven", Duplicates = 2, UnknownItems = 1, CutTokens = 5 };
        var measured = MadeSelection.Of(pool, [3, 1], [-0.5f, -1.25f, -3]) with { Measures = new RecordMeasures(2, -0.75, 0.5) };
        return new SelectionBlock(Block with { Count = 3 }, "s", 16, [measured, null, measured with { Measures = null }]) { Trace = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01" };
    }

    public static PoolBlock Pools()
    {
        var made = MadeSelection.Pool(new EncodedPool([1, 2, 3], [[4, 5], [6], [7, 8, 9]]), new Position("clicks/3", 0, 7));
        var whole = made with
        {
            Record = new PreferenceRecord
            {
                Id = "seven",
                Prompt = Prompt.OfChat([new ChatMessage(ChatRoles.User, "whät?"), new ChatMessage(ChatRoles.Assistant, "")]),
                Candidates = ["yes", "no", ""],
                Rewards = [1, double.NaN, -0.5],
                ReferenceLogps = [-1.5, -2.25, double.NaN],
                Ranked = true,
                MetaUtf8 = "{\"a\": [1]}"u8.ToArray(),
                UnknownFields = "{\"b\":2}",
            },
            Id = "seven",
            Duplicates = 2,
            UnknownItems = 1,
            CutTokens = 5,
            Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        };
        var history = made with { Record = made.Record with { Prompt = Prompt.OfHistory(["i1", "i2"]) } };
        return new PoolBlock(Block, [whole, null, made, history]) { Trace = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01" };
    }

    private static SettledPositions Settled()
    {
        var settled = new SettledPositions();
        settled.AddRange(new Position("clicks/1", 0, 0), 120);
        settled.AddRange(new Position("clicks/1", 0, 130), 131);
        settled.AddRange(new Position("files", 1, 3), 9);
        settled.EndPass("files", 0, 0);
        settled.AddRange(new Position("clicks/2", 0, 0), 0);
        settled.EndPass("files", 1, 10);
        return settled;
    }
}
