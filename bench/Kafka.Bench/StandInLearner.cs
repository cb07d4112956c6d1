using System.Diagnostics;
using System.Threading.Channels;
using MassDpo.Kafka.Links;
using MassDpo.Learner.Slots;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Bench;

/// <summary>What a stand-in found.</summary>
/// <param name="Records">that came back</param>
/// <param name="Seconds">from the first slots granted to the last block that came back</param>
/// <param name="PerSelector">records of each selector</param>
internal sealed record SelectionTally(long Records, double Seconds, IReadOnlyDictionary<string, long> PerSelector);

/// <summary>
/// A learner that does not train: it owns the epoch, and as soon as the whole input is shared among all processes grants slots as fast as they are asked for. The same
/// weights are published again as newer versions, long before anybody would have to wait for them. It counts what comes back; each record must, once.
/// </summary>
internal sealed class StandInLearner : IDisposable
{
    private readonly KafkaControlLink _control;
    private readonly KafkaSnapshotsLink _snapshots;
    private readonly KafkaSelectionsLink _selections;
    private readonly Channel<object> _inbox = Channel.CreateUnbounded<object>();
    private readonly PolicyWeights _weights;
    private readonly SlotOptions _slots;
    private readonly IReadOnlyDictionary<string, string> _identity;
    private readonly int _processes;
    private readonly Dictionary<string, InputShare> _shares = [];
    private readonly HashSet<Position> _seen = [];
    private readonly SortedDictionary<string, long> _perSelector = new(StringComparer.Ordinal);
    private readonly SettledPositions _settled = new();
    private IControlAuthority? _authority;
    private SlotLedger? _ledger;
    private long _epoch;
    private long _published;
    private bool _granting;
    private long _began;
    private long _last;

    /// <param name="link">how to reach the topics, which have their usual names</param>
    /// <param name="weights">that are published</param>
    /// <param name="slots">of the run; with a staleness that nobody waits for</param>
    /// <param name="identity">of the run</param>
    /// <param name="processes">that share the input before the clock begins</param>
    public StandInLearner(KafkaLinkOptions link, PolicyWeights weights, SlotOptions slots, IReadOnlyDictionary<string, string> identity, int processes)
    {
        (_weights, _slots, _identity, _processes) = (weights, slots, identity, processes);
        var own = link with { Failed = e => _inbox.Writer.TryComplete(e) };
        _control = new KafkaControlLink(own, "massdpo.control");
        _snapshots = new KafkaSnapshotsLink(own, "massdpo.snapshots", new PolicySnapshotFormat(weights));
        _selections = new KafkaSelectionsLink(own, "massdpo.selections");
    }

    /// <summary>Told when slots are granted for the first time, and when the last record has come back.</summary>
    public Action<bool> Clock { get; init; } = _ => { };

    /// <summary>Runs until every record has come back, and lets the selectors know that the input has ended.</summary>
    /// <exception cref="InvalidDataException">a record came twice, or not at all, or who reads what changed on the way</exception>
    public async Task<SelectionTally> RunAsync(long records, CancellationToken cancellation)
    {
        using var receiving = _selections.Receive(_inbox.Writer.WriteAsync);
        await ClaimAsync(cancellation);
        await foreach (var message in _inbox.Reader.ReadAllAsync(cancellation))
        {
            if (message is SelectionBlock computed)
                Count(computed);
            else
                await HearAsync((ControlMessage)message, cancellation);
            if (_ledger is null || !(_granting |= IsShared()))
                continue;
            while (_ledger.TryClose() is not null)
                _authority!.Announce(new BatchClosed(_epoch, _ledger.Version));
            if (_ledger.Version - _published >= _slots.MaxStaleness / 2)
                _snapshots.Publish(new PolicySnapshot(_epoch, _published = _ledger.Version, _weights.Copy()));
            foreach (var (intake, block) in _ledger.Grant(TimeProvider.System.GetUtcNow()))
            {
                if (_began == 0)
                {
                    _began = Stopwatch.GetTimestamp();
                    Clock(true);
                }
                _authority!.Announce(new SlotsGranted(_epoch, intake, block));
            }
            if (_ledger.IsDrained)
                break;
        }
        Clock(false);
        _authority!.Announce(new LearnerStopped(_epoch, "all records have come back", InputEnded: true));
        if (_seen.Count != records)
            throw new InvalidDataException($"{_seen.Count} of {records} records came back");
        return new SelectionTally(_seen.Count, Stopwatch.GetElapsedTime(_began, _last).TotalSeconds, _perSelector);
    }

    public void Dispose()
    {
        _authority?.Dispose();
        _control.Dispose();
        _selections.Dispose();
        _snapshots.Dispose();
    }

    private async Task ClaimAsync(CancellationToken cancellation)
    {
        if (_granting)
            throw new InvalidDataException("who reads what has changed while the clock ran: run it again");
        _ledger = null;
        _shares.Clear();
        _authority?.Dispose();
        _authority = await _control.ClaimAsync(new EpochClaim(++_epoch, 0, _weights.ComputeHash()), (message, token) => _inbox.Writer.WriteAsync(message, token),
            reason => _inbox.Writer.TryComplete(new InvalidDataException(reason)), cancellation);
        _snapshots.Publish(new PolicySnapshot(_epoch, 0, _weights.Copy()));
    }

    private async Task HearAsync(ControlMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case IntakeReady when _ledger is not null:
            case IntakeChanged changed when _ledger is not null && changed.Epoch == _epoch:
                await ClaimAsync(cancellation);
                break;
            case SnapshotConfirmed confirmed when _ledger is null && confirmed.Epoch == _epoch:
                _ledger = new SlotLedger(_slots, _epoch, 0);
                _authority!.Announce(new EpochOpened(_epoch, 0, _settled.Copy()) { Identity = _identity });
                break;
            case SlotRequest request when _ledger is not null && request.Epoch == _epoch:
                _shares[request.Intake] = request.Share;
                _ledger.Request(request);
                break;
            case BlockHeld held:
                _ledger?.Held(held.Selector, held.Block, TimeProvider.System.GetUtcNow());
                break;
            case BlockFailed failed:
                throw new InvalidDataException($"{failed.Block} failed: {failed.Failures[0].Reason}");
            case PositionDead dead:
                throw new InvalidDataException($"{dead.Letter.Position} died: {dead.Letter.Reason}");
        }
    }

    private bool IsShared() => _shares.Count == _processes && _shares.Values.All(share => share.Sources.Count > 0)
        && _shares.Values.SelectMany(share => share.Sources).Distinct(StringComparer.Ordinal).Count() == _shares.Values.First().Total;

    private void Count(SelectionBlock computed)
    {
        if (_ledger?.Accept(computed) != true)
            return;
        _last = Stopwatch.GetTimestamp();
        foreach (var selection in computed.Selections)
            if (!_seen.Add(selection!.Pool.Position))
                throw new InvalidDataException($"{selection.Pool.Position} came twice");
        _perSelector[computed.Selector] = _perSelector.GetValueOrDefault(computed.Selector) + computed.Selections.Count;
    }
}
