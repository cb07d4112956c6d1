using System.Diagnostics.Metrics;

namespace MassDpo.Shared.Telemetry;

/// <summary>
/// The instruments of one host of actors, on a meter of its own named <see cref="MeterName"/>. Whoever listens gets them all: what this process has no part in
/// is never measured. While nobody listens a measurement is a read and a branch. Thread-safe.
/// </summary>
public sealed class Instruments : IDisposable
{
    public const string MeterName = "MassDpo";

    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private static readonly InstrumentRow AppliedRow = new("massdpo.records.applied", InstrumentKind.Counter, "{record}", null, "Records trained on.");
    private static readonly InstrumentRow DeadRow = new("massdpo.records.dead", InstrumentKind.Counter, "{record}", "code", "Records that went to dead letters, by the reason's code.");
    private static readonly InstrumentRow UpdatesRow = new("massdpo.updates", InstrumentKind.Counter, "{update}", null, "Updates of the policy.");
    private static readonly InstrumentRow LossRow = new("massdpo.loss", InstrumentKind.Gauge, "", null, "Loss of the newest update that had records.");
    private static readonly InstrumentRow VersionRow = new("massdpo.version", InstrumentKind.Gauge, "{version}", "actor", "Version of the policy that an actor has: the learner's own, or a selector's newest snapshot.");
    private static readonly InstrumentRow EpochRow = new("massdpo.epoch", InstrumentKind.Gauge, "{epoch}", "actor", "Epoch that an actor works in.");
    private static readonly InstrumentRow SnapshotAgeRow = new("massdpo.snapshot.age", InstrumentKind.Gauge, "s", "actor", "Time since the learner published its newest snapshot, or a selector took its newest.");
    private static readonly InstrumentRow SnapshotBytesRow = new("massdpo.snapshot.published", InstrumentKind.Counter, "By", null, "Bytes of the policies that the learner published.");
    private static readonly InstrumentRow SlotsOpenRow = new("massdpo.slots.open", InstrumentKind.Gauge, "{slot}", null, "Slots granted to records, of batches that are not closed.");
    private static readonly InstrumentRow SlotsFilledRow = new("massdpo.slots.filled", InstrumentKind.Gauge, "{slot}", null, "Of the open slots those whose selections have come back.");
    private static readonly InstrumentRow BlocksWaitingRow = new("massdpo.blocks.waiting", InstrumentKind.Gauge, "{block}", null, "Blocks of slots that were granted and have not come back.");
    private static readonly InstrumentRow LeasesExpiredRow = new("massdpo.leases.expired", InstrumentKind.Counter, "{block}", null, "Blocks handed out again because nothing was heard of their holders.");
    private static readonly InstrumentRow StalenessRow = new("massdpo.staleness", InstrumentKind.Histogram, "{version}", null, "Per record trained on: versions between the policy that chose and the one that it trained.",
        [0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64]);
    private static readonly InstrumentRow CheckpointDurationRow = new("massdpo.checkpoint.duration", InstrumentKind.Histogram, "s", null, "Time that a checkpoint took.", Seconds);
    private static readonly InstrumentRow CheckpointAgeRow = new("massdpo.checkpoint.age", InstrumentKind.Gauge, "s", null, "Time since the newest checkpoint; where this process has written none, since its learner began.");
    private static readonly InstrumentRow SelectionDurationRow = new("massdpo.selection.duration", InstrumentKind.Histogram, "s", null, "Time that selecting a block took, waiting not counted.", Seconds);
    private static readonly InstrumentRow InHandRow = new("massdpo.input.in_hand", InstrumentKind.Gauge, "{record}", null, "Records that the intake has validated and has no slots for yet.");
    private static readonly InstrumentRow InputLagRow = new("massdpo.input.lag", InstrumentKind.Gauge, "{record}", "source", "Records of a part of the input that are there and not yet read.");
    private static readonly InstrumentRow ReferencesRow = new("massdpo.reference_cache.packs", InstrumentKind.Counter, "{pack}", "from", "Packs whose log-probabilities under the reference were asked for, by where they came from.");
    private static readonly InstrumentRow ReferenceBytesRow = new("massdpo.reference_cache.size", InstrumentKind.Gauge, "By", "in", "Bytes of reference log-probabilities that are kept, by where.");
    private static readonly InstrumentRow RestartsRow = new("massdpo.actor.restarts", InstrumentKind.Counter, "{restart}", "actor", "Restarts of an actor that failed.");

    private static readonly InstrumentRow MembersRow = new("massdpo.cluster.members", InstrumentKind.Gauge, "{node}", "state", "Nodes of the cluster as this one sees it, by their state; those that cannot be reached are counted as unreachable alone.");
    private static readonly InstrumentRow CutTokensRow = new("massdpo.tokens.cut", InstrumentKind.Counter, "{token}", null, "Tokens that truncation took from prompts and candidates of records trained on.");

    /// <summary>Every instrument that there is.</summary>
    public static IReadOnlyList<InstrumentRow> Table { get; } =
    [
        AppliedRow, DeadRow, UpdatesRow, LossRow, StalenessRow, VersionRow, EpochRow, SnapshotAgeRow, SnapshotBytesRow, SlotsOpenRow, SlotsFilledRow, BlocksWaitingRow, LeasesExpiredRow,
        CheckpointDurationRow, CheckpointAgeRow, SelectionDurationRow, ReferencesRow, ReferenceBytesRow, InHandRow, InputLagRow, RestartsRow, MembersRow, CutTokensRow,
    ];

    private readonly TimeProvider _clock;
    private readonly Counter<long> _applied;
    private readonly Counter<long> _dead;
    private readonly Counter<long> _updates;
    private readonly Counter<long> _cutTokens;
    private readonly Counter<long> _snapshotBytes;
    private readonly Counter<long> _leasesExpired;
    private readonly Counter<long> _restarts;
    private readonly Histogram<long> _staleness;
    private readonly Histogram<double> _checkpointDuration;
    private readonly Histogram<double> _selectionDuration;
    private readonly Instrument _slotsOpen;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Stand> _stands = new(StringComparer.Ordinal);
    private readonly List<Func<IEnumerable<KeyValuePair<string, long>>>> _lags = [];
    private double _loss = double.NaN;
    private long _checkpointAt = long.MinValue;
    private long _inHand = -1;
    private Func<ReferenceCacheUse>? _referenceCache;
    private Func<IEnumerable<KeyValuePair<string, long>>>? _members;
    private (int Open, int Filled, int Waiting)? _slots;

    /// <param name="clock">of the host, for what takes time</param>
    public Instruments(TimeProvider clock)
    {
        _clock = clock;
        Meter = new Meter(MeterName, typeof(Instruments).Assembly.GetName().Version?.ToString(3));
        _applied = Counter(AppliedRow);
        _dead = Counter(DeadRow);
        _updates = Counter(UpdatesRow);
        _cutTokens = Counter(CutTokensRow);
        _snapshotBytes = Counter(SnapshotBytesRow);
        _leasesExpired = Counter(LeasesExpiredRow);
        _restarts = Counter(RestartsRow);
        _staleness = Histogram<long>(StalenessRow);
        _checkpointDuration = Histogram<double>(CheckpointDurationRow);
        _selectionDuration = Histogram<double>(SelectionDurationRow);
        Gauge<double>(LossRow, () => Volatile.Read(ref _loss) is var loss && !double.IsNaN(loss) ? [new Measurement<double>(loss)] : []);
        Gauge(VersionRow, () => OfStands<long>(VersionRow, stand => stand.Version));
        Gauge(EpochRow, () => OfStands<long>(EpochRow, stand => stand.Epoch));
        Gauge(SnapshotAgeRow, () => OfStands<double>(SnapshotAgeRow, stand => stand.At is { } at ? _clock.GetElapsedTime(at).TotalSeconds : null));
        _slotsOpen = Gauge(SlotsOpenRow, () => OfSlots(slots => slots.Open));
        Gauge(SlotsFilledRow, () => OfSlots(slots => slots.Filled));
        Gauge(BlocksWaitingRow, () => OfSlots(slots => slots.Waiting));
        Gauge<double>(CheckpointAgeRow, () => Volatile.Read(ref _checkpointAt) is var at and > long.MinValue ? [new Measurement<double>(_clock.GetElapsedTime(at).TotalSeconds)] : []);
        Gauge<long>(InHandRow, () => Volatile.Read(ref _inHand) is var records and >= 0 ? [new Measurement<long>(records)] : []);
        Gauge(InputLagRow, OfLags);
        Gauge<long>(MembersRow, () => Volatile.Read(ref _members) is { } members ? [.. members().Select(state => new Measurement<long>(state.Value, new KeyValuePair<string, object?>(MembersRow.Attribute!, state.Key)))] : []);
        Meter.CreateObservableCounter(ReferencesRow.Name, () => OfReferences(ReferencesRow, use => [("memory", use.FromMemory), ("disk", use.DiskBytes is null ? null : use.FromDisk), ("model", use.Computed)]),
            UnitOf(ReferencesRow), ReferencesRow.Description);
        Gauge(ReferenceBytesRow, () => OfReferences(ReferenceBytesRow, use => [("memory", use.MemoryBytes), ("disk", use.DiskBytes)]));
    }

    /// <summary>Theirs.</summary>
    public Meter Meter { get; }

    /// <summary>An update was made.</summary>
    /// <param name="records">that it was trained on</param>
    /// <param name="loss">null: it had no records</param>
    public void Updated(long records, double? loss)
    {
        _updates.Add(1);
        _applied.Add(records);
        if (loss is { } known)
            Volatile.Write(ref _loss, known);
    }

    /// <summary>Truncation took so many tokens of a record that was trained on.</summary>
    public void Truncated(long tokens)
    {
        if (tokens > 0)
            _cutTokens.Add(tokens);
    }

    /// <summary>A record was trained on that was chosen by a policy so many versions older.</summary>
    public void Stale(long versions) => _staleness.Record(versions);

    /// <summary>A record went to dead letters.</summary>
    public void Died(string code) => _dead.Add(1, new KeyValuePair<string, object?>(DeadRow.Attribute!, code));

    /// <summary>An actor works in an epoch, and holds no policy in it yet.</summary>
    public void Entered(string actor, long epoch) => SetStand(actor, new Stand(null, epoch, null));

    /// <summary>An actor has just published or taken a version of the policy.</summary>
    public void Holds(string actor, long epoch, long version) => SetStand(actor, new Stand(version, epoch, _clock.GetTimestamp()));

    /// <summary>Whether somebody listens to how many bytes are published.</summary>
    public bool CountsBytes => _snapshotBytes.Enabled;

    /// <summary>So many bytes of a policy were published.</summary>
    public void Published(long bytes) => _snapshotBytes.Add(bytes);

    /// <summary>Whether somebody listens to how slots stand.</summary>
    public bool ShowsSlots => _slotsOpen.Enabled;

    /// <summary>How the learner's slots stand.</summary>
    /// <param name="open">granted, of batches that are not closed</param>
    /// <param name="filled">of these, come back</param>
    /// <param name="waiting">blocks that have not come back</param>
    public void Slots(int open, int filled, int waiting)
    {
        lock (_lock)
            _slots = (open, filled, waiting);
    }

    /// <summary>So many leases ran out.</summary>
    public void Expired(int blocks)
    {
        if (blocks > 0)
            _leasesExpired.Add(blocks);
    }

    /// <summary>The learner begins: a checkpoint's age counts from here until it writes one.</summary>
    public void LearnerBegan() => Volatile.Write(ref _checkpointAt, _clock.GetTimestamp());

    /// <summary>A checkpoint was written, begun at a timestamp of the clock.</summary>
    public void Committed(long began)
    {
        _checkpointDuration.Record(_clock.GetElapsedTime(began).TotalSeconds);
        Volatile.Write(ref _checkpointAt, _clock.GetTimestamp());
    }

    /// <summary>A block was selected, begun at a timestamp of the clock.</summary>
    public void Selected(long began) => _selectionDuration.Record(_clock.GetElapsedTime(began).TotalSeconds);

    /// <summary>The intake has so many records in hand.</summary>
    public void InHand(int records) => Volatile.Write(ref _inHand, records);

    /// <summary>Has the use of reference log-probabilities told by who knows it, from any thread, while somebody listens.</summary>
    public void ObserveReferenceCache(Func<ReferenceCacheUse> use) => Volatile.Write(ref _referenceCache, use);

    /// <summary>Has the nodes of a cluster told by who knows them, by their state, from any thread, while somebody listens.</summary>
    public void ObserveMembers(Func<IEnumerable<KeyValuePair<string, long>>> members) => Volatile.Write(ref _members, members);

    /// <summary>An actor failed and is made anew.</summary>
    public void Restarted(string actor) => _restarts.Add(1, new KeyValuePair<string, object?>(RestartsRow.Attribute!, actor));

    /// <summary>
    /// Has the input's lag told by who knows it: per part of the input, as <c>TOPIC/PARTITION</c>, how many records are there and not yet read.
    /// <paramref name="lag"/> is called now and then, from any thread, while somebody listens. Disposing the result ends that.
    /// </summary>
    public IDisposable ObserveInputLag(Func<IEnumerable<KeyValuePair<string, long>>> lag)
    {
        lock (_lock)
            _lags.Add(lag);
        return new Observation(this, lag);
    }

    public void Dispose() => Meter.Dispose();

    private Counter<long> Counter(InstrumentRow row) => Meter.CreateCounter<long>(row.Name, UnitOf(row), row.Description);

    private Histogram<T> Histogram<T>(InstrumentRow row) where T : struct =>
        Meter.CreateHistogram(row.Name, UnitOf(row), row.Description, tags: null, new InstrumentAdvice<T> { HistogramBucketBoundaries = [.. row.Buckets!.Select(bound => (T)Convert.ChangeType(bound, typeof(T), null))] });

    private ObservableGauge<T> Gauge<T>(InstrumentRow row, Func<IEnumerable<Measurement<T>>> observe) where T : struct => Meter.CreateObservableGauge(row.Name, observe, UnitOf(row), row.Description);

    private static string? UnitOf(InstrumentRow row) => row.Unit.Length > 0 ? row.Unit : null;

    private void SetStand(string actor, Stand stand)
    {
        lock (_lock)
            _stands[actor] = stand;
    }

    private List<Measurement<T>> OfStands<T>(InstrumentRow row, Func<Stand, T?> value) where T : struct
    {
        lock (_lock)
            return [.. from stand in _stands let known = value(stand.Value) where known is not null select new Measurement<T>(known.Value, new KeyValuePair<string, object?>(row.Attribute!, stand.Key))];
    }

    private Measurement<long>[] OfSlots(Func<(int Open, int Filled, int Waiting), long> value)
    {
        lock (_lock)
            return _slots is { } slots ? [new Measurement<long>(value(slots))] : [];
    }

    private IEnumerable<Measurement<long>> OfReferences(InstrumentRow row, Func<ReferenceCacheUse, (string Where, long? Value)[]> values) => Volatile.Read(ref _referenceCache) is { } use
        ? from value in values(use()) let known = value.Value where known is not null select new Measurement<long>(known.Value, new KeyValuePair<string, object?>(row.Attribute!, value.Where))
        : [];

    private List<Measurement<long>> OfLags()
    {
        Func<IEnumerable<KeyValuePair<string, long>>>[] lags;
        lock (_lock)
            lags = [.. _lags];
        return [.. lags.SelectMany(lag => lag()).Select(part => new Measurement<long>(part.Value, new KeyValuePair<string, object?>(InputLagRow.Attribute!, part.Key)))];
    }

    // What an actor works with: the version of the policy that it holds, its epoch, and since when it holds the version.
    private readonly record struct Stand(long? Version, long Epoch, long? At);

    private sealed class Observation(Instruments instruments, Func<IEnumerable<KeyValuePair<string, long>>> lag) : IDisposable
    {
        public void Dispose()
        {
            lock (instruments._lock)
                instruments._lags.Remove(lag);
        }
    }
}
