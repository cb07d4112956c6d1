using MassDpo.Learner.Slots;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.Shared.Numerics;

namespace MassDpo.Learner.Tests.Slots;

/// <summary>
/// Intakes and selectors that do at random whatever they may do to a ledger, and a model of what has to come of it. First anything may happen; after a while all
/// behave, and everything has to be settled soon.
/// </summary>
internal sealed class LedgerSchedule
{
    private const long Epoch = 4;
    private const int WildSteps = 150;

    private readonly int _seed;
    private readonly SlotOptions _options;
    private readonly SlotLedger _ledger;
    private readonly Source[] _sources;
    private readonly Holder[] _selectors;
    private readonly long _firstVersion;
    // Blocks at their intakes, waiting for a selector.
    private readonly List<SlotBlock> _waiting = [];
    // The attempt that counts of each block that is out, by its first slot.
    private readonly Dictionary<long, SlotBlock> _newest = [];
    // Who told of holding which of these, if anybody did, and until when it may be silent.
    private readonly Dictionary<long, (string? Holder, DateTimeOffset Until)> _leases = [];
    // How often one's lease ran out before anybody had told of it.
    private readonly Dictionary<long, int> _untold = [];
    // What was taken, for messages that come late or twice.
    private readonly List<SelectionBlock> _sent = [];
    private readonly Dictionary<long, Record> _recordOf = [];
    private readonly List<Record> _closed = [];
    private StableRandom _random;
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _nextSlot;
    private bool _lastWasShort;

    public LedgerSchedule(int seed)
    {
        _seed = seed;
        _random = new StableRandom(seed, 0x5C4ED);
        var batch = 1 + _random.Below(6);
        _options = new SlotOptions(batch, BlockSize: 1 + _random.Below(batch + 1), MaxStaleness: _random.Below(4), MaxAttempts: 1 + _random.Below(3),
            Lease: TimeSpan.FromSeconds(10));
        var intakes = 1 + _random.Below(3);
        _firstVersion = _random.Below(3) * 7;
        _ledger = new SlotLedger(_options, Epoch, _firstVersion);
        _nextSlot = _firstVersion * batch;
        _sources = [.. Enumerable.Range(0, intakes).Select(i => new Source($"intake-{i}", _random.Below(25)))];
        foreach (var source in _sources)
            for (var i = 0; i < source.Total; i++)
                source.Records.Add(new Record(source, i, IsPoison: _random.Below(12) == 0));
        _selectors = [.. Enumerable.Range(0, 1 + _random.Below(3)).Select(i => new Holder($"selector-{i}"))];
    }

    public int Dead => _closed.Count(record => record.IsDead);

    public int Applied => _closed.Count(record => !record.IsDead);

    public int Reissued { get; private set; }

    public int Defects { get; private set; }

    public int ShortBatches { get; private set; }

    public void Run()
    {
        for (var step = 0; step < WildSteps; step++)
        {
            Act(wild: true);
            Check();
        }
        // From here on nobody is lost and nothing fails but poison: each step settles something or brings it nearer.
        var left = 60 * (1 + _sources.Sum(source => source.Total));
        while (!_ledger.IsDrained)
        {
            Require(left-- > 0, "stuck");
            Act(wild: false);
            Check();
        }
        Require(_closed.Count == _sources.Sum(source => source.Total), "drained with records unsettled");
        foreach (var source in _sources)
            Require(_closed.Where(record => record.Source == source).Select(record => record.Index).SequenceEqual(Enumerable.Range(0, source.Total)),
                $"records of {source.Name} closed out of order or twice");
        Require(_ledger.TryClose() is null && _ledger.Grant(_now).Count == 0 && _ledger.OpenBlocks == 0, "something is left after the end");
    }

    private void Act(bool wild)
    {
        switch (_random.Below(wild ? 12 : 4))
        {
            case 0:
                Offer(_sources[_random.Below(_sources.Length)], wild);
                break;
            case 1 or 2:
                Take(_selectors[_random.Below(_selectors.Length)], tells: !wild || _random.Below(5) > 0);
                break;
            case 3 or 4 or 5:
                Compute(_selectors[_random.Below(_selectors.Length)], wild);
                break;
            case 6:
                Lose(_selectors[_random.Below(_selectors.Length)]);
                break;
            case 7:
                _now += TimeSpan.FromSeconds(_random.Below(8));
                ReissueThose(_ledger.Expire(_now), lease => lease.Until <= _now);
                break;
            case 8 when _sent.Count > 0:
                // Whatever comes twice, or from an attempt or an epoch that is over, is dropped.
                var late = _sent[_random.Below(_sent.Count)];
                Require(!_ledger.Accept(late), $"{late.Block} was taken twice or late");
                Require(!_ledger.Accept(late with { Block = late.Block with { Epoch = Epoch - 1, Attempt = late.Block.Attempt + 1 } }), "a block of another epoch was taken");
                break;
            case 9 when _sent.Count > 0:
                var stale = _sent[_random.Below(_sent.Count)].Block;
                _ledger.Held("nobody", stale, _now);
                Require(_ledger.Failed(stale, [new SlotFailure(stale.First, "late")], _now) is null, "a late failure counted");
                if (_selectors[_random.Below(_selectors.Length)] is { Block: not null } beating)
                    Hold(beating);
                break;
            case 10:
                var source = _sources[_random.Below(_sources.Length)];
                _ledger.Request(new SlotRequest(source.Name, Epoch + (_random.Below(2) == 0 ? 1 : -1), 1000, [], true, ShareOf(source)));
                _ledger.Request(new SlotRequest(source.Name, Epoch, _random.Below((int)source.Offered + 1), [], false, ShareOf(source)));
                break;
            case 11:
                Misbehave(_selectors[_random.Below(_selectors.Length)]);
                break;
        }
        while (_ledger.TryClose() is { } closed)
            Close(closed);
        foreach (var (intake, block) in _ledger.Grant(_now))
            Grant(intake, block);
    }

    private void Offer(Source source, bool wild)
    {
        source.Offered = Math.Min(source.Total, source.Offered + _random.Below(6) + (wild ? 0 : 1));
        // The end may be told with the last records or after them.
        source.HasEnded |= source.Offered == source.Total && (!wild || _random.Below(2) == 0);
        _ledger.Request(new SlotRequest(source.Name, Epoch, source.Offered, [], source.HasEnded, ShareOf(source)));
    }

    private InputShare ShareOf(Source source) => new([source.Name], _sources.Length);

    private void Grant(string intake, SlotBlock block)
    {
        var source = _sources.Single(s => s.Name == intake);
        var room = _options.BatchSize - (int)(block.First % _options.BatchSize);
        Require(block is { Epoch: Epoch, Attempt: 1 } && block.First == _nextSlot, $"{block} does not follow slot {_nextSlot - 1}");
        Require(block.Batch == block.First / _options.BatchSize && block.Count <= room, $"{block} is not within its batch");
        Require(block.Batch <= _ledger.Version + _options.MaxStaleness, $"{block} was granted at version {_ledger.Version}");
        Require(block.Count >= 1 && source.Granted + block.Count <= source.Offered, $"{block} was granted without records");
        var whole = Math.Min(_options.BlockSize, room);
        Require(block.Count == whole || (source.HasEnded && block.Count < whole && source.Granted + block.Count == source.Total), $"{block} is short");
        for (var slot = block.First; slot < block.First + block.Count; slot++)
            _recordOf[slot] = source.Records[source.Granted++];
        _nextSlot += block.Count;
        _newest[block.First] = block;
        _leases[block.First] = (null, _now + _options.Lease);
        _waiting.Add(block);
    }

    private void Take(Holder selector, bool tells)
    {
        if (selector.Block is not null || _waiting.Count == 0)
            return;
        var at = _random.Below(_waiting.Count);
        selector.Block = _waiting[at];
        _waiting.RemoveAt(at);
        if (tells)
            Hold(selector);
    }

    private void Hold(Holder selector)
    {
        _ledger.Held(selector.Name, selector.Block!.Value, _now);
        if (IsNewest(selector.Block.Value))
            _leases[selector.Block.Value.First] = (selector.Name, _now + _options.Lease);
    }

    private void Compute(Holder selector, bool wild)
    {
        if (selector.Block is not { } block)
            return;
        if (!IsNewest(block))
        {
            // Handed out again meanwhile: what it computed is not taken any more.
            Require(!_ledger.Accept(Selections(block, selector.Name, Math.Min(_ledger.Version, block.Batch))), $"{block} was taken though it was handed out again");
            selector.Block = null;
            return;
        }
        var failing = Slots(block).Where(slot => !_recordOf[slot].IsDead && (_recordOf[slot].IsPoison || (wild && _random.Below(15) == 0))).ToList();
        if (failing.Count > 0)
        {
            var again = _ledger.Failed(block, [.. failing.Select(slot => new SlotFailure(slot, "it failed"))], _now);
            Require(again is not null, $"the failure of {block} did not count");
            Reissue([again!], failing);
        }
        else
        {
            // Any version that is out and fresh enough.
            var oldest = Math.Max(_firstVersion, block.Batch - _options.MaxStaleness);
            if (oldest > _ledger.Version)
                return;
            var computed = Selections(block, selector.Name, oldest + _random.Below((int)(Math.Min(_ledger.Version, block.Batch) - oldest) + 1));
            Require(_ledger.Accept(computed), $"{block} was not taken");
            _newest.Remove(block.First);
            _leases.Remove(block.First);
            _sent.Add(computed);
        }
        selector.Block = null;
    }

    // A selection that is too old, or from the future, or not for each slot, is a defect of the selector: told loudly, and nothing changes.
    private void Misbehave(Holder selector)
    {
        if (selector.Block is not { } block || !IsNewest(block))
            return;
        long[] wrong = [block.Batch - _options.MaxStaleness - 1, block.Batch + 1];
        foreach (var version in wrong)
            RequireDefect(Selections(block, selector.Name, version));
        var right = Selections(block, selector.Name, block.Batch);
        RequireDefect(right with { Selections = [.. right.Selections, null] });
    }

    private void RequireDefect(SelectionBlock computed)
    {
        try
        {
            _ledger.Accept(computed);
        }
        catch (InvalidOperationException)
        {
            Defects++;
            return;
        }
        Require(false, $"{computed.Block} was taken with version {computed.Version} and {computed.Selections.Count} selections");
    }

    private void Lose(Holder selector)
    {
        var reissued = _ledger.Lost(selector.Name, _now);
        // What it held without telling is not known to be lost before its lease runs out: it still has it. What it had told of it may come back with all the same.
        if (selector.Block is { } block && reissued.Any(r => r.Block.IsSameSlots(block)))
            selector.Block = _random.Below(2) == 0 ? null : block;
        ReissueThose(reissued, lease => lease.Holder == selector.Name);
    }

    private void ReissueThose(IReadOnlyList<BlockReissued> reissued, Func<(string? Holder, DateTimeOffset Until), bool> lost)
    {
        var expected = _leases.Where(lease => lost(lease.Value)).Select(lease => lease.Key).Order().ToList();
        Require(reissued.Select(r => r.Block.First).SequenceEqual(expected), $"handed out again {string.Join(", ", reissued.Select(r => r.Block))}, not slots {string.Join(", ", expected)}");
        Reissue(reissued);
    }

    // A block whose holder was lost costs each of its records an attempt, one that nobody had told of none; one that failed only those it failed on.
    private void Reissue(IReadOnlyList<BlockReissued> reissued, IReadOnlyList<long>? failed = null)
    {
        foreach (var again in reissued)
        {
            Reissued++;
            Require(again.Epoch == Epoch && again.Intake == _recordOf[again.Block.First].Source.Name, $"{again.Block} was handed out to another intake");
            var before = _newest[again.Block.First];
            Require(again.Block == before with { Attempt = before.Attempt + 1 }, $"{again.Block} came after {before}");
            _newest[again.Block.First] = again.Block;
            var wasHeld = _leases[again.Block.First].Holder is not null;
            if (!wasHeld && failed is null)
                _untold[again.Block.First] = _untold.GetValueOrDefault(again.Block.First) + 1;
            _leases[again.Block.First] = (null, _now + _options.Lease * Math.Pow(2, _untold.GetValueOrDefault(again.Block.First)));
            _waiting.RemoveAll(again.Block.IsSameSlots);
            _waiting.Add(again.Block);
            foreach (var slot in Slots(again.Block))
            {
                var record = _recordOf[slot];
                if (failed is null ? wasHeld : failed.Contains(slot))
                    record.Attempts++;
                var deaths = again.Deaths.Where(death => death.Slot == slot).ToList();
                Require(deaths.Count == (!record.IsDead && record.Attempts >= _options.MaxAttempts ? 1 : 0),
                    $"{record} was told dead {deaths.Count} times after {record.Attempts} of {_options.MaxAttempts} attempts");
                Require(deaths.All(death => death.Code == (failed is null ? DeadLetterCodes.HolderLost : DeadLetterCodes.Selector)), $"{record} died of another cause");
                record.IsDead |= deaths.Count > 0;
            }
        }
    }

    private void Close(ClosedBatch closed)
    {
        Require(!_lastWasShort, "a batch was closed after the end of the input");
        Require(closed.Batch == _ledger.Version - 1 && closed.FirstSlot == closed.Batch * _options.BatchSize, $"batch {closed.Batch} closed as version {_ledger.Version}");
        Require(closed.BlockCounts.Sum() == closed.Selections.Count && closed.OldestVersion >= closed.Batch - _options.MaxStaleness, "the batch's own figures are wrong");
        for (var i = 0; i < closed.Selections.Count; i++)
        {
            Require(_recordOf.Remove(closed.FirstSlot + i, out var record), $"slot {closed.FirstSlot + i} was closed twice, or never granted");
            Require(closed.Selections[i] is null == record!.IsDead, $"{record}: dead {record.IsDead}, selected {closed.Selections[i] is not null}");
            Require(closed.Selections[i] is null || closed.Selections[i]!.Pool.Position == record.Position, $"slot {closed.FirstSlot + i} closed with another record");
            _closed.Add(record);
        }
        if (closed.Selections.Count == _options.BatchSize)
            return;
        ShortBatches++;
        _lastWasShort = true;
        Require(closed.Selections.Count > 0 && _sources.All(source => source.HasEnded && source.Granted == source.Total) && _ledger.IsDrained, "a short batch before the end");
    }

    private void Check()
    {
        Require(_recordOf.Count <= (_options.MaxStaleness + 1) * _options.BatchSize, $"{_recordOf.Count} slots are out");
        Require(_ledger.IsDrained == (_sources.All(source => source.HasEnded) && _closed.Count == _sources.Sum(source => source.Total)), "drained at the wrong time");
        Require(_ledger.NextExpiry == (_leases.Count == 0 ? null : _leases.Values.Min(lease => lease.Until)), "the next expiry is another");
        Require(_ledger.OpenBlocks == _newest.Count, "other blocks are out");
        Require(_ledger.Version == _firstVersion + (_closed.Count + _options.BatchSize - 1) / _options.BatchSize, "the version is not the number of batches closed");
    }

    private bool IsNewest(SlotBlock block) => _newest.TryGetValue(block.First, out var newest) && newest == block;

    private SelectionBlock Selections(SlotBlock block, string selector, long version) => new(block, selector, version,
        [.. Slots(block).Select(slot => _recordOf.TryGetValue(slot, out var record) && !record.IsDead ? record.Selected() : null)]);

    private static IEnumerable<long> Slots(SlotBlock block) => Enumerable.Range(0, block.Count).Select(i => block.First + i);

    private void Require(bool holds, string otherwise) => Assert.True(holds, $"seed {_seed}, {_options}: {otherwise}");

    private sealed class Source(string name, int total)
    {
        public string Name => name;
        public int Total => total;
        public List<Record> Records { get; } = [];
        public long Offered { get; set; }
        public int Granted { get; set; }
        public bool HasEnded { get; set; }
    }

    private sealed class Holder(string name)
    {
        public string Name => name;
        public SlotBlock? Block { get; set; }
    }

    private sealed record Record(Source Source, int Index, bool IsPoison)
    {
        public Position Position => new(Source.Name, 0, Index);
        public int Attempts { get; set; }
        public bool IsDead { get; set; }

        public Selection Selected() => MadeSelection.Of(MadeSelection.Pool(new EncodedPool([1], [[2], [3]]), Position), [1], [0, 0]);

        public override string ToString() => Position.ToString();
    }
}
