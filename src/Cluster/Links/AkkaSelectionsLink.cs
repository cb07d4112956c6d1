using Akka.Actor;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>An end of the selections link of a cluster. A block that was begun to be sent may arrive though the sender gave up.</summary>
public sealed class AkkaSelectionsLink(Exchange exchange, string link) : ISelectionsLink, IDisposable
{
    private readonly IActorRef _end = exchange.Open(link);

    /// <inheritdoc/>
    public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => Exchange.SendAsync(_end, Operation.SendSelections, block, cancellation);

    /// <inheritdoc/>
    public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver)
    {
        var want = new ExchangeEnd.Want(Operation.ReceiveSelections, Operation.LeaveSelections, "", isOnce: false, (content, cancellation) => deliver((SelectionBlock)content, cancellation));
        _end.Tell(want, ActorRefs.NoSender);
        return new Receiver(_end, want);
    }

    /// <summary>Closes the end: what it waits for is cancelled.</summary>
    public void Dispose() => exchange.Close(_end);

    private sealed class Receiver(IActorRef end, ExchangeEnd.Want want) : IDisposable
    {
        public void Dispose() => end.Tell(new ExchangeEnd.NoLonger(want), ActorRefs.NoSender);
    }
}
