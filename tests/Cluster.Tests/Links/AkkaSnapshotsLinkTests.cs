using Akka.Actor;
using MassDpo.Cluster.Links;
using MassDpo.Cluster.Transfer;
using MassDpo.LinkKit;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Tests.Links;

public sealed class AkkaSnapshotsLinkTests(TwoNodes nodes) : SnapshotsLinkContract, IClassFixture<TwoNodes>, IDisposable
{
    private readonly string _link = nodes.NewLink();
    private readonly List<AkkaSnapshotsLink> _ends = [];
    private readonly Inbox<string> _notes = new();
    private readonly Inbox<Exception> _failures = new();

    // One after the other on both nodes.
    protected override ISnapshotsLink End() => End(new NamedTensorsFormat());

    private AkkaSnapshotsLink End(ISnapshotFormat format)
    {
        _ends.Add(new AkkaSnapshotsLink(nodes.Nodes[(_ends.Count + 1) % 2], _link, format, _notes.Add, _failures.Add));
        return _ends[^1];
    }

    [Fact]
    public async Task One_of_ten_megabytes_comes_in_pieces_also_to_who_comes_late()
    {
        var format = new NamedTensorsFormat(10_000_000);
        var (learner, early) = (End(format), new Subscriber(End(format)));
        using var reference = new Reference("r");
        learner.Publish(new PolicySnapshot(1, 1, new NamedTensors("one"), reference.Tensors));
        (await early.Until(1, 1)).Dispose();
        learner.Publish(new PolicySnapshot(1, 2, new NamedTensors("two"), reference.Tensors));
        using var lease = await early.Until(1, 2);
        using var late = await new Subscriber(End(format)).Until(1, 2);
        using var later = await new Subscriber(End(format)).Until(1, 2);
        Assert.Equal(["two", "two", "two"], new[] { lease, late, later }.Select(each => each.Tensors.ComputeHash()));
        Assert.Equal(["r", "r", "r"], new[] { lease, late, later }.Select(each => each.Reference!.Hash));
        Assert.Equal(0, _notes.Count + _failures.Count);
    }

    [Fact]
    public async Task What_is_hostile_or_gone_is_noted_and_the_next_one_is_taken()
    {
        var subscriber = new Subscriber(End());
        using var offers = new Offers(nodes.Nodes[0], _link);
        var (asked, bytes) = (0, new byte[64]);
        var server = offers.Serve(thing => thing == "gone" ? null : new Read(() =>
        {
            asked += thing == "damaged" ? 1 : 0;
            return bytes;
        }));
        var version = 0;
        // Wrong hash: pulled again a few times. Another shape. Sizes that nobody must allocate. Nobody to pull from.
        foreach (var (offer, why) in new (SnapshotOffer, string)[]
        {
            (Offer("damaged", 64), "have hash"),
            (Offer("shape", 63), "63 bytes"),
            (Offer("large", 1025), "at most 1024"),
            (Offer("huge", long.MaxValue), "at most 1024"),
            (Offer("less", -1), "at most 1024"),
            (Offer("none", 0), "at most 1024"),
            (Offer("gone", 64), "not there any more"),
            (Offer("a", 64) with { Reference = new SnapshotPart("r", "r", 4096) }, "at most 1024"),
            (Offer("a", 64) with { Publisher = "no actor" }, "no actor"),
            (Offer("a", 64) with { Publisher = server.Replace("/user/", "/user/no-") }, "is lost"),
        })
        {
            offers.Publish(offer with { Version = ++version });
            var note = (await _notes.Take(1))[0];
            Assert.Contains($"version {version} was left out", note);
            Assert.Contains(why, note);
        }
        Assert.Equal(3, asked);
        Assert.Null(subscriber.TryAcquire());
        using (var stream = new MemoryStream(bytes))
            new NamedTensorsFormat().Write(new NamedTensors("good"), stream);
        offers.Publish(Offer("a", 64) with { Version = ++version });
        (await subscriber.Until(1, version)).Dispose();
        Assert.Equal(0, _notes.Count + _failures.Count);

        SnapshotOffer Offer(string thing, long length) => new(1, 0, new SnapshotPart(thing, "good", length), null, server);
    }

    [Fact]
    public async Task A_damaged_one_is_pulled_again_and_a_subscriber_that_never_looks_holds_nobody_up()
    {
        var end = End();
        var (idle, subscriber) = (new Subscriber(end), new Subscriber(end));
        using var offers = new Offers(nodes.Nodes[0], _link);
        var (good, asked) = (new byte[64], 0);
        using (var stream = new MemoryStream(good))
            new NamedTensorsFormat().Write(new NamedTensors("good"), stream);
        var server = offers.Serve(_ => new Read(() => ++asked < 3 ? new byte[64] : good));
        offers.Publish(new SnapshotOffer(1, 1, new SnapshotPart("a", "good", 64), null, server));
        (await subscriber.Until(1, 1)).Dispose();
        Assert.Equal(3, asked);
        Assert.Equal(1, idle.Signals);
        Assert.Equal(0, _notes.Count + _failures.Count);
    }

    [Fact]
    public async Task An_offer_that_its_node_withdrew_is_not_told_and_one_elsewhere_does_not_wait_for_who_never_answers()
    {
        using (var offers = new Offers(nodes.Nodes[0], _link))
        {
            var pulled = new Inbox<string>();
            var silent = offers.Silent(pulled);
            offers.Publish(new SnapshotOffer(1, 9, new SnapshotPart("a", "good", 64), null, silent));
            var stuck = new Subscriber(End());
            await pulled.Take(1);
            var learner = End();
            learner.Publish(new PolicySnapshot(2, 3, new NamedTensors("next")));
            (await stuck.Until(2, 3)).Dispose();
            (learner as IDisposable)!.Dispose();
        }
        // Told of nothing that is gone: what is published next is the first that it hears of.
        var late = new Subscriber(End());
        End().Publish(new PolicySnapshot(3, 4, new NamedTensors("after")));
        (await late.Until(3, 4)).Dispose();
        Assert.Equal(0, _notes.Count + _failures.Count);
    }

    public void Dispose() => _ends.ForEach(end => end.Dispose());

    /// <summary>Publishes what a test makes up.</summary>
    private sealed class Offers(Exchange node, string link) : IDisposable
    {
        private readonly IActorRef _end = node.Open(link);

        public string Serve(Func<string, IPieces?> open) => PathOf(node.System.ActorOf(Props.Create(() => new PieceServer(open, 16))));

        public string Silent(Inbox<string> pulled) => PathOf(node.System.ActorOf(Props.Create(() => new Hushed(pulled))));

        public void Publish(SnapshotOffer offer) =>
            _end.Tell(new ExchangeEnd.Want(Operation.PublishSnapshot, Operation.WithdrawSnapshot, "", isOnce: false, (_, _) => ValueTask.CompletedTask) { Content = offer });

        public void Dispose() => node.Close(_end);

        private string PathOf(IActorRef actor) => actor.Path.ToSerializationFormatWithAddress(Akka.Cluster.Cluster.Get(node.System).SelfAddress);
    }

    /// <summary>What is to be read may be something else each time. It is one piece.</summary>
    private sealed class Read(Func<byte[]> content) : IPieces
    {
        public int ReadAt(long offset, Span<byte> bytes) => new MemoryPieces(content()).ReadAt(offset, bytes);

        public void Dispose()
        {
        }
    }

    private sealed class Hushed(Inbox<string> pulled) : UntypedActor
    {
        protected override void OnReceive(object message) => pulled.Add(((PieceRequest)message).Thing);
    }

    private sealed class Reference(string name) : IDisposable
    {
        public SharedTensors Tensors { get; } = new(new NamedTensors(name));

        public void Dispose() => Tensors.Release();
    }
}
