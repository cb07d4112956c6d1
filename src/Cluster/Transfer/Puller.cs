using Akka.Actor;
using MassDpo.Cluster.Links;

namespace MassDpo.Cluster.Transfer;

/// <summary>A thing could not be pulled: it is gone, its node is lost, or what came is not what was asked for.</summary>
public sealed class TransferException(string message) : IOException(message);

/// <summary>
/// Pulls one thing: asks for a window of pieces, for the next one whenever one has been taken, and again for what is missing once nothing has come for a while. It ends when it has all,
/// or when that cannot be any more. It persists nothing.
/// </summary>
internal sealed class Puller : UntypedActor, IWithTimers
{
    private readonly IActorRef _server;
    private readonly string _thing;
    private readonly long _length;
    private readonly Action<ReadOnlyMemory<byte>> _take;
    private readonly TaskCompletionSource _done;
    private readonly PieceSize _size = PieceSize.Of(Context.System);
    // What came before its turn; no more than a window.
    private readonly SortedDictionary<long, ReadOnlyMemory<byte>> _early = [];
    private long _taken;
    private long _asked;
    private bool _isStill;

    public Puller(IActorRef server, string thing, long from, long length, Action<ReadOnlyMemory<byte>> take, TaskCompletionSource done)
    {
        (_server, _thing, _length, _take, _done) = (server, thing, length, take, done);
        _taken = _asked = from;
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>Pulls a thing from another node, or from this one.</summary>
    /// <param name="system">this node</param>
    /// <param name="server">a <see cref="PieceServer"/></param>
    /// <param name="thing">the name that the server knows it by</param>
    /// <param name="from">the first byte that is wanted</param>
    /// <param name="length">where it ends, in bytes; the caller has seen to it that they are not too many</param>
    /// <param name="take">gets them in order, a piece at a time</param>
    /// <param name="blocks">whether taking waits for a disk: then it has a thread of its own</param>
    /// <param name="cancellation">gives up; what was taken stays so</param>
    /// <exception cref="TransferException">it is gone, or its node is lost</exception>
    public static async Task PullAsync(ActorSystem system, IActorRef server, string thing, long from, long length, Action<ReadOnlyMemory<byte>> take, bool blocks, CancellationToken cancellation)
    {
        if (from == length)
            return;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var props = Props.Create(() => new Puller(server, thing, from, length, take, done));
        var puller = system.ActorOf(blocks ? props.WithDispatcher("massdpo.own-thread-dispatcher") : props);
        using var _ = cancellation.Register(() => system.Stop(puller));
        await done.Task;
    }

    /// <summary>The same, into memory. What is given up may still write to it.</summary>
    /// <exception cref="TransferException">it is gone, or its node is lost</exception>
    public static async Task PullAsync(ActorSystem system, IActorRef server, string thing, Memory<byte> into, CancellationToken cancellation)
    {
        var at = 0;
        await PullAsync(system, server, thing, 0, into.Length, piece =>
        {
            piece.CopyTo(into[at..]);
            at += piece.Length;
        }, blocks: false, cancellation);
    }

    /// <summary>The same, into memory of its own.</summary>
    /// <exception cref="TransferException">it is gone, or its node is lost</exception>
    public static async Task<byte[]> PullAsync(ActorSystem system, IActorRef server, string thing, int length, CancellationToken cancellation)
    {
        var bytes = new byte[length];
        await PullAsync(system, server, thing, bytes.AsMemory(), cancellation);
        return bytes;
    }

    protected override void PreStart()
    {
        Context.Watch(_server);
        Timers.StartPeriodicTimer(nameof(Again), Again.Instance, Exchange.ResendOf(Context.System));
        AskOn();
    }

    // Where it is not done by now it was given up.
    protected override void PostStop() => _done.TrySetCanceled();

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Piece piece:
                Take(piece);
                break;
            case PieceGone gone:
                Fail(new TransferException(gone.Reason));
                break;
            case Terminated:
                Fail(new TransferException($"who had it, {_server.Path.Address}, is lost"));
                break;
            // Only where nothing comes any more: over a slow line what is on its way would go twice.
            case Again when _isStill:
                AskAgain();
                break;
            case Again:
                _isStill = true;
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private void Take(Piece piece)
    {
        if (piece.Offset < _taken || piece.Offset >= _asked || _early.Any(other => piece.Offset < other.Key + other.Value.Length && other.Key < piece.Offset + piece.Content.Length))
            return;
        if (piece.Content.IsEmpty || piece.Content.Length > _asked - piece.Offset)
        {
            Fail(new TransferException($"{piece.Content.Length} bytes came from {piece.Offset} on, which nobody asked for"));
            return;
        }
        _isStill = false;
        _early[piece.Offset] = piece.Content;
        while (_early.Remove(_taken, out var next))
        {
            try
            {
                _take(next);
            }
            catch (Exception e)
            {
                Fail(e);
                return;
            }
            _taken += next.Length;
        }
        if (_taken == _length)
        {
            _done.TrySetResult();
            Context.Stop(Self);
        }
        else
            AskOn();
    }

    private void AskOn()
    {
        // A whole request at a time: a message costs as much as ten thousand bytes.
        while (_asked < _length && _asked + _size.Request <= _taken + _size.Window)
        {
            var count = Math.Min(_size.Request, _length - _asked);
            Ask(_asked, count);
            _asked += count;
        }
    }

    private void AskAgain()
    {
        var from = _taken;
        foreach (var (offset, content) in _early)
        {
            Ask(from, offset - from);
            from = offset + content.Length;
        }
        Ask(from, _asked - from);
    }

    private void Ask(long from, long count)
    {
        for (; count > 0; from += _size.Request, count -= _size.Request)
            _server.Tell(new PieceRequest(_thing, from, (int)Math.Min(_size.Request, count)) { Piece = _size.Bytes });
    }

    private void Fail(Exception reason)
    {
        _done.TrySetException(reason);
        Context.Stop(Self);
    }

    private sealed class Again
    {
        public static Again Instance { get; } = new();
    }
}
