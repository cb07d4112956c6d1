using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Learner.Tests.Running;

/// <summary>What a selector does with a block.</summary>
internal enum SelectorAct
{
    Compute,
    /// <summary>Computes, and sends it twice.</summary>
    Double,
    /// <summary>Tells that it failed on the first record that is not dead.</summary>
    Fail,
    /// <summary>Throws and is restarted.</summary>
    Throw,
    /// <summary>Takes the block and is never heard of again about it.</summary>
    Forget,
    /// <summary>Sends what it computed only after its lease has run out.</summary>
    Late,
}

internal abstract record SelectorMessage
{
    public sealed record SnapshotArrived : SelectorMessage;

    public sealed record BlockArrived(PoolBlock Block) : SelectorMessage;

    public sealed record Overdue(SelectionBlock Block) : SelectorMessage;
}

/// <summary>A selector that does what a script says with each block; alone it has the manners of a real one.</summary>
internal sealed class ScriptedSelector(IActorContext<SelectorMessage> context, string name, MadeRun made, Func<PoolBlock, SelectorAct> script, IControlLink control,
    IPoolsLink pools, ISelectionsLink selections, ISnapshotsLink snapshots) : Actor<SelectorMessage>
{
    private ISnapshotSubscription? _subscription;
    private SnapshotLease? _policy;
    private PoolBlock? _block;

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        await control.SendAsync(new SelectorReady(name, context.Incarnation), cancellation);
        _subscription = snapshots.Subscribe(() => context.Self.Post(new SelectorMessage.SnapshotArrived()));
        Pull();
    }

    public override async ValueTask ReceiveAsync(SelectorMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case SelectorMessage.SnapshotArrived when _subscription!.TryAcquire() is { } newest:
                var isNewEpoch = newest.Epoch != _policy?.Epoch;
                _policy?.Dispose();
                _policy = newest;
                if (isNewEpoch)
                    await control.SendAsync(new SnapshotConfirmed(name, newest.Epoch, newest.Version, newest.Hash), cancellation);
                break;
            case SelectorMessage.BlockArrived arrived:
                _block = arrived.Block;
                await control.SendAsync(new BlockHeld(name, _block.Block), cancellation);
                break;
            case SelectorMessage.Overdue overdue:
                await selections.SendAsync(overdue.Block, cancellation);
                break;
        }
        if (_block is { } block && _policy is { } policy)
            await WorkAsync(block, policy, cancellation);
    }

    public override ValueTask StopAsync()
    {
        pools.Withdraw(name);
        _subscription?.Dispose();
        _policy?.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Pull() => pools.Request(name, block => context.Self.Post(new SelectorMessage.BlockArrived(block)));

    private async ValueTask WorkAsync(PoolBlock block, SnapshotLease policy, CancellationToken cancellation)
    {
        var (epoch, batch) = (block.Block.Epoch, block.Block.Batch);
        var isOver = epoch < policy.Epoch || (epoch == policy.Epoch && batch < policy.Version);
        if (!isOver && (epoch > policy.Epoch || policy.Version < batch - made.Options.Slots.MaxStaleness))
            return;
        _block = null;
        switch (isOver ? SelectorAct.Forget : script(block))
        {
            case SelectorAct.Compute:
                await selections.SendAsync(made.Compute(block, policy, name), cancellation);
                break;
            case SelectorAct.Double:
                await selections.SendAsync(made.Compute(block, policy, name), cancellation);
                await selections.SendAsync(made.Compute(block, policy, name), cancellation);
                break;
            case SelectorAct.Fail when block.Pools.FirstOrDefault(pool => pool is not null) is { } record:
                var slot = block.Block.First + block.Pools.ToList().IndexOf(record);
                await control.SendAsync(new BlockFailed(name, block.Block, [new SlotFailure(slot, "scripted failure")]), cancellation);
                break;
            case SelectorAct.Fail:
                await selections.SendAsync(made.Compute(block, policy, name), cancellation);
                break;
            case SelectorAct.Throw:
                throw new InvalidOperationException("scripted failure of a selector");
            case SelectorAct.Late:
                context.Schedule(2 * made.Options.Slots.Lease, new SelectorMessage.Overdue(made.Compute(block, policy, name)));
                break;
        }
        Pull();
    }
}
