using MassDpo.LinkKit;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.Wire.Tests;

public sealed class CodecTests
{
    internal static SnapshotManifest Manifest { get; } = new(5, 9,
        new SnapshotBlob("abc", 700, [new SnapshotChunk(1, 17, 512, new byte[32]), new SnapshotChunk(2, 4, 188, new byte[32])]),
        new SnapshotBlob("def", 10, [new SnapshotChunk(3, 5, 10, new byte[32])]));

    public static TheoryData<int> MessageKinds => [.. Enumerable.Range(0, Samples.Messages.Count)];

    public static TheoryData<int> NoticeKinds => [.. Enumerable.Range(0, Samples.Notices.Count)];

    [Theory]
    [MemberData(nameof(MessageKinds))]
    public void A_message_is_read_as_it_was_written(int kind)
    {
        var message = Samples.Messages[kind];
        Assert.Equal(Telling.Of(message), Telling.Of(MessageCodec.Decode(MessageCodec.Encode(message))));
    }

    [Theory]
    [MemberData(nameof(NoticeKinds))]
    public void A_notice_is_read_as_it_was_written(int kind)
    {
        var notice = Samples.Notices[kind];
        var (read, claim, _) = NoticeCodec.Decode(NoticeCodec.Encode(notice));
        Assert.Null(claim);
        Assert.Equal(Telling.Of(notice), Telling.Of(read!));
    }

    [Fact]
    public void Every_kind_of_message_and_notice_has_a_sample()
    {
        Assert.Equal(Kinds<ControlMessage>(), Samples.Messages.Select(message => message.GetType().Name).Distinct().Order());
        Assert.Equal(Kinds<ControlNotice>(), Samples.Notices.Select(notice => notice.GetType().Name).Distinct().Order());

        static IEnumerable<string> Kinds<T>() => typeof(T).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(T))).Select(type => type.Name).Order();
    }

    [Fact]
    public void A_claim_is_read_as_it_was_written()
    {
        var claim = new EpochClaim(4, 7, "hash", Forced: true) { Committed = 5 };
        Assert.Equal((null, claim, "me"), NoticeCodec.Decode(NoticeCodec.Encode(claim, "me")));
    }

    [Fact]
    public void Selections_are_read_with_all_that_the_learner_trains_on_and_nothing_else()
    {
        var sent = Samples.Selections();
        var read = SelectionCodec.Decode(SelectionCodec.Encode(sent));
        Assert.Equal((sent.Block, sent.Selector, sent.Version), (read.Block, read.Selector, read.Version));
        Assert.Equal(3, read.Selections.Count);
        Assert.Null(read.Selections[1]);
        foreach (var i in new[] { 0, 2 })
        {
            var (before, after) = (sent.Selections[i]!, read.Selections[i]!);
            Assert.Equal((before.Pool.Id, before.Pool.Position, before.Pool.Duplicates, before.Pool.UnknownItems, before.Pool.CutTokens), (after.Pool.Id, after.Pool.Position, after.Pool.Duplicates, after.Pool.UnknownItems, after.Pool.CutTokens));
            Assert.Equal(Telling.Of(before.Pool.Origin), Telling.Of(after.Pool.Origin));
            Assert.Equal(before.Picks, after.Picks);
            Assert.Equal(Telling.Of(before.Pool.Tokens.Of(before.Picks)), Telling.Of(after.Pool.Tokens.Of(after.Picks)));
            Assert.Empty(after.Pool.Tokens.Responses[2]);
            Assert.Equal((before.Measures, before.Line.Hash), (after.Measures, after.Line.Hash));
            Assert.Equal(before.ReferenceLogps, after.ReferenceLogps);
            Assert.Equal(Telling.Of(before.Event), Telling.Of(after.Event));
        }
        Assert.Equal(sent.Trace, read.Trace);
    }

    [Fact]
    public void Pools_are_read_as_they_were_written()
    {
        var sent = Samples.Pools();
        Assert.Equal(Telling.Of(sent), Telling.Of(PoolCodec.Decode(PoolCodec.Encode(sent))));
    }

    [Fact]
    public void Pools_that_contradict_themselves_are_refused()
    {
        var good = Samples.Pools();
        var pool = good.Pools[0]!;
        foreach (var (bad, reason) in new (CandidatePool?[], string)[]
        {
            ([pool], "1 rows"),
            ([pool with { Tokens = pool.Tokens with { Prompt = [] } }, null, null, null], "no tokens"),
            ([pool with { Tokens = pool.Tokens with { Responses = [[1], [2]] } }, null, null, null], "2 responses of 3"),
            ([pool with { Record = pool.Record with { Rewards = [1] } }, null, null, null], "1 rewards of 3"),
        })
            Assert.Contains(reason, Assert.Throws<WireFormatException>(() => PoolCodec.Decode(PoolCodec.Encode(good with { Pools = bad }))).Message);
    }

    [Fact]
    public void A_manifest_is_read_as_it_was_written() => Assert.Equal(Telling.Of(Manifest), Telling.Of(SnapshotManifest.Decode(Manifest.Encode())));

    [Fact]
    public void A_manifest_whose_chunks_do_not_make_it_up_is_refused()
    {
        var manifest = Manifest;
        foreach (var policy in new[]
        {
            manifest.Policy with { Length = 701 }, manifest.Policy with { Chunks = [] }, manifest.Policy with { Length = 0, Chunks = [] },
            manifest.Policy with { Chunks = [manifest.Policy.Chunks[0], manifest.Policy.Chunks[1] with { Hash = new byte[31] }] },
            manifest.Policy with { Chunks = [manifest.Policy.Chunks[0], manifest.Policy.Chunks[1] with { Offset = -1 }] },
        })
            Assert.Throws<WireFormatException>(() => SnapshotManifest.Decode((manifest with { Policy = policy }).Encode()));
    }

    [Fact]
    public void A_selection_that_contradicts_itself_is_refused()
    {
        var good = Samples.Selections();
        var selection = good.Selections[0]!;
        foreach (var (bad, reason) in new (Selection, string)[]
        {
            (selection with { ReferenceLogps = [-1] }, "log-probabilities"),
            (selection with { Picks = [1, 3] }, "event of another"),
            (selection with { Pool = selection.Pool with { Position = new Position("clicks/3", 0, 8) } }, "event of another"),
            (selection with { Pool = selection.Pool with { Tokens = selection.Pool.Tokens with { Prompt = [] } } }, "no tokens"),
        })
            Assert.Contains(reason, Assert.Throws<WireFormatException>(() => SelectionCodec.Decode(SelectionCodec.Encode(good with { Selections = [bad, null, null] }))).Message);
    }

    [Fact]
    public void Bytes_that_were_changed_are_read_or_refused_and_nothing_else()
    {
        byte[][] messages = [.. Samples.Messages.Select(MessageCodec.Encode)];
        byte[][] notices = [.. Samples.Notices.Select(NoticeCodec.Encode), NoticeCodec.Encode(new EpochClaim(1, 2, "h"), "me")];
        var (selections, pools, manifest) = (SelectionCodec.Encode(Samples.Selections()), PoolCodec.Encode(Samples.Pools()), Manifest.Encode());
        var random = new StableRandom(1, 0x317E);
        var refused = 0;
        for (var i = 0; i < 10_000; i++)
        {
            refused += Refuses(bytes => MessageCodec.Decode(bytes), messages[i % messages.Length], ref random);
            refused += Refuses(bytes => NoticeCodec.Decode(bytes), notices[i % notices.Length], ref random);
            refused += Refuses(bytes => SelectionCodec.Decode(bytes), selections, ref random);
            refused += Refuses(bytes => PoolCodec.Decode(bytes), pools, ref random);
            refused += Refuses(bytes => SnapshotManifest.Decode(bytes), manifest, ref random);
        }
        Assert.InRange(refused, 4_000, 49_999);

        static int Refuses(Action<byte[]> read, byte[] whole, ref StableRandom random)
        {
            try
            {
                read(ProtobufMutations.Of(whole, ref random));
                return 0;
            }
            catch (WireFormatException)
            {
                return 1;
            }
        }
    }
}
