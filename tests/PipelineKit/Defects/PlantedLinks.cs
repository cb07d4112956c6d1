using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.PipelineKit.Defects;

/// <summary>Publishes something else than it is given.</summary>
public sealed class PlantedSnapshots(ISnapshotsLink inner, Func<PolicySnapshot, PolicySnapshot> change) : ISnapshotsLink
{
    public void Publish(PolicySnapshot snapshot) => inner.Publish(change(snapshot));

    public ISnapshotSubscription Subscribe(Action signal) => inner.Subscribe(signal);
}

/// <summary>Sends something else than it is given.</summary>
public sealed class PlantedSelections(ISelectionsLink inner, Func<SelectionBlock, SelectionBlock> change) : ISelectionsLink
{
    public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => inner.SendAsync(change(block), cancellation);

    public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive(deliver);
}

/// <summary>Offers something else than it is given.</summary>
public sealed class PlantedPools(IPoolsLink inner, Func<PoolBlock, PoolBlock> change) : IPoolsLink
{
    public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation) => inner.OfferAsync(change(block), cancellation);

    public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false) => inner.Request(selector, deliver, isAhead);

    public void Withdraw(string selector) => inner.Withdraw(selector);
}

/// <summary>Sends and hears something else than it is given; what becomes null is lost.</summary>
public sealed class PlantedControl(IControlLink inner, Func<ControlMessage, ControlMessage?> send, Func<ControlNotice, ControlNotice?> hear) : IControlLink
{
    public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        CancellationToken cancellation) => inner.ClaimAsync(claim, deliver, fenced, cancellation);

    public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, notice =>
    {
        if (hear(notice) is { } heard)
            deliver(heard);
    });

    public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) =>
        send(message) is { } sent ? inner.SendAsync(sent, cancellation) : ValueTask.CompletedTask;
}
