using System.Runtime.CompilerServices;
using MassDpo.App.Running;
using MassDpo.PipelineKit.Defects;
using MassDpo.PipelineKit.Distributed;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.Wire;

namespace MassDpo.Simulation.Tests;

/// <summary>Defects of the kind that a run over several processes must not have. One run each: they remember what they saw.</summary>
internal static class PlantedDefects
{
    /// <summary>Some slots that are granted never reach their intake.</summary>
    public static FleetDefect DroppingSlots() => new() { Links = (_, links) => links with { Control = new PlantedControl(links.Control, message => message, notice => notice is SlotsGranted { Block.First: > 3 } ? null : notice) } };

    /// <summary>What is to be handed out again never is.</summary>
    public static FleetDefect LosingReissues() => new() { Links = (_, links) => links with { Control = new PlantedControl(links.Control, message => message, notice => notice is BlockReissued ? null : notice) } };

    /// <summary>Logs are not cut back to the checkpoint, so that what was applied after it is there twice.</summary>
    public static FleetDefect ApplyingTwice() => new() { Files = files => new UncutFiles(files) };

    /// <summary>Offsets are committed as soon as they are read.</summary>
    public static FleetDefect CommittingEarly() => new() { Source = source => new EarlySource(source) };

    /// <summary>Members hear whoever announces, whatever the epoch.</summary>
    public static FleetDefect IgnoringTheEpoch() => new() { Links = (client, links) => links with { Control = new DeafToOrder(client, links.Control) } };

    /// <summary>What was computed for a slot of an epoch that is over goes into the slot of that number in the one that the learner claimed since.</summary>
    public static FleetDefect ReusingCancelledSlots() => new()
    {
        Links = (_, links) =>
        {
            var control = new ClaimedEpoch(links.Control);
            return links with { Control = control, Selections = new AnyEpoch(links.Selections, () => control.Epoch) };
        },
    };

    /// <summary>A learner does not hear that it is fenced, and goes on.</summary>
    public static FleetDefect GoingOnFenced() => new() { Links = (_, links) => links with { Control = new NeverFenced(links.Control) } };

    /// <summary>A selector that has a snapshot of a new epoch takes one of an older epoch again.</summary>
    public static FleetDefect TakingOldSnapshots() => new() { Links = (_, links) => links with { Snapshots = new OldSnapshots(links.Snapshots) } };

    /// <summary>An intake goes on where it was when a new epoch begins.</summary>
    public static FleetDefect KeepingWhatItHolds() => new() { Source = source => new StickySource(source) };

    /// <summary>Partitions are given to the next before they were let go of.</summary>
    public static FleetDefect ReadingByTwos() => new() { GivesOnAtOnce = true };

    /// <summary>The first end marker counts, whatever follows it.</summary>
    public static FleetDefect BelievingTheFirstEnd() => new()
    {
        EndOf = partition =>
        {
            for (var offset = partition.Low; offset < partition.High; offset++)
                if (partition[offset]?.Headers is not null)
                    return offset + 1;
            return partition.High;
        },
    };

    /// <summary>The learner is not told of what there is nothing to read at.</summary>
    public static FleetDefect LosingSkips() => new() { Links = (_, links) => links with { Control = new PlantedControl(links.Control, message => message is PositionsSkipped ? null : message, notice => notice) } };

    private sealed class EarlySource(LogSource inner) : WrappedSource(inner)
    {
        protected override void Read(SourceEntry.Bytes entry) => Inner.Commit(int.Parse(entry.Position.Source.AsSpan(Name.Length + 1)), entry.Position.Index + 1);
    }

    private sealed class StickySource(LogSource inner) : WrappedSource(inner)
    {
        private readonly List<Position> _read = [];

        protected override SettledPositions Before(SettledPositions settled)
        {
            var all = settled.Copy();
            foreach (var position in _read)
                all.Add(position);
            return all;
        }

        protected override void Read(SourceEntry.Bytes entry) => _read.Add(entry.Position);
    }

    private abstract class WrappedSource(LogSource inner) : IRecordSource
    {
        public string Name => inner.Name;

        public string Identity => inner.Identity;

        public bool IsShared => true;

        public long? EstimatedRecords => null;

        protected LogSource Inner => inner;

        public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
        {
            await foreach (var entry in inner.ReadAsync(Before(settled), cancellation))
            {
                if (entry is SourceEntry.Bytes bytes)
                    Read(bytes);
                yield return entry;
            }
        }

        public void Commit(SettledPositions settled) => inner.Commit(settled);

        public ValueTask DisposeAsync() => inner.DisposeAsync();

        protected virtual SettledPositions Before(SettledPositions settled) => settled;

        protected virtual void Read(SourceEntry.Bytes entry)
        {
        }
    }

    private sealed class DeafToOrder(LogClient client, IControlLink inner) : IControlLink
    {
        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation) =>
            inner.ClaimAsync(claim, deliver, fenced, cancellation);

        public IDisposable Join(string member, Action<ControlNotice> deliver) => new LogReader(client, "control", group: null, gapsFail: false,
            () => new Dictionary<int, long> { [LogControlLink.Notices] = client.Log.At("control", LogControlLink.Notices).Low },
            (record, _) =>
            {
                if (NoticeCodec.Decode(record.Value).Notice is { } notice)
                    deliver(notice);
                return ValueTask.CompletedTask;
            }, _ => { });

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => inner.SendAsync(message, cancellation);
    }

    private sealed class ClaimedEpoch(IControlLink inner) : IControlLink
    {
        public long Epoch { get; private set; }

        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation)
        {
            Epoch = claim.Epoch;
            return inner.ClaimAsync(claim, deliver, fenced, cancellation);
        }

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, deliver);

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => inner.SendAsync(message, cancellation);
    }

    private sealed class AnyEpoch(ISelectionsLink inner, Func<long> epoch) : ISelectionsLink
    {
        public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => inner.SendAsync(block, cancellation);

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) =>
            inner.Receive((block, cancellation) => deliver(block with { Block = block.Block with { Epoch = epoch() } }, cancellation));
    }

    private sealed class NeverFenced(IControlLink inner) : IControlLink
    {
        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation) =>
            inner.ClaimAsync(claim, deliver, _ => { }, cancellation);

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, deliver);

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => inner.SendAsync(message, cancellation);
    }

    private sealed class OldSnapshots(ISnapshotsLink inner) : ISnapshotsLink
    {
        public void Publish(PolicySnapshot snapshot) => inner.Publish(snapshot);

        public ISnapshotSubscription Subscribe(Action signal) => new Subscription(inner.Subscribe(signal));

        private sealed class Subscription(ISnapshotSubscription inner) : ISnapshotSubscription
        {
            private SnapshotLease? _old;
            private long _newest;

            public SnapshotLease? TryAcquire()
            {
                if (inner.TryAcquire() is not { } lease)
                    return null;
                if (_old is { } old && lease.Epoch > old.Epoch && lease.Epoch == _newest)
                {
                    lease.Dispose();
                    _old = null;
                    return old;
                }
                _newest = lease.Epoch;
                _old ??= inner.TryAcquire();
                return lease;
            }

            public void Dispose()
            {
                _old?.Dispose();
                inner.Dispose();
            }
        }
    }
}
