using Akka.Actor;

namespace MassDpo.Cluster.Transfer;

/// <summary>
/// Serves pieces of things by their names. A thing stays open while somebody is in the middle of it, also where its owner has forgotten it meanwhile: whoever pulls is watched. It
/// persists nothing; made anew it opens what is asked for again.
/// </summary>
/// <param name="open">finds a thing by a name that another node says; null: there is none. May throw an <see cref="IOException"/></param>
/// <param name="most">things that are open at a time: of more the one that was opened first is closed</param>
internal sealed class PieceServer(Func<string, IPieces?> open, int most) : UntypedActor
{
    // The one that was opened first is the first.
    private readonly List<Open> _open = [];

    protected override void PostStop()
    {
        foreach (var one in _open)
            one.Pieces.Dispose();
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case PieceRequest request:
                Sender.Tell(Answer(request));
                break;
            case Terminated terminated:
                foreach (var one in _open.Where(one => one.Pullers.Remove(terminated.ActorRef) && one.Pullers.Count == 0).ToList())
                    Close(one);
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private object Answer(PieceRequest request)
    {
        if (request.Offset < 0 || request.Count is <= 0 or > PieceSize.MostBytes)
            return new PieceGone($"{request.Count} bytes from {request.Offset} on are no piece");
        try
        {
            if (Find(request.Thing) is not { } pieces)
                return new PieceGone("it is not there any more");
            var content = new byte[request.Count];
            return pieces.ReadAt(request.Offset, content) == content.Length ? new Piece(request.Offset, content) : new PieceGone($"it ends before {request.Offset + request.Count} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new PieceGone(e.Message);
        }
    }

    private IPieces? Find(string thing)
    {
        var one = _open.Find(one => one.Thing == thing);
        if (one is null)
        {
            if (open(thing) is not { } pieces)
                return null;
            _open.Add(one = new Open(thing, pieces));
            if (_open.Count > most)
                Close(_open[0]);
        }
        if (one.Pullers.Add(Sender))
            Context.Watch(Sender);
        return one.Pieces;
    }

    private void Close(Open one)
    {
        _open.Remove(one);
        one.Pieces.Dispose();
    }

    private sealed record Open(string Thing, IPieces Pieces)
    {
        public HashSet<IActorRef> Pullers { get; } = [];
    }
}
