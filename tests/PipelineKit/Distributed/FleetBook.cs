using System.Text.Json.Nodes;
using MassDpo.App.Running;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.PipelineKit.Schedules;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>
/// What is known of a run by looking at its log, and at what its processes say and hear: who owns which epoch, what was granted, published, settled for good. It comes to this by
/// itself, and not through what it looks at. What does not follow is a violation at once; the first is kept.
/// </summary>
internal sealed class FleetBook(FleetSchedule schedule, SimulatedLog log, Sightings sightings)
{
    private readonly Dictionary<long, string> _owners = [];
    private readonly Dictionary<(long Epoch, long Version), string> _published = [];
    private readonly SortedDictionary<long, SlotBlock> _out = [];
    private readonly HashSet<string> _unheard = [];
    private readonly Dictionary<string, long> _newestHeard = new(StringComparer.Ordinal);
    private readonly Dictionary<(long Epoch, string Source), string> _readers = [];
    private readonly Dictionary<string, long> _durable = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _updatesFenced = new(StringComparer.Ordinal);
    private long _epoch;
    private long _committed;
    private long _version;
    private long _nextSlot;

    public ScheduleViolationException? Violation { get; private set; }

    private Sightings Seen => sightings;

    /// <summary>Processes that failed, were killed, or may have stood still or been out of reach longer than others waited for them.</summary>
    public HashSet<string> Zombies { get; } = new(StringComparer.Ordinal);

    /// <summary>The process whose claim holds.</summary>
    public string? Owner => _owners.GetValueOrDefault(_epoch);

    /// <summary>Blocks granted and not closed, in the epoch that holds.</summary>
    public IEnumerable<SlotBlock> Out => _out.Values;

    /// <summary>Whether a process ever owned an epoch, and does not own the one that holds.</summary>
    public bool IsFenced(string process) => Owner != process && _owners.ContainsValue(process);

    /// <summary>The hash of what was published as a version of an epoch; null: nothing.</summary>
    public string? Published(long epoch, long version) => _published.GetValueOrDefault((epoch, version));

    public void Require(bool holds, string invariant, Func<string> otherwise)
    {
        if (!holds)
            Violation ??= new ScheduleViolationException(invariant, schedule.Seed, otherwise());
    }

    /// <summary>A message is in the log.</summary>
    public void Appended(string topic, LogRecord record)
    {
        switch (topic, record.Partition)
        {
            case (Fleet.Control, LogControlLink.Notices):
                var read = NoticeCodec.Decode(record.Value);
                log.Tell(() => read.Claim is { } told ? $"{told} of {read.Claimant}" : $"{read.Notice}");
                if (read.Claim is { } claim)
                    Claimed(claim, read.Claimant);
                else if (read.Notice!.Epoch == _epoch)
                    Announced(read.Notice);
                else
                {
                    sightings.Saw("a fenced learner's notice in the log");
                    _unheard.Add(Text(read.Notice));
                }
                break;
            case (Fleet.Control, LogControlLink.Messages):
                var message = MessageCodec.Decode(record.Value);
                log.Tell(() => message is SlotRequest asked ? $"{asked} {string.Join(',', asked.Share.Sources)}" : $"{message}");
                if (message is not SlotRequest request || request.Epoch != _epoch)
                    break;
                foreach (var source in request.Share.Sources)
                {
                    var reader = _readers.TryGetValue((request.Epoch, source), out var known) ? known : _readers[(request.Epoch, source)] = request.Intake;
                    Require(reader == request.Intake || IsZombie(reader) || IsZombie(request.Intake), FleetInvariants.OneReader,
                        () => $"{source} is read by '{reader}' and by '{request.Intake}' in epoch {request.Epoch}");
                }
                break;
            case (Fleet.Snapshots, 0):
                var manifest = SnapshotManifest.Decode(record.Value);
                _published.TryAdd((manifest.Epoch, manifest.Version), manifest.Policy.Hash);
                Require(_published[(manifest.Epoch, manifest.Version)] == manifest.Policy.Hash, Invariants.TrueVersion, () => $"version {manifest.Version} of epoch {manifest.Epoch} was published as two policies");
                break;
        }
    }

    /// <summary>An offset was committed for the group.</summary>
    public void Committed(int partition, long offset)
    {
        var durable = _durable.GetValueOrDefault(Fleet.SourceOf(partition));
        if (offset > 0)
            sightings.Saw("offset committed");
        Require(offset <= durable, FleetInvariants.CommittedIsDurable, () => $"offset {offset} of partition {partition} was committed, checkpoints hold what is settled up to {durable}");
    }

    /// <summary>A learner made an update.</summary>
    public void Updated(string process)
    {
        if (!_updatesFenced.TryGetValue(process, out var updates))
            return;
        _updatesFenced[process] = ++updates;
        sightings.Saw("update on the way to hearing of the fence");
        // What had come back before it heard of the fence may still be in its mailbox; nothing more is granted.
        Require(updates <= schedule.MaxStaleness + 1, FleetInvariants.FencedIsSilent, () => $"'{process}' made {updates} updates after it was fenced");
    }

    /// <summary>What a process has of links, watched.</summary>
    /// <param name="process">its name</param>
    /// <param name="output">where it writes, if it is a learner</param>
    /// <param name="links">as they are</param>
    public PipelineLinks Over(string process, string? output, PipelineLinks links) => links with { Control = new Control(this, process, output, links.Control), Snapshots = new Snapshots(this, process, links.Snapshots) };

    private bool IsZombie(string intake) => Zombies.Contains(intake[..intake.LastIndexOf('/')]);

    private void Claimed(EpochClaim claim, string claimant)
    {
        if (claim.Epoch <= _epoch || (claim.Version < _committed && !claim.Forced))
        {
            sightings.Saw("claim refused by the order");
            return;
        }
        var process = claimant[..claimant.LastIndexOf('/')];
        if (Owner is { } before && before != process)
            sightings.Saw("another learner claimed");
        _owners[claim.Epoch] = process;
        _committed = claim.Forced ? claim.Committed : Math.Max(_committed, claim.Committed);
        (_epoch, _version) = (claim.Epoch, claim.Version);
        _nextSlot = _version * schedule.Batch;
        _out.Clear();
        sightings.Saw("epochs");
    }

    private void Announced(ControlNotice notice)
    {
        switch (notice)
        {
            case EpochOpened opened:
                Require(opened.Version == _version && _out.Count == 0, FleetInvariants.VersionsMonotone, () => $"epoch {opened.Epoch} was claimed at version {_version} and opened at {opened.Version}");
                break;
            case SlotsGranted { Block: var block }:
                Require(block.First == _nextSlot && block is { Attempt: 1, Count: >= 1 } && block.Batch <= _version + schedule.MaxStaleness, Invariants.SlotsInOrder,
                    () => $"{block} was granted after slot {_nextSlot - 1} at version {_version}");
                _nextSlot = block.First + block.Count;
                _out[block.First] = block;
                break;
            case BlockReissued { Block: var block }:
                sightings.Saw("block handed out again");
                Require(_out.TryGetValue(block.First, out var before) && block == before with { Attempt = before.Attempt + 1 }, Invariants.SlotsInOrder, () => $"{block} was handed out again");
                _out[block.First] = block;
                break;
            case BatchClosed closed:
                Require(closed.Version == _version + 1, FleetInvariants.VersionsMonotone, () => $"version {closed.Version} followed {_version} in epoch {closed.Epoch}");
                _version = closed.Version;
                foreach (var first in _out.Where(block => block.Value.Batch < _version).Select(block => block.Key).ToList())
                    _out.Remove(first);
                break;
            case CheckpointWritten written:
                _committed = written.Version;
                break;
        }
    }

    private void Heard(string process, ControlNotice notice)
    {
        // Hardly ever is there any: then nothing is encoded.
        if (_unheard.Count > 0 && _unheard.Contains(Text(notice)))
        {
            // Where all that was newer is forgotten, and who joins never heard of it, a notice that came late is the last word: nobody is left who could know better.
            var isLastWord = _newestHeard.GetValueOrDefault(process) <= notice.Epoch && !HoldsNewer(notice.Epoch);
            Require(isLastWord, FleetInvariants.FencedIsSilent, () => $"'{process}' heard {notice} of a learner that was fenced before it said so");
            if (isLastWord)
                sightings.Saw("a notice that nothing left in the log contradicts");
        }
        _newestHeard[process] = Math.Max(_newestHeard.GetValueOrDefault(process), notice.Epoch);
    }

    private bool HoldsNewer(long epoch)
    {
        var notices = log.At(Fleet.Control, LogControlLink.Notices);
        for (var offset = notices.Low; offset < notices.High; offset++)
            if (notices[offset] is { } record && NoticeCodec.Decode(record.Value) is var read && (read.Claim?.Epoch ?? read.Notice!.Epoch) > epoch)
                return true;
        return false;
    }

    // Read from the disk, and not from what is told.
    private void Written(string output, CheckpointWritten written)
    {
        // A version may have several, as records died since: the last names most.
        var folder = Directory.EnumerateDirectories(Path.Combine(output, "checkpoints"), $"v{written.Version:D12}-e{written.Epoch:D6}-s*").Max(StringComparer.Ordinal);
        Require(folder is not null, Invariants.LogsAgree, () => $"no checkpoint of version {written.Version}, epoch {written.Epoch} is there, though it was announced");
        if (folder is null)
            return;
        var state = JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "state.json")))!;
        var settled = SettledPositions.FromJson(state["settled"]!.AsObject());
        for (var partition = 0; partition < log.CountPartitions(Fleet.Input); partition++)
        {
            var source = Fleet.SourceOf(partition);
            if (settled.Knows(source))
                _durable[source] = Math.Max(_durable.GetValueOrDefault(source), settled.Watermark(source).Index);
        }
    }

    private static string Text(ControlNotice notice) => Convert.ToHexString(NoticeCodec.Encode(notice));

    private sealed class Control(FleetBook book, string process, string? output, IControlLink inner) : IControlLink
    {
        public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation)
        {
            var authority = await inner.ClaimAsync(claim, deliver, reason =>
            {
                book.Seen.Saw("learner fenced");
                book._updatesFenced.TryAdd(process, 0);
                fenced(reason);
            }, cancellation);
            return new Authority(book, output!, authority);
        }

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, notice =>
        {
            book.Heard(process, notice);
            deliver(notice);
        });

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => inner.SendAsync(message, cancellation);
    }

    private sealed class Authority(FleetBook book, string output, IControlAuthority inner) : IControlAuthority
    {
        public void Announce(ControlNotice notice)
        {
            if (notice is CheckpointWritten written)
                book.Written(output, written);
            inner.Announce(notice);
        }

        public void Dispose() => inner.Dispose();
    }

    private sealed class Snapshots(FleetBook book, string process, ISnapshotsLink inner) : ISnapshotsLink
    {
        public void Publish(PolicySnapshot snapshot) => inner.Publish(snapshot);

        public ISnapshotSubscription Subscribe(Action signal) => new Subscription(book, process, inner.Subscribe(signal));
    }

    private sealed class Subscription(FleetBook book, string process, ISnapshotSubscription inner) : ISnapshotSubscription
    {
        private (long Epoch, long Version) _newest = (long.MinValue, 0);

        public SnapshotLease? TryAcquire()
        {
            if (inner.TryAcquire() is not { } lease)
                return null;
            var taken = (lease.Epoch, lease.Version);
            book.Require(taken.CompareTo(_newest) >= 0, FleetInvariants.VersionsMonotone, () => $"'{process}' went from {_newest} back to {taken}");
            book.Require(book.Published(lease.Epoch, lease.Version) == lease.Hash, Invariants.TrueVersion, () => $"'{process}' took {lease.Hash} for version {taken}, published was {book.Published(taken.Epoch, taken.Version)}");
            _newest = taken;
            return lease;
        }

        public void Dispose() => inner.Dispose();
    }
}
