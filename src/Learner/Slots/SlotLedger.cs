using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.Learner.Slots;

/// <summary>How slots are opened and leased.</summary>
/// <param name="BatchSize">slots per batch, B</param>
/// <param name="BlockSize">slots per block: what a selector computes together</param>
/// <param name="MaxStaleness">s: batches up to version + s are open</param>
/// <param name="MaxAttempts">attempts at one record before it goes to dead letters</param>
/// <param name="Lease">how long a block that nobody tells of stays where it is, with a selector or on its way to one</param>
public sealed record SlotOptions(int BatchSize, int BlockSize, int MaxStaleness, int MaxAttempts, TimeSpan Lease)
{
    /// <summary>How long a new epoch that an intake has asked for waits for the batches that are granted whole.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>When the reference changes: a batch with the next one opens once that one is there.</summary>
    public ReferenceSchedule Reference { get; init; }
}

/// <summary>A batch whose slots are all filled or empty, in slot order.</summary>
public sealed record ClosedBatch(long Batch, long FirstSlot, IReadOnlyList<Selection?> Selections, IReadOnlyList<int> BlockCounts, long OldestVersion)
{
    /// <summary>The activities that computed its blocks (W3C <c>traceparent</c>); null where nobody listened.</summary>
    public IReadOnlyList<string?> Traces { get; init; } = [];
}

/// <summary>
/// The books of one epoch: which batches are open, which blocks of slots are granted to whom, what came back. Pure bookkeeping on the caller's clock: it
/// sends nothing and waits for nothing. A version is the number of batches closed; batches up to version + s are open, so nothing older than s versions
/// is ever trained on and at most (s+1)·B pools are out.
/// </summary>
public sealed class SlotLedger(SlotOptions options, long epoch, long version)
{
    // Which a timer can take, too.
    private static readonly TimeSpan LongestUntold = TimeSpan.FromDays(1);

    private readonly SortedDictionary<string, Intake> _intakes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, OpenBatch> _batches = [];
    // Attempts per slot: within an epoch a slot has one record.
    private readonly Dictionary<long, int> _attempts = [];
    private long _grants;
    // Every part of the input is read to its end by some intake.
    private bool _allEnded;

    /// <summary>Batches closed.</summary>
    public long Version { get; private set; } = version;

    /// <summary>Whether every part of the input has ended and all that intakes had is closed.</summary>
    public bool IsDrained => _allEnded && _intakes.Values.All(intake => intake.InHand == 0) && _batches.Count == 0;

    /// <summary>Blocks granted and not yet computed.</summary>
    public int OpenBlocks => _batches.Values.Sum(batch => batch.Blocks.Count(block => block.Selections is null));

    /// <summary>Slots granted, of batches that are not closed.</summary>
    public int OpenSlots => _batches.Values.Sum(batch => batch.Granted);

    /// <summary>Of these, those that have come back.</summary>
    public int FilledSlots => _batches.Values.Sum(batch => batch.Blocks.Where(block => block.Selections is not null).Sum(block => block.Block.Count));

    /// <summary>Whether a batch is granted whole and not closed yet.</summary>
    public bool HasWholeBatch => _batches.Values.Any(batch => batch.Granted == options.BatchSize);

    /// <summary>Notes what an intake has in hand. A message of another epoch, or an older one, changes nothing.</summary>
    public void Request(SlotRequest request)
    {
        if (request.Epoch != epoch)
            return;
        if (!_intakes.TryGetValue(request.Intake, out var intake))
            _intakes[request.Intake] = intake = new Intake();
        intake.Offered = Math.Max(intake.Offered, request.Offered);
        intake.Share = request.Share;
        intake.Ended |= request.Ended;
        if (!intake.Ended)
            return;
        _allEnded = _intakes.Values.Where(one => one.Ended).SelectMany(one => one.Share.Sources).Distinct(StringComparer.Ordinal).Count()
            >= _intakes.Values.Max(one => one.Share.Total);
    }

    /// <summary>Opens batches and grants what records are in hand for, a whole block at a time; a shorter one only at the end of an intake's input.</summary>
    public IReadOnlyList<(string Intake, SlotBlock Block)> Grant(DateTimeOffset now)
    {
        var grants = new List<(string, SlotBlock)>();
        for (var number = Version; number <= Version + options.MaxStaleness; number++)
        {
            // All that is handed out can be computed with what is published. A selector that waits for more takes nothing in, and what it waits for may need it: a block that comes back.
            if (options.Reference.VersionFor(number) > Version)
                break;
            if (!_batches.TryGetValue(number, out var batch))
                batch = new OpenBatch(number, number * options.BatchSize);
            while (batch.Granted < options.BatchSize && NextIntake(options.BatchSize - batch.Granted) is { } name)
            {
                var intake = _intakes[name];
                var count = (int)Math.Min(Math.Min(options.BlockSize, options.BatchSize - batch.Granted), intake.InHand);
                var block = new SlotBlock(epoch, number, batch.FirstSlot + batch.Granted, count, Attempt: 1);
                intake.Granted += count;
                intake.LastGrant = ++_grants;
                batch.Granted += count;
                batch.Blocks.Add(new OpenBlock(name, block, now + options.Lease));
                _batches[number] = batch;
                grants.Add((name, block));
            }
            // A batch that is not full yet must fill before the next one opens: slots follow one another.
            if (batch.Granted < options.BatchSize)
                break;
        }
        return grants;
    }

    /// <summary>A holder tells of a block: its lease begins anew.</summary>
    public void Held(string holder, SlotBlock block, DateTimeOffset now)
    {
        if (Awaited(block) is { } open)
        {
            open.Holder = holder;
            open.LeasedUntil = now + options.Lease;
        }
    }

    /// <summary>
    /// Why a computed block cannot be taken in: it was computed with a version that its slots do not allow, or not for each slot, which is a defect of who sent it and no late
    /// message. Null: nothing speaks against it, or it is late.
    /// </summary>
    public string? Objection(SelectionBlock computed)
    {
        if (Awaited(computed.Block) is not { } open)
            return null;
        // As wide as it takes: a version may be any number.
        var lag = (Int128)computed.Block.Batch - computed.Version;
        if (lag < 0 || lag > options.MaxStaleness)
            return FormattableString.Invariant($"{computed.Block} came from '{computed.Selector}' with version {computed.Version}: a lag of {lag} is outside 0..{options.MaxStaleness}");
        return computed.Selections.Count == open.Block.Count ? null : $"{open.Block} came from '{computed.Selector}' with {computed.Selections.Count} selections";
    }

    /// <summary>Takes a computed block in; false where it is of another epoch or attempt, or there already.</summary>
    /// <exception cref="InvalidOperationException">there is an objection to it</exception>
    public bool Accept(SelectionBlock computed)
    {
        if (Awaited(computed.Block) is not { } open)
            return false;
        if (Objection(computed) is { } objection)
            throw new InvalidOperationException(objection);
        open.Selections = computed.Selections;
        open.Version = computed.Version;
        open.Trace = computed.Trace;
        return true;
    }

    /// <summary>
    /// A selector failed on records of a block: they have one attempt less, those without any left die, and the block is handed out again. Null where
    /// the message is late. With no records the block was given back, and costs none of them anything.
    /// </summary>
    public BlockReissued? Failed(SlotBlock block, IReadOnlyList<SlotFailure> failures, DateTimeOffset now)
    {
        if (Awaited(block) is not { } open)
            return null;
        var deaths = new List<SlotDeath>();
        foreach (var failure in failures)
            if (CountAttempt(failure.Slot))
                deaths.Add(new SlotDeath(failure.Slot, DeadLetterCodes.Selector, failure.Reason));
        return Reissue(open, deaths, now);
    }

    /// <summary>A computed block is refused: its selector has failed on each of its records.</summary>
    public BlockReissued? Refused(SelectionBlock computed, string objection, DateTimeOffset now) => Awaited(computed.Block) is { Block: var block }
        ? Failed(block, [.. Enumerable.Range(0, block.Count).Select(i => new SlotFailure(block.First + i, objection))], now) : null;

    /// <summary>Hands out again whatever a holder had when it was lost.</summary>
    public IReadOnlyList<BlockReissued> Lost(string holder, DateTimeOffset now) =>
        ReissueAll(open => open.Holder == holder, $"its selector '{holder}' was lost", now);

    /// <summary>
    /// Hands out again the blocks whose leases have run out. One that nobody has told of yet costs its records no attempt: it still waits for a selector,
    /// or the one that took it was lost before it could tell, and so before it computed anything. Each time that happens its lease is twice as long, so
    /// that slow selectors and late messages cannot keep it going round for ever.
    /// </summary>
    public IReadOnlyList<BlockReissued> Expire(DateTimeOffset now) =>
        ReissueAll(open => open.LeasedUntil <= now, $"nothing was heard of its holder for {options.Lease}", now);

    /// <summary>The next time at which a lease runs out; null where nothing is out.</summary>
    public DateTimeOffset? NextExpiry => Outstanding().Select(open => (DateTimeOffset?)open.LeasedUntil).Min();

    /// <summary>The oldest batch, once all its slots have come back and no more can be granted in it. The version goes up by one.</summary>
    public ClosedBatch? TryClose()
    {
        if (!_batches.TryGetValue(Version, out var batch) || batch.Blocks.Any(block => block.Selections is null))
            return null;
        var full = batch.Granted == options.BatchSize || (_allEnded && _intakes.Values.All(intake => intake.InHand == 0));
        if (!full)
            return null;
        _batches.Remove(Version);
        for (var slot = batch.FirstSlot; slot < batch.FirstSlot + batch.Granted; slot++)
            _attempts.Remove(slot);
        var closed = new ClosedBatch(batch.Number, batch.FirstSlot, [.. batch.Blocks.SelectMany(block => block.Selections!)],
            [.. batch.Blocks.Select(block => block.Block.Count)], batch.Blocks.Min(block => block.Version))
        {
            Traces = batch.Blocks.Exists(block => block.Trace is not null) ? [.. batch.Blocks.Select(block => block.Trace)] : [],
        };
        Version++;
        return closed;
    }

    private string? NextIntake(int room)
    {
        // The one whose turn was longest ago, so that each gets its share however fast another fills up; by name before its first.
        string? best = null;
        foreach (var (name, intake) in _intakes)
        {
            var enough = intake.InHand >= Math.Min(options.BlockSize, room) || (intake.Ended && intake.InHand > 0);
            if (enough && (best is null || intake.LastGrant < _intakes[best].LastGrant))
                best = name;
        }
        return best;
    }

    private IEnumerable<OpenBlock> Outstanding() => _batches.Values.SelectMany(batch => batch.Blocks).Where(block => block.Selections is null);

    private List<BlockReissued> ReissueAll(Func<OpenBlock, bool> lost, string reason, DateTimeOffset now)
    {
        var reissued = new List<BlockReissued>();
        foreach (var open in Outstanding().Where(lost).ToList())
        {
            var deaths = new List<SlotDeath>();
            if (open.Holder is null)
                open.Untold++;
            for (var slot = open.Block.First; slot < open.Block.First + open.Block.Count; slot++)
                if (open.Holder is not null && CountAttempt(slot))
                    deaths.Add(new SlotDeath(slot, DeadLetterCodes.HolderLost, $"given up after {options.MaxAttempts} attempts: {reason}"));
            reissued.Add(Reissue(open, deaths, now));
        }
        return reissued;
    }

    // Whether it was the last: a record dies once, however often its block is handed out again after that.
    private bool CountAttempt(long slot) => (_attempts[slot] = _attempts.GetValueOrDefault(slot) + 1) == options.MaxAttempts;

    private BlockReissued Reissue(OpenBlock open, IReadOnlyList<SlotDeath> deaths, DateTimeOffset now)
    {
        open.Block = open.Block with { Attempt = open.Block.Attempt + 1 };
        open.Holder = null;
        open.LeasedUntil = now + LeaseOf(open);
        return new BlockReissued(epoch, open.Intake, open.Block, deaths);
    }

    private TimeSpan LeaseOf(OpenBlock open)
    {
        var lease = options.Lease;
        for (var i = 0; i < open.Untold && lease < LongestUntold; i++)
            lease *= 2;
        return lease;
    }

    // What is out of that attempt; null: a message of it is late.
    private OpenBlock? Awaited(SlotBlock block) => block.Epoch == epoch && _batches.TryGetValue(block.Batch, out var batch)
        ? batch.Blocks.Find(open => open.Selections is null && open.Block.First == block.First && open.Block.Attempt == block.Attempt) : null;

    private sealed class Intake
    {
        public long Offered { get; set; }

        public long Granted { get; set; }

        public bool Ended { get; set; }

        public InputShare Share { get; set; } = new([], 0);

        /// <summary>When it was last granted a block, counted in grants.</summary>
        public long LastGrant { get; set; }

        public long InHand => Offered - Granted;
    }

    private sealed class OpenBatch(long number, long firstSlot)
    {
        public long Number => number;

        public long FirstSlot => firstSlot;

        public int Granted { get; set; }

        public List<OpenBlock> Blocks { get; } = [];
    }

    private sealed class OpenBlock(string intake, SlotBlock block, DateTimeOffset leasedUntil)
    {
        public string Intake => intake;

        public SlotBlock Block { get; set; } = block;

        // Null until a selector has told of it.
        public string? Holder { get; set; }

        public DateTimeOffset LeasedUntil { get; set; } = leasedUntil;

        /// <summary>How often its lease ran out before a selector had told of it.</summary>
        public int Untold { get; set; }

        public IReadOnlyList<Selection?>? Selections { get; set; }

        public long Version { get; set; }

        public string? Trace { get; set; }
    }
}
