using MassDpo.App.Running;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.PipelineKit.Schedules;

/// <summary>
/// The books of a run over all its starts, kept from what its learner says and hears: which policy was published as which version, and which slots are out.
/// What does not follow from the message before is a violation at once. It holds on to every published policy until it is disposed.
/// </summary>
internal sealed class RunBook(PipelineSchedule schedule, Sightings sightings) : IDisposable
{
    private readonly Dictionary<(long Epoch, long Version), SnapshotLease> _published = [];
    private readonly HashSet<(long Epoch, long Slot)> _givenUp = [];
    // Of the epoch that is open: blocks granted and not closed, by first slot, and the attempts of those that came back.
    private readonly SortedDictionary<long, SlotBlock> _out = [];
    private readonly Dictionary<long, int> _computed = [];
    private long _epoch;
    private long _version;
    private long _newestPublished;
    private long _nextSlot;
    private bool _isOpen;

    /// <summary>The first thing found wrong; kept here, since what an actor throws it is restarted for.</summary>
    public ScheduleViolationException? Violation { get; private set; }

    /// <summary>What was published as a version of an epoch; null: nothing.</summary>
    public SnapshotLease? Published(long epoch, long version) => _published.GetValueOrDefault((epoch, version));

    /// <summary>Whether the record of a slot was given up.</summary>
    public bool WasGivenUp(long epoch, long slot) => _givenUp.Contains((epoch, slot));

    /// <summary>Blocks granted and not closed.</summary>
    public int Out => _out.Count;

    /// <summary>A new process: nothing of the one before is heard any more.</summary>
    public void BeginLife()
    {
        _out.Clear();
        _computed.Clear();
        (_isOpen, _newestPublished) = (false, 0);
    }

    public PipelineLinks Over(PipelineLinks links) =>
        new(new Control(this, links.Control), links.Pools, new Selections(this, links.Selections), new Snapshots(this, links.Snapshots));

    public void Dispose()
    {
        foreach (var lease in _published.Values)
            lease.Dispose();
        _published.Clear();
    }

    private void Require(bool holds, string invariant, string otherwise)
    {
        if (!holds)
            Violation ??= new ScheduleViolationException(invariant, schedule.Seed, otherwise);
    }

    private void Claimed(EpochClaim claim)
    {
        Require(claim.Epoch > _epoch, Invariants.SlotsInOrder, $"epoch {claim.Epoch} was claimed after epoch {_epoch}");
        if (claim.Forced)
            sightings.Saw(claim.Version < _newestPublished ? "learner restarted below the selectors' version" : "new epoch at the same version");
        (_epoch, _version, _newestPublished, _isOpen) = (claim.Epoch, claim.Version, claim.Version, false);
        _out.Clear();
        _computed.Clear();
    }

    private void Announced(ControlNotice notice)
    {
        switch (notice)
        {
            case EpochOpened opened:
                Require(!_isOpen && opened.Epoch == _epoch && opened.Version == _version, Invariants.SlotsInOrder, $"{opened} after the claim of epoch {_epoch} at version {_version}");
                (_isOpen, _nextSlot) = (true, _version * schedule.Batch);
                break;
            case SlotsGranted granted:
                Granted(granted.Block);
                break;
            case BlockReissued reissued:
                sightings.Saw("block handed out again");
                Require(_out.TryGetValue(reissued.Block.First, out var before) && reissued.Block == before with { Attempt = before.Attempt + 1 }, Invariants.SlotsInOrder,
                    $"{reissued.Block} was handed out again after {before}");
                _out[reissued.Block.First] = reissued.Block;
                _givenUp.UnionWith(reissued.Deaths.Select(death => (reissued.Epoch, death.Slot)));
                break;
            case BatchClosed closed:
                Closed(closed.Version);
                break;
        }
    }

    private void Granted(SlotBlock block)
    {
        Require(_isOpen && block.Epoch == _epoch && block is { Attempt: 1, Count: >= 1 } && block.First == _nextSlot, Invariants.SlotsInOrder, $"{block} was granted after slot {_nextSlot - 1}");
        Require(block.Batch == block.First / schedule.Batch && (block.First + block.Count - 1) / schedule.Batch == block.Batch && block.Count <= schedule.Block, Invariants.SlotsInOrder,
            $"{block} is not within its batch");
        Require(block.Batch <= _version + schedule.MaxStaleness, Invariants.SlotsInOrder, $"{block} was granted at version {_version}");
        _nextSlot += block.Count;
        _out[block.First] = block;
        Require(_out.Values.Sum(b => b.Count) <= (schedule.MaxStaleness + 1) * schedule.Batch, Invariants.SlotsInOrder, $"with {block} more slots are out than may be open");
    }

    private void Closed(long version)
    {
        Require(version == _version + 1, Invariants.SlotsInOrder, $"version {version} was closed after {_version}");
        _version = version;
        foreach (var block in _out.Values.Where(block => block.Batch < version).ToList())
        {
            Require(_computed.GetValueOrDefault(block.First) == block.Attempt, Invariants.SlotsInOrder, $"{block} was closed, though nobody had computed it");
            _out.Remove(block.First);
            _computed.Remove(block.First);
        }
    }

    private void Delivered(SelectionBlock computed)
    {
        var block = computed.Block;
        if (block.Epoch == _epoch && _out.TryGetValue(block.First, out var newest) && newest == block)
            _computed[block.First] = block.Attempt;
        else
            sightings.Saw(block.Epoch < _epoch ? "old block: of an older epoch" : _out.ContainsKey(block.First) ? "old block: of an older attempt" : "old block: of a closed batch");
    }

    private void Publish(PolicySnapshot snapshot)
    {
        var lease = snapshot.TryAcquire()!;
        _newestPublished = Math.Max(_newestPublished, snapshot.Version);
        if (!_published.TryAdd((snapshot.Epoch, snapshot.Version), lease))
        {
            Require(false, Invariants.TrueVersion, $"version {snapshot.Version} of epoch {snapshot.Epoch} was published twice");
            lease.Dispose();
        }
    }

    private sealed class Control(RunBook book, IControlLink inner) : IControlLink
    {
        public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation)
        {
            book.Claimed(claim);
            return new Authority(book, await inner.ClaimAsync(claim, deliver, fenced, cancellation));
        }

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, deliver);

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => inner.SendAsync(message, cancellation);
    }

    private sealed class Authority(RunBook book, IControlAuthority inner) : IControlAuthority
    {
        public void Announce(ControlNotice notice)
        {
            book.Announced(notice);
            inner.Announce(notice);
        }

        public void Dispose() => inner.Dispose();
    }

    private sealed class Selections(RunBook book, ISelectionsLink inner) : ISelectionsLink
    {
        public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => inner.SendAsync(block, cancellation);

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive((block, cancellation) =>
        {
            book.Delivered(block);
            return deliver(block, cancellation);
        });
    }

    private sealed class Snapshots(RunBook book, ISnapshotsLink inner) : ISnapshotsLink
    {
        public void Publish(PolicySnapshot snapshot)
        {
            book.Publish(snapshot);
            inner.Publish(snapshot);
        }

        public ISnapshotSubscription Subscribe(Action signal) => inner.Subscribe(signal);
    }
}
