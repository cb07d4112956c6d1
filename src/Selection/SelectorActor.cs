using System.Diagnostics;
using System.Runtime.ExceptionServices;
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

    internal sealed record BlockArrived(PoolBlock Block, bool IsAhead) : SelectorMessage;

    internal sealed record HeartbeatDue(SlotBlock Block) : SelectorMessage;

    internal sealed record SendFailed(ExceptionDispatchInfo Failure) : SelectorMessage;
}

/// <summary>
/// A selector: pulls a block, waits until it has a fresh enough policy, computes, sends, and goes on with the next, which it has asked for meanwhile: the ways there and back cost no time.
/// States: idle (asked for a block); holding (has one or two blocks, waits for a snapshot, tells of them now and then so that their leases live on); computing.
/// It persists nothing. After a restart it tells the learner, which hands out again what the selector before it held. A block of an epoch or batch that
/// is over is dropped. A record on which it fails is told to the learner, which decides; when it stops for good it gives back what it has, as a block on none of whose records it failed.
/// </summary>
public sealed class SelectorActor(IActorContext<SelectorMessage> context, SelectionEngine engine, IControlLink control, IPoolsLink pools,
    ISelectionsLink selections, ISnapshotsLink snapshots, SelectorOptions options) : Actor<SelectorMessage>
{
    // The one that is computed, and the next.
    private const int MostHeld = 2;

    // In the order of their slots.
    private readonly SortedList<(long Epoch, long First), Holding> _held = [];
    private ISnapshotSubscription? _subscription;
    private SnapshotLease? _policy;
    private readonly Lock _lock = new();
    // Delivered and not looked at yet; and whether nobody will.
    private readonly List<PoolBlock> _coming = [];
    private bool _hasStopped;
    private Task _sent = Task.CompletedTask;
    private CancellationToken _stopping;
    private bool _asks;
    private bool _asksAhead;

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        context.Lacks("it has no snapshot of the policy");
        _stopping = cancellation;
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
            case SelectorMessage.BlockArrived(var block, var isAhead):
                (_asks, _asksAhead) = (_asks && isAhead, _asksAhead && !isAhead);
                lock (_lock)
                    _coming.Remove(block);
                Hold(block, cancellation);
                break;
            case SelectorMessage.HeartbeatDue(var block) when _held.TryGetValue(PlaceOf(block), out var holding) && holding.Block.Block == block:
                Tell(holding, cancellation);
                break;
            case SelectorMessage.SendFailed(var failure):
                failure.Throw();
                break;
        }
        await ComputeAsync(cancellation);
    }

    public override ValueTask StopAsync()
    {
        pools.Withdraw(options.Name);
        // One that failed has a next incarnation, which is given what was delivered.
        if (_stopping.IsCancellationRequested)
        {
            lock (_lock)
                _hasStopped = true;
            foreach (var block in _held.Values.Select(holding => holding.Block).Concat(_coming))
                GiveBack(block);
        }
        _subscription?.Dispose();
        _policy?.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Pull()
    {
        if (_held.Count == 0 && !_asks)
            Ask(isAhead: false);
        if (_held.Count + (_asks ? 1 : 0) < MostHeld && !_asksAhead)
            Ask(isAhead: true);
    }

    private void Ask(bool isAhead)
    {
        (_asks, _asksAhead) = (_asks || !isAhead, _asksAhead || isAhead);
        pools.Request(options.Name, block => Deliver(block, isAhead), isAhead);
    }

    private void Deliver(PoolBlock block, bool isAhead)
    {
        lock (_lock)
        {
            if (!_hasStopped)
            {
                _coming.Add(block);
                context.Self.Post(new SelectorMessage.BlockArrived(block, isAhead));
                return;
            }
        }
        GiveBack(block);
    }

    // Nobody waits for it: without it the lease runs out.
    private void GiveBack(PoolBlock block) => _ = control.SendAsync(new BlockFailed(options.Name, block.Block, []), CancellationToken.None);

    private void Hold(PoolBlock block, CancellationToken cancellation)
    {
        var place = PlaceOf(block.Block);
        if (_held.Remove(place, out var before))
            before.Dispose();
        Tell(_held[place] = new Holding(block), cancellation);
    }

    private void Tell(Holding holding, CancellationToken cancellation)
    {
        holding.Dispose();
        holding.Heartbeat = context.Schedule(options.Heartbeat, new SelectorMessage.HeartbeatDue(holding.Block.Block));
        // The one before is not heard yet: the learner is away, and hears of this in time.
        if (holding.Told.IsCompleted)
            holding.Told = Send(control.SendAsync(new BlockHeld(options.Name, holding.Block.Block), cancellation));
    }

    private void LetGo(Holding holding)
    {
        holding.Dispose();
        _held.Remove(PlaceOf(holding.Block.Block));
    }

    private static (long, long) PlaceOf(SlotBlock block) => (block.Epoch, block.First);

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
        Pull();
        while (Next() is { } next)
        {
            var outcome = Select(next.Block, _policy!);
            // One is on its way at a time: with no room there, or nobody, this waits.
            await _sent;
            _sent = Send(outcome.Computed is { } computed ? selections.SendAsync(computed, cancellation)
                : control.SendAsync(new BlockFailed(options.Name, next.Block.Block, outcome.Failures), cancellation));
            LetGo(next);
            Pull();
            await TakeSnapshotAsync(cancellation);
        }
    }

    // The first block, where the policy is fresh enough for it.
    private Holding? Next()
    {
        while (_policy is not null && _held.Count > 0)
        {
            var first = _held.GetValueAtIndex(0);
            var block = first.Block.Block;
            if (block.Epoch > _policy.Epoch)
                return null;
            if (block.Epoch == _policy.Epoch && block.Batch >= _policy.Version)
                return _policy.Version >= Math.Max(block.Batch - options.MaxStaleness, options.Reference.VersionFor(block.Batch)) ? first : null;
            LetGo(first);
            Pull();
        }
        return null;
    }

    // Goes on meanwhile. A failure ends this incarnation, as if it had waited.
    private Task Send(ValueTask sending)
    {
        return sending.IsCompletedSuccessfully ? Task.CompletedTask : WatchAsync(sending.AsTask());

        async Task WatchAsync(Task task)
        {
            try
            {
                await task;
            }
            catch (Exception e)
            {
                context.Self.Post(new SelectorMessage.SendFailed(ExceptionDispatchInfo.Capture(e)));
            }
        }
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

    /// <summary>A block that it has.</summary>
    private sealed class Holding(PoolBlock block) : IDisposable
    {
        public PoolBlock Block => block;

        public IDisposable? Heartbeat { get; set; }

        /// <summary>Completes when the learner has heard of it.</summary>
        public Task Told { get; set; } = Task.CompletedTask;

        public void Dispose() => Heartbeat?.Dispose();
    }
}
