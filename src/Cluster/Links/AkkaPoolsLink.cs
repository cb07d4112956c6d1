using System.Collections.Concurrent;
using Akka.Actor;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>An end of the pools link of a cluster. Blocks wait at the hub; one that was on its way to a node that is lost goes to another.</summary>
public sealed class AkkaPoolsLink(Exchange exchange, string link) : IPoolsLink, IDisposable
{
    private readonly IActorRef _end = exchange.Open(link);
    private readonly ConcurrentDictionary<(string Selector, bool IsAhead), ExchangeEnd.Want> _requests = new();

    /// <inheritdoc/>
    public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation) => Exchange.SendAsync(_end, Operation.OfferPools, block, cancellation);

    /// <inheritdoc/>
    public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false)
    {
        var want = new ExchangeEnd.Want(Operation.RequestPools, Operation.WithdrawPools, selector, isOnce: true, (content, _) =>
        {
            deliver((PoolBlock)content);
            return ValueTask.CompletedTask;
        })
        {
            IsAhead = isAhead,
        };
        _requests[(selector, isAhead)] = want;
        _end.Tell(want, ActorRefs.NoSender);
    }

    /// <inheritdoc/>
    public void Withdraw(string selector)
    {
        foreach (var isAhead in (ReadOnlySpan<bool>)[false, true])
            if (_requests.TryRemove((selector, isAhead), out var want))
                _end.Tell(new ExchangeEnd.NoLonger(want), ActorRefs.NoSender);
    }

    /// <summary>Closes the end: what it waits for is cancelled.</summary>
    public void Dispose() => exchange.Close(_end);
}
