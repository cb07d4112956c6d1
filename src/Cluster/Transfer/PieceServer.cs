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
                foreach (var answer in Answer(request))
                    Sender.Tell(answer);
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

    private IEnumerable<ITransferMessage> Answer(PieceRequest request)
    {
        if (request.Offset < 0 || request.Count is <= 0 or > PieceSize.MostBytes || request.Offset > long.MaxValue - request.Count)
        {
            yield return new PieceGone($"{request.Count} bytes from {request.Offset} on are no piece");
            yield break;
        }
        var size = request.Piece > 0 ? Math.Max(request.Piece, PieceSize.LeastBytes) : request.Count;
        for (var from = 0; from < request.Count; from += size)
        {
            var answer = Read(request.Thing, request.Offset + from, Math.Min(size, request.Count - from));
            yield return answer;
            if (answer is PieceGone)
                yield break;
        }
    }

    private ITransferMessage Read(string thing, long offset, int count)
    {
        try
        {
            if (Find(thing) is not { } pieces)
                return new PieceGone("it is not there any more");
            var content = GC.AllocateUninitializedArray<byte>(count);
            return pieces.ReadAt(offset, content) == count ? new Piece(offset, content) : new PieceGone($"it ends before {offset + count} bytes");
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
