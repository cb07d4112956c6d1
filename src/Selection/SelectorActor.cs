using System.Diagnostics;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Telemetry;

namespace MassDpo.Selection;

/// <summary>Who a selector is and how fresh its policy must be.</summary>
/// <param name="Name">unique among all selectors</param>
/// <param name="MaxStaleness">s: a slot of batch b needs a version of at least b − s</param>
/// <param name="Reference">when the reference changes: a slot needs the one of its batch</param>
/// <param name="Heartbeat">how often it tells of a block that it holds; well below the lease</param>
public sealed record SelectorOptions(string Name, int MaxStaleness, ReferenceSchedule Reference, TimeSpan Heartbeat);

/// <summary>What a <see cref="SelectorActor"/> is told.</summary>
public abstract record SelectorMessage
{
    internal sealed record SnapshotArrived : SelectorMessage;

    internal sealed record BlockArrived(PoolBlock Block) : SelectorMessage;

    internal sealed record HeartbeatDue(SlotBlock Block) : SelectorMessage;
}

/// <summary>
/// A selector: pulls a block, waits until it has a fresh enough policy, computes, sends, and pulls the next.
/// States: idle (asked for a block); holding (has a block, waits for a snapshot, tells of it now and then so that its lease lives on); computing.
/// It persists nothing. After a restart it tells the learner, which hands out again what the selector before it held. A block of an epoch or batch that
/// is over is dropped. A record on which it fails is told to the learner, which decides.
/// </summary>
public sealed class SelectorActor(IActorContext<SelectorMessage> context, SelectionEngine engine, IControlLink control, IPoolsLink pools,
    ISelectionsLink selections, ISnapshotsLink snapshots, SelectorOptions options) : Actor<SelectorMessage>
{
    private ISnapshotSubscription? _subscription;
    private SnapshotLease? _policy;
    private PoolBlock? _block;
    private IDisposable? _heartbeat;

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        context.Lacks("it has no snapshot of the policy");
        await control.SendAsync(new SelectorReady(options.Name, context.Incarnation), cancellation);
        _subscription = snapshots.Subscribe(() => context.Self.Post(new SelectorMessage.SnapshotArrived()));
        Pull();
    }

    public override async ValueTask ReceiveAsync(SelectorMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case SelectorMessage.SnapshotArrived:
                await TakeSnapshotAsync(cancellation);
                break;
            case SelectorMessage.BlockArrived arrived:
                _block = arrived.Block;
                await HoldAsync(cancellation);
                break;
            case SelectorMessage.HeartbeatDue due when _block?.Block == due.Block:
                await HoldAsync(cancellation);
                break;
        }
        await ComputeAsync(cancellation);
    }

    public override ValueTask StopAsync()
    {
        pools.Withdraw(options.Name);
        _subscription?.Dispose();
        _policy?.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Pull() => pools.Request(options.Name, block => context.Self.Post(new SelectorMessage.BlockArrived(block)));

    private async ValueTask HoldAsync(CancellationToken cancellation)
    {
        _heartbeat?.Dispose();
        _heartbeat = context.Schedule(options.Heartbeat, new SelectorMessage.HeartbeatDue(_block!.Block));
        await control.SendAsync(new BlockHeld(options.Name, _block.Block), cancellation);
    }

    private async ValueTask TakeSnapshotAsync(CancellationToken cancellation)
    {
        if (_subscription!.TryAcquire() is not { } newest)
            return;
        var newEpoch = newest.Epoch != _policy?.Epoch;
        _policy?.Dispose();
        _policy = newest;
        context.Instruments.Holds(options.Name, newest.Epoch, newest.Version);
        context.Lacks(null);
        // The learner opens no slots before one selector has confirmed that it holds what was published.
        if (newEpoch)
            await control.SendAsync(new SnapshotConfirmed(options.Name, newest.Epoch, newest.Version, newest.Hash), cancellation);
    }

    private async ValueTask ComputeAsync(CancellationToken cancellation)
    {
        if (_block is not { Block: var block } || _policy is null)
            return;
        var isOver = block.Epoch < _policy.Epoch || (block.Epoch == _policy.Epoch && block.Batch < _policy.Version);
        if (!isOver && (block.Epoch > _policy.Epoch || _policy.Version < Math.Max(block.Batch - options.MaxStaleness, options.Reference.VersionFor(block.Batch))))
            return;
        if (!isOver)
        {
            var outcome = Select(_block, _policy);
            if (outcome.Computed is not null)
                await selections.SendAsync(outcome.Computed, cancellation);
            else
                await control.SendAsync(new BlockFailed(options.Name, block, outcome.Failures), cancellation);
        }
        _heartbeat?.Dispose();
        _block = null;
        Pull();
    }

    private BlockOutcome Select(PoolBlock block, SnapshotLease policy)
    {
        using var activity = Tracing.IsOn ? Tracing.Start(Tracing.Select, block.Pools.Select(pool => pool?.Trace), block.Trace) : null;
        activity?.SetTag("massdpo.block", block.Block.ToString()).SetTag("massdpo.selector", options.Name).SetTag("massdpo.version", policy.Version);
        var began = context.Clock.GetTimestamp();
        var outcome = engine.Select(block, policy, options.Name);
        context.Instruments.Selected(began);
        if (activity is null)
            return outcome;
        if (outcome.Failures.Count > 0)
            activity.SetStatus(ActivityStatusCode.Error, outcome.Failures[0].Reason);
        return outcome with { Computed = outcome.Computed is { } computed ? computed with { Trace = activity.Id } : null };
    }
}
