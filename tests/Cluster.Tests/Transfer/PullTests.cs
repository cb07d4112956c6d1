using Akka.Actor;
using MassDpo.Cluster.Tests.Links;
using MassDpo.Cluster.Transfer;
using MassDpo.LinkKit;

namespace MassDpo.Cluster.Tests.Transfer;

/// <summary>A large thing comes from another node in pieces.</summary>
public sealed class PullTests(TwoNodes nodes) : IClassFixture<TwoNodes>
{
    // Not a whole number of pieces.
    private static readonly byte[] Thing = [.. Enumerable.Range(0, 3_000_001).Select(i => (byte)(i * 31 + i / 997))];

    private ActorSystem There => nodes.Nodes[0].System;

    private ActorSystem Here => nodes.Nodes[1].System;

    [Fact]
    public async Task It_comes_whole_and_is_closed_once_nobody_is_in_the_middle_of_it()
    {
        var (opened, closed) = (0, new Inbox<string>());
        var server = Serve(thing =>
        {
            opened++;
            return new Watched(thing, Thing, closed);
        });
        Assert.Equal(Thing, await PullAsync(server, "a", Thing.Length));
        Assert.Equal(["a"], await closed.Take(1));
        Assert.Equal(1, opened);
        Assert.Empty(await PullAsync(server, "a", 0));
    }

    [Fact]
    public async Task A_piece_that_is_lost_comes_again()
    {
        var server = Serve(_ => new MemoryPieces(Thing));
        var lost = new HashSet<long>();
        var fifth = 5 * PieceSize.Of(There).Request;
        // Every fifth request is lost the first time.
        var lossy = There.ActorOf(Props.Create(() => new Between(server, request => request.Offset % fifth == 0 && lost.Add(request.Offset) ? null : request)));
        Assert.Equal(Thing, await PullAsync(lossy, "a", Thing.Length));
        Assert.Equal((Thing.Length + fifth - 1) / fifth, lost.Count);
    }

    [Fact]
    public async Task Only_the_pieces_of_a_request_that_were_lost_are_asked_for_again()
    {
        var server = Serve(_ => new MemoryPieces(Thing));
        var (requests, pieces) = (new Inbox<PieceRequest>(), 0);
        // Of the pieces that the first requests bring, each third is lost.
        Func<object, object?> lossy = message =>
        {
            if (message is PieceRequest request)
                requests.Add(request);
            return message is Piece && ++pieces <= 12 && pieces % 3 == 0 ? null : message;
        };
        var between = There.ActorOf(Props.Create(() => new BothWays(server, lossy)));
        Assert.Equal(Thing, await PullAsync(between, "a", Thing.Length));
        var size = PieceSize.Of(Here);
        var whole = (Thing.Length + size.Request - 1) / size.Request;
        Assert.Equal(4, requests.Count - whole);
        Assert.Equal(4, (await requests.Take(requests.Count)).Count(request => request.Count is var count && (count == size.Bytes || count == size.Request % size.Bytes)));
    }

    [Fact]
    public async Task An_older_build_is_understood_and_understands()
    {
        // It knows nothing of pieces of a request: it answers with one, and asks for one.
        var server = Serve(_ => new MemoryPieces(Thing));
        Func<PieceRequest, PieceRequest?> older = request => request with { Piece = 0 };
        Assert.Equal(Thing, await PullAsync(There.ActorOf(Props.Create(() => new Between(server, older))), "a", Thing.Length));
        var replies = new Inbox<object>();
        var asking = Here.ActorOf(Props.Create(() => new Collector(replies)));
        var request = PieceSize.Of(Here).Request;
        Assert.True(request > PieceSize.Of(Here).Bytes);
        On(Here, server).Tell(new PieceRequest("a", 100, request), asking);
        Assert.Equal(request, Assert.IsType<Piece>((await replies.Take(1))[0]).Content.Length);
        // Nor are they smaller than is worth a message.
        On(Here, server).Tell(new PieceRequest("a", 0, 3 * PieceSize.LeastBytes + 1) { Piece = 1 }, asking);
        Assert.Equal([PieceSize.LeastBytes, PieceSize.LeastBytes, PieceSize.LeastBytes, 1], (await replies.Take(4)).Select(reply => ((Piece)reply).Content.Length));
    }

    [Fact]
    public async Task No_more_than_a_window_is_on_its_way()
    {
        var asked = new Inbox<long>();
        Func<PieceRequest, PieceRequest?> silently = request =>
        {
            asked.Add(request.Offset);
            return null;
        };
        var silent = There.ActorOf(Props.Create(() => new Between(ActorRefs.Nobody, silently)));
        using var stop = new CancellationTokenSource();
        var pull = Puller.PullAsync(Here, On(Here, silent), "a", Thing.Length, stop.Token);
        var size = PieceSize.Of(Here);
        // A window, and the same one again and again.
        var requests = size.Window / size.Request;
        var offsets = await asked.Take(3 * requests);
        Assert.Equal(Enumerable.Range(0, requests).Select(i => i * (long)size.Request), offsets.Distinct().Order());
        Assert.InRange(requests * size.Request, 500_000, 1_000_000);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pull);
    }

    [Fact]
    public async Task What_is_gone_or_shorter_or_hostile_is_an_error()
    {
        var server = Serve(thing => thing == "a" ? new MemoryPieces(Thing) : null);
        Assert.Contains("not there", (await Assert.ThrowsAsync<TransferException>(() => PullAsync(server, "../../secrets", 10))).Message);
        Assert.Contains("ends before", (await Assert.ThrowsAsync<TransferException>(() => PullAsync(server, "a", Thing.Length + 1))).Message);
        var unreadable = Serve(_ => throw new IOException("the disk fails"));
        Assert.Equal("the disk fails", (await Assert.ThrowsAsync<TransferException>(() => PullAsync(unreadable, "a", 10))).Message);
        var replies = new Inbox<object>();
        var asking = Here.ActorOf(Props.Create(() => new Collector(replies)));
        foreach (var (offset, count) in new[] { (-1L, 10), (0L, 0), (0L, -5), (0L, int.MaxValue), (long.MaxValue, 10) })
        {
            On(Here, server).Tell(new PieceRequest("a", offset, count), asking);
            Assert.IsType<PieceGone>((await replies.Take(1))[0]);
        }
        // Another length than was asked for.
        Func<PieceRequest, PieceRequest?> more = request => request with { Offset = request.Offset + 1, Piece = 0 };
        var wrong = There.ActorOf(Props.Create(() => new Between(server, more)));
        Assert.Contains("nobody asked for", (await Assert.ThrowsAsync<TransferException>(() => PullAsync(wrong, "a", Thing.Length))).Message);
    }

    [Fact]
    public async Task What_cannot_be_taken_ends_with_its_reason()
    {
        var server = Serve(_ => new MemoryPieces(Thing));
        var full = await Assert.ThrowsAsync<IOException>(() => Puller.PullAsync(Here, On(Here, server), "a", 0, Thing.Length, _ => throw new IOException("the disk is full"), blocks: true, default));
        Assert.Equal("the disk is full", full.Message);
    }

    [Fact]
    public async Task Of_too_many_things_the_one_that_was_opened_first_is_closed()
    {
        var closed = new Inbox<string>();
        var server = There.ActorOf(Props.Create(() => new PieceServer(thing => new Watched(thing, Thing, closed), 2)));
        var replies = new Inbox<object>();
        var asking = Here.ActorOf(Props.Create(() => new Collector(replies)));
        foreach (var thing in new[] { "a", "b", "c" })
            On(Here, server).Tell(new PieceRequest(thing, 0, 10), asking);
        Assert.All(await replies.Take(3), reply => Assert.IsType<Piece>(reply));
        Assert.Equal(["a"], await closed.Take(1));
        // Whoever was in the middle of it opens it again.
        On(Here, server).Tell(new PieceRequest("a", 10, 10), asking);
        Assert.Equal(10, Assert.IsType<Piece>((await replies.Take(1))[0]).Offset);
    }

    private IActorRef Serve(Func<string, IPieces?> open) => There.ActorOf(Props.Create(() => new PieceServer(open, 16)));

    private Task<byte[]> PullAsync(IActorRef server, string thing, int length) => Puller.PullAsync(Here, On(Here, server), thing, length, default);

    // As another node knows it.
    private IActorRef On(ActorSystem system, IActorRef there) =>
        ((ExtendedActorSystem)system).Provider.ResolveActorRef(there.Path.ToSerializationFormatWithAddress(Akka.Cluster.Cluster.Get(There).SelfAddress));

    private sealed class Watched(string thing, byte[] content, Inbox<string> closed) : IPieces
    {
        private readonly MemoryPieces _pieces = new(content);

        public int ReadAt(long offset, Span<byte> bytes) => _pieces.ReadAt(offset, bytes);

        public void Dispose() => closed.Add(thing);
    }

    /// <summary>Stands before a server: hands on what it makes of a request, or nothing.</summary>
    private sealed class Between(IActorRef server, Func<PieceRequest, PieceRequest?> change) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (change((PieceRequest)message) is { } request)
                server.Forward(request);
        }
    }

    /// <summary>Stands between who pulls and a server: hands on what it makes of each message, or nothing.</summary>
    private sealed class BothWays(IActorRef server, Func<object, object?> change) : UntypedActor
    {
        private IActorRef? _puller;

        protected override void OnReceive(object message)
        {
            if (message is PieceRequest)
                _puller = Sender;
            if (change(message) is { } changed)
                (message is PieceRequest ? server : _puller!).Tell(changed, Self);
        }
    }

    private sealed class Collector(Inbox<object> replies) : UntypedActor
    {
        protected override void OnReceive(object message) => replies.Add(message);
    }
}
