using System.Buffers;
using System.Text.Json.Nodes;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Metrics;
using MassDpo.Learner.Slots;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.Shared.Telemetry;

namespace MassDpo.Learner;

/// <summary>What a <see cref="LearnerActor"/> is told.</summary>
public abstract record LearnerMessage
{
    /// <summary>Stop: drop the open batch, checkpoint, end.</summary>
    public sealed record Stop : LearnerMessage;

    internal sealed record Told(ControlMessage Message) : LearnerMessage;

    internal sealed record Computed(SelectionBlock Block) : LearnerMessage;

    internal sealed record LeasesDue : LearnerMessage;

    /// <summary>The time for draining is over, in an epoch that ends.</summary>
    internal sealed record DrainDue(long Epoch) : LearnerMessage;

    internal sealed record Fenced(string Reason) : LearnerMessage;
}

/// <summary>What a learner works with.</summary>
/// <param name="Directory">where the run writes; its lock is held by the process</param>
/// <param name="Origin">of the policy that the run found, whose config and tokenizer the result keeps</param>
/// <param name="NewTrainer">makes a trainer that starts from that policy</param>
/// <param name="Control">the links</param>
/// <param name="Selections">the links</param>
/// <param name="Snapshots">the links</param>
/// <param name="Tap">gets the event of every selection that was applied; must not block for long</param>
/// <param name="Progress">gets every update</param>
/// <param name="Ended">is told how the run ended, once</param>
public sealed record LearnerParts(RunDirectory Directory, PolicyOrigin Origin, Func<PolicyTrainer> NewTrainer, IControlLink Control, ISelectionsLink Selections,
    ISnapshotsLink Snapshots, Action<SelectionEvent> Tap, Action<LearnerProgress> Progress, Action<LearnerOutcome> Ended)
{
    /// <summary>Measures a version of the policy, for <c>evaluations.jsonl</c>; null: it is not measured.</summary>
    public Func<PolicyWeights, JsonObject>? Evaluate { get; init; }

    /// <summary>Makes what is told of every position beside the logs; each incarnation of the learner has its own.</summary>
    public Func<IOutcomeSink> NewOutcomes { get; init; } = () => NoOutcomes.Instance;

    internal LearnerLives Lives { get; } = new();
}

/// <summary>What a learner knows of its incarnations before, within one process.</summary>
internal sealed class LearnerLives
{
    /// <summary>Whether one of them claimed an epoch: then what was published above the checkpoint is this learner's own, and it may go back behind it.</summary>
    public bool HasClaimed { get; set; }

    /// <summary>The newest version that one of them committed.</summary>
    public long Committed { get; set; } = -1;

    /// <summary>Why they failed, since then.</summary>
    public List<Exception> Failures { get; } = [];
}

/// <summary>
/// The learner: opens slots, collects what selectors computed, trains batch by batch in slot order, logs, publishes, commits.
/// States: restoring (loads the newest checkpoint, cuts the logs back to it, claims a new epoch, publishes, waits until one selector has confirmed the
/// hash); open (grants slots, trains); ended.
/// It persists everything that counts: checkpoints (weights, optimiser, settled positions, marks of the logs), the logs, its epoch. A restart, of the
/// actor or of the process, is a restore: what came after the newest checkpoint is read, selected and trained on again. When an intake or its records
/// are lost it opens a new epoch at the version it has, without going back. Where restarts bring it no further than the checkpoint it has, it gives up.
/// It alone writes the run's logs, and never waits for another actor.
/// </summary>
public sealed class LearnerActor(IActorContext<LearnerMessage> context, LearnerParts parts, LearnerOptions options) : Actor<LearnerMessage>
{
    // Failures without a new checkpoint in between after which it gives up.
    private const int MaxFailures = 5;

    private readonly CheckpointStore _store = new(parts.Directory.Checkpoints, parts.Directory.Files, options.CheckpointsKept);
    private readonly List<string> _notes = [];
    private readonly SortedDictionary<long, long> _lags = [];
    private readonly MetricsWindow _window = new(options.MetricsWindow);
    // The events of a batch go to their log in one piece.
    private readonly ArrayBufferWriter<byte> _lines = new();
    private readonly LogSet _logs = new(parts.Directory, options.Logs);
    // Selectors of which a note says so.
    private readonly HashSet<string> _refusedFrom = new(StringComparer.Ordinal);
    private readonly DateTimeOffset _startedAt = context.Clock.GetUtcNow();
    private readonly long _started = context.Clock.GetTimestamp();
    private readonly Dictionary<long, DeadLetter> _diedInSlot = [];
    // Slots whose records have died and whose letters are on their way: over topics what was selected beside them may come first, and the run must not end before they are here.
    private readonly HashSet<long> _lettersDue = [];
    private PolicyTrainer? _trainer;
    private IOutcomeSink _outcomes = NoOutcomes.Instance;
    private SettledPositions _settled = new();
    private RunCounts _counts = new(0, 0, 0, 0, 0);
    private RunCounts _countsAtStart = new(0, 0, 0, 0, 0);
    private IControlAuthority? _authority;
    private IDisposable? _receiving;
    private IDisposable? _leases;
    private SlotLedger? _ledger;
    private long _epoch;
    private long _version;
    private string _publishedHash = "";
    private long _lastCheckpoint = -1;
    private long _updateEnded;
    private bool _open;
    // An intake has asked for a new epoch: nothing is granted any more, and what is granted whole is waited for.
    private bool _draining;
    private bool _ended;

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        context.Instruments.LearnerBegan();
        context.Lacks("it restores its newest checkpoint");
        _trainer = parts.NewTrainer();
        Restore();
        _outcomes = parts.NewOutcomes();
        _receiving = parts.Selections.Receive((block, token) => context.Self.Tell(new LearnerMessage.Computed(block), token));
        await ClaimAsync(cancellation);
    }

    public override async ValueTask ReceiveAsync(LearnerMessage message, CancellationToken cancellation)
    {
        if (_ended)
            return;
        try
        {
            await HandleAsync(message, cancellation);
        }
        catch (Exception e) when (e is not FatalActorException)
        {
            // Nobody asks twice for an end: a restart would run on as if nobody had.
            if (message is LearnerMessage.Stop)
                throw new FatalActorException($"the run could not be ended in order: {e.Message}", e);
            parts.Lives.Failures.Add(e);
            if (parts.Lives.Failures.Count > MaxFailures)
                throw new FatalActorException($"the learner failed {parts.Lives.Failures.Count} times without a new checkpoint in between, at last since: {e.Message}", e);
            throw;
        }
    }

    public override ValueTask StopAsync()
    {
        _receiving?.Dispose();
        _authority?.Dispose();
        _outcomes.Dispose();
        _trainer?.Dispose();
        _logs.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask HandleAsync(LearnerMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case LearnerMessage.Stop:
                End(stopped: true);
                return;
            case LearnerMessage.Fenced fenced:
                throw new FatalActorException($"this learner is fenced: {fenced.Reason}");
            case LearnerMessage.Computed computed when _open:
                Accept(computed.Block);
                break;
            case LearnerMessage.LeasesDue when _open:
                var expired = _ledger!.Expire(Now);
                context.Instruments.Expired(expired.Count);
                Announce(expired);
                break;
            case LearnerMessage.DrainDue due when _draining && due.Epoch == _epoch:
                await ClaimAsync(cancellation);
                break;
            case LearnerMessage.Told told:
                await HearAsync(told.Message, cancellation);
                break;
        }
        if (_open)
            Advance();
        if (_draining && !_ledger!.HasWholeBatch)
            await ClaimAsync(cancellation);
        if (context.Instruments.ShowsSlots)
            context.Instruments.Slots(_ledger?.OpenSlots ?? 0, _ledger?.FilledSlots ?? 0, _ledger?.OpenBlocks ?? 0);
    }

    private void Restore()
    {
        try
        {
            RestoreNewest();
        }
        catch (InvalidDataException e)
        {
            throw new FatalActorException(e.Message, e);
        }
    }

    private void RestoreNewest()
    {
        _epoch = parts.Directory.LastEpoch;
        using var checkpoint = _store.LoadNewest(NoteDamage);
        if (checkpoint is null)
        {
            _logs.CutTo(new Dictionary<string, LogMark>(), []);
            return;
        }
        var state = checkpoint.State;
        var differences = state.Identity.DifferencesTo(options.Identity);
        if (differences.Count > 0 && !options.ContinueWithChanges)
            throw new FatalActorException($"{parts.Directory.Root} holds a run with other settings: {string.Join("; ", differences)}. Go on with the old ones, give --continue-with-changes, or choose another output directory",
                new ResumeRefusedException(string.Join("; ", differences)));
        _notes.AddRange(differences.Select(difference => $"continued with a change: {difference}"));
        _logs.CutTo(state.Logs, [.. _store.List().Select(name => name.Version)]);
        _trainer!.Restore(checkpoint.Weights, checkpoint.Optimizer, state.OptimizerSteps, checkpoint.Reference);
        (_version, _settled, _counts, _countsAtStart) = (state.Version, state.Settled, state.Counts, state.Counts);
        foreach (var (lag, records) in state.Lags)
            _lags[lag] = records;
        // The file may be gone; what the checkpoint was written in is over too.
        _epoch = Math.Max(_epoch, state.Epoch);
        _lastCheckpoint = _version;
        _notes.Add($"went on from checkpoint {checkpoint.Name}");
    }

    private void NoteDamage(string checkpoint, string reason) => _notes.Add($"checkpoint {checkpoint} is damaged and was set aside: {reason}");

    // A new epoch at the version that the learner has: nobody works on anything until one selector holds this very policy.
    private async ValueTask ClaimAsync(CancellationToken cancellation)
    {
        _open = false;
        _draining = false;
        _ledger = null;
        _diedInSlot.Clear();
        _lettersDue.Clear();
        parts.Directory.KeepEpoch(++_epoch);
        context.Lacks($"no selector has confirmed version {_version} in epoch {_epoch}");
        var snapshot = NewSnapshot();
        using (var lease = snapshot.TryAcquire())
            _publishedHash = lease!.Hash;
        _authority?.Dispose();
        try
        {
            _authority = await parts.Control.ClaimAsync(new EpochClaim(_epoch, _version, _publishedHash, Forced: parts.Lives.HasClaimed || options.ForceClaim) { Committed = Math.Max(0, _lastCheckpoint) },
                (message, token) => context.Self.Tell(new LearnerMessage.Told(message), token),
                reason => context.Self.Post(new LearnerMessage.Fenced(reason)), cancellation);
        }
        catch (ClaimRefusedException e) when (options.ForceClaim && !parts.Lives.HasClaimed && e.NewestEpoch >= _epoch)
        {
            snapshot.Release();
            _epoch = e.NewestEpoch.Value;
            await ClaimAsync(cancellation);
            return;
        }
        catch (ClaimRefusedException e)
        {
            snapshot.Release();
            throw new FatalActorException(e.Message, e);
        }
        catch
        {
            // It stops before anybody has decided: what was to be published is nobody's.
            snapshot.Release();
            throw;
        }
        parts.Lives.HasClaimed = true;
        Publish(snapshot);
    }

    private async ValueTask HearAsync(ControlMessage message, CancellationToken cancellation)
    {
        if (message is PositionDead { Slot: { } slot } letter && letter.Epoch == _epoch)
            _lettersDue.Remove(slot);
        switch (message)
        {
            case IntakeReady ready when ready.Incarnation > 1:
                await ClaimAsync(cancellation);
                break;
            // Before an epoch is open nothing is granted, and it opens with all that is settled.
            case IntakeReady { Shared: true } when _open:
            case IntakeChanged changed when _open && changed.Epoch == _epoch:
                Drain();
                break;
            case PositionsSkipped skipped when skipped.Epoch == _epoch:
                Skip(skipped);
                break;
            case SnapshotConfirmed confirmed when !_open && confirmed.Epoch == _epoch && confirmed.Version == _version:
                if (confirmed.Hash != _publishedHash)
                    throw new FatalActorException($"selector '{confirmed.Selector}' holds a policy with hash {confirmed.Hash}, published was {_publishedHash}");
                Open();
                break;
            case SelectorReady ready when _open && ready.Incarnation > 1:
                Announce(_ledger!.Lost(ready.Selector, Now));
                break;
            case BlockHeld held when _open:
                _ledger!.Held(held.Selector, held.Block, Now);
                ScheduleLeases();
                break;
            case BlockFailed failed when _open:
                if (_ledger!.Failed(failed.Block, failed.Failures, Now) is { } reissued)
                    Announce([reissued]);
                break;
            case SlotRequest request when _open && request.Epoch == _epoch:
                foreach (var end in request.PassEnds)
                    _settled.EndPass(end.Source, end.Pass, end.Length);
                _ledger!.Request(request);
                break;
            case PositionDead dead when dead.Epoch == _epoch && dead.Slot >= _version * options.Slots.BatchSize:
                // Until its batch is closed a restart must find the record where it was, or the batch would have other records.
                _diedInSlot[dead.Slot.Value] = dead.Letter;
                break;
            case PositionDead dead when dead.Epoch == _epoch:
                Bury(dead.Letter);
                break;
        }
    }

    private void Open()
    {
        _ledger = new SlotLedger(options.Slots, _epoch, _version);
        _open = true;
        _updateEnded = context.Clock.GetTimestamp();
        _authority!.Announce(new EpochOpened(_epoch, _version, _settled.Copy()) { Identity = options.Identity.Values });
        context.Lacks(null);
    }

    private void Drain()
    {
        if (_draining)
            return;
        _draining = true;
        context.Schedule(options.Slots.Drain, new LearnerMessage.DrainDue(_epoch));
    }

    private void Skip(PositionsSkipped skipped)
    {
        var added = _settled.AddRange(skipped.From, skipped.To);
        if (added > 0 && skipped.Reason == SkipReason.Lost)
            _notes.Add($"{skipped.From.Source}: {added} positions from {skipped.From.Index} on were never read, the source does not hold them any more");
    }

    private void Advance()
    {
        while (_ledger!.TryClose() is { } batch)
            Train(batch);
        Grant();
        if (_ledger.IsDrained && _lettersDue.Count == 0)
            End(stopped: false);
    }

    // What no selector of this run computes must not end the learner: its records are selected again, and die with the reason where that is all that ever comes.
    private void Accept(SelectionBlock computed)
    {
        if (_ledger!.Objection(computed) is not { } objection)
        {
            _ledger.Accept(computed);
            return;
        }
        if (_refusedFrom.Add(computed.Selector))
            _notes.Add($"refused: {objection}");
        if (_ledger.Refused(computed, objection, Now) is { } reissued)
            Announce([reissued]);
    }

    private void Grant()
    {
        if (_draining)
            return;
        var granted = _ledger!.Grant(Now);
        foreach (var (intake, block) in granted)
            _authority!.Announce(new SlotsGranted(_epoch, intake, block));
        if (granted.Count > 0)
            ScheduleLeases();
    }

    private void Train(ClosedBatch batch)
    {
        using var activity = Tracing.IsOn ? Tracing.Start(Tracing.Update, batch.Traces) : null;
        CheckReference(batch);
        var selections = Unsettled(batch.Selections);
        var update = _trainer!.Update(selections);
        _version = _ledger!.Version;
        var refreshed = _trainer.Reference.Refresh(_version, _trainer.Weights);
        // Before anything is written or hashed, so that selectors work meanwhile.
        var snapshot = NewSnapshot();
        using var lease = snapshot.TryAcquire();
        Publish(snapshot);
        _authority!.Announce(new BatchClosed(_epoch, _version));
        Grant();
        // First of all: the next events tell it, and a selector that comes to them before would compute it itself.
        _publishedHash = lease!.Hash;
        foreach (var index in update.NotFinite)
        {
            var pool = selections[index]!.Pool;
            Bury(new DeadLetter(pool.Position, DeadLetterCodes.NotFinite, $"record '{pool.Id}' gives a loss or gradient that is not finite; its batch was computed again without it", pool.Origin));
            selections[index] = null;
        }
        var appliedBefore = _counts.Applied;
        var lag = 0L;
        foreach (var selection in selections)
        {
            if (selection is null)
                continue;
            _lines.Write(selection.Line.Bytes.Span);
            _settled.Add(selection.Pool.Position);
            if (selection.Measures is { } measures)
                _window.Add(measures);
            lag = Math.Max(lag, selection.Event.Lag);
            context.Instruments.Stale(selection.Event.Lag);
            context.Instruments.Truncated(selection.Pool.CutTokens);
            _lags[selection.Event.Lag] = _lags.GetValueOrDefault(selection.Event.Lag) + 1;
            _counts = _counts with
            {
                Applied = _counts.Applied + 1,
                Duplicates = _counts.Duplicates + selection.Pool.Duplicates,
                Unknown = _counts.Unknown + selection.Pool.UnknownItems,
                Truncated = _counts.Truncated + (selection.Pool.CutTokens > 0 ? 1 : 0),
                CutTokens = _counts.CutTokens + selection.Pool.CutTokens,
            };
        }
        // After what was trained on: where parts of the input moved, an intake may tell of a record that died, and another one have had it computed in this very batch.
        for (var i = 0; i < selections.Length; i++)
            if (_diedInSlot.Remove(batch.FirstSlot + i, out var letter))
                Bury(letter);
        _logs.Append(parts.Directory.Selections, _lines.WrittenSpan);
        _lines.ResetWrittenCount();
        var entry = new UpdateEntry(_version, batch.FirstSlot, [.. selections.Select(s => s?.Pool.Position)], [.. selections.Select(s => s?.Line.Hash)],
            batch.BlockCounts, update.Loss, update.LearningRate, refreshed ? _trainer.Reference.Hash : null);
        _logs.Append(parts.Directory.Updates, entry.ToLine());
        context.Instruments.Updated(entry.Applied, update.Loss);
        activity?.SetTag("massdpo.version", _version).SetTag("massdpo.records", entry.Applied).SetTag("massdpo.loss", update.Loss);
        var took = context.Clock.GetElapsedTime(_updateEnded).TotalSeconds;
        _updateEnded = context.Clock.GetTimestamp();
        _counts = _counts with { Seconds = _counts.Seconds + took };
        var metrics = new MetricsEntry(_version, _counts.Applied, update, _window.Means, took > 0 ? entry.Applied / took : 0, lag);
        _logs.Append(parts.Directory.Metrics, metrics.ToLine());
        foreach (var selection in selections)
        {
            if (selection is null)
                continue;
            _outcomes.Applied(selection.Event, selection.Line);
            parts.Tap(selection.Event);
        }
        var evaluation = IsEvaluationDue(appliedBefore) ? Evaluate(lease) : null;
        parts.Progress(new LearnerProgress(_version, _counts, update.Loss, update.LearningRate, metrics.Window, lag) { Evaluation = evaluation });
        // What was evaluated can be promoted, so it must be there.
        if (_version - Math.Max(0, _lastCheckpoint) >= options.CheckpointUpdates || evaluation is not null)
            Commit();
    }

    // Whatever intakes believe that they read, and however often: a position is trained on once.
    private Selection?[] Unsettled(IReadOnlyList<Selection?> batch)
    {
        var (selections, seen) = (batch.ToArray(), new HashSet<Position>());
        for (var i = 0; i < selections.Length; i++)
            if (selections[i] is { Pool.Position: var position } && (_settled.Contains(position) || !seen.Add(position)))
                selections[i] = null;
        return selections;
    }

    // The log-probabilities in the selections must be those of the reference that this version has.
    private void CheckReference(ClosedBatch batch)
    {
        foreach (var selection in batch.Selections)
            if (selection?.Event.ReferenceHash is { } hash && hash != _trainer!.Reference.Hash)
                throw new FatalActorException($"selector '{selection.Event.Selector}' computed {selection.Pool.Position} with the reference {hash}, but that of version {_version} is "
                    + $"{_trainer.Reference.Hash}: selectors and learner must start from the same policy");
    }

    private bool IsEvaluationDue(long appliedBefore) => parts.Evaluate is not null && options.EvaluateEvery > 0
        && _counts.Applied / options.EvaluateEvery > appliedBefore / options.EvaluateEvery;

    // In the learner's own turn: what is evaluated is this version, wherever the run is interrupted, and the log has it once.
    private JsonObject Evaluate(SnapshotLease policy)
    {
        var result = parts.Evaluate!((PolicyWeights)policy.Tensors);
        _logs.Append(parts.Directory.Evaluations, new EvaluationEntry(_version, _counts.Applied, policy.Hash, result).ToLine());
        // It is no part of what updates take.
        _updateEnded = context.Clock.GetTimestamp();
        return result;
    }

    private void Publish(PolicySnapshot snapshot)
    {
        using var activity = Tracing.Start(Tracing.Publish);
        activity?.SetTag("massdpo.version", snapshot.Version);
        if (context.Instruments.CountsBytes)
            context.Instruments.Published(_trainer!.Weights.Bytes);
        context.Instruments.Holds(context.Self.Name, snapshot.Epoch, snapshot.Version);
        parts.Snapshots.Publish(snapshot);
    }

    private PolicySnapshot NewSnapshot() => new(_epoch, _version, _trainer!.Snapshot(), _trainer.Reference.Current);

    private void Bury(DeadLetter letter)
    {
        if (!_settled.Add(letter.Position))
            return;
        _logs.Append(parts.Directory.DeadLetters, DeadLetterLine.Of(letter));
        context.Instruments.Died(letter.Code);
        _counts = _counts with { Dead = _counts.Dead + 1 };
        _outcomes.Died(letter, _version, _epoch);
    }

    private void Announce(IReadOnlyList<BlockReissued> reissued)
    {
        foreach (var notice in reissued)
        {
            _lettersDue.UnionWith(notice.Deaths.Select(death => death.Slot));
            _authority!.Announce(notice);
        }
        ScheduleLeases();
    }

    // Leases are spans: a clock on the wall that is put right neither ends nor lengthens one.
    private DateTimeOffset Now => _startedAt + context.Clock.GetElapsedTime(_started);

    private void ScheduleLeases()
    {
        _leases?.Dispose();
        if (_ledger!.NextExpiry is { } expiry)
            _leases = context.Schedule(expiry - Now is var due && due > TimeSpan.Zero ? due : TimeSpan.Zero, new LearnerMessage.LeasesDue());
    }

    private void Commit()
    {
        using var activity = Tracing.Start(Tracing.Checkpoint);
        activity?.SetTag("massdpo.version", _version);
        var began = context.Clock.GetTimestamp();
        _logs.Rotate(_version);
        // The logs first, and what others are told: a checkpoint may only name what is durable.
        _logs.Sync();
        _outcomes.Flush();
        var state = new CheckpointState(_version, _epoch, _trainer!.Steps, _settled, _logs.Marks, _counts,
            new SortedDictionary<long, long>(_lags), options.Identity, _publishedHash);
        _store.Write(state, _trainer.Weights.Tensors, _trainer.OptimizerState, _trainer.Reference.Weights, _logs.Bases);
        _lastCheckpoint = _version;
        // Neither log goes while no checkpoint covers it.
        if (_logs.FirstToKeep is { } begin && _store.List().Any(name => name.Version == begin && _store.IsWhole(name, NoteDamage)))
            _logs.DropBefore(begin);
        context.Instruments.Committed(began);
        _authority?.Announce(new CheckpointWritten(_epoch, _version, _settled.Copy()));
        if (_version > parts.Lives.Committed)
            parts.Lives.Failures.Clear();
        parts.Lives.Committed = Math.Max(parts.Lives.Committed, _version);
    }

    private void End(bool stopped)
    {
        _ended = true;
        _open = false;
        _leases?.Dispose();
        context.Lacks("the run has ended");
        Commit();
        PolicyDirectory.SaveLike(parts.Origin, parts.Directory.Policy, parts.Directory.Files, _trainer!.Weights);
        _authority?.Announce(new LearnerStopped(_epoch, stopped ? "the learner was asked to stop" : "the input has ended", InputEnded: !stopped));
        parts.Ended(new LearnerOutcome(stopped, _version, _publishedHash, _counts, _countsAtStart, _lags, _notes));
    }
}
