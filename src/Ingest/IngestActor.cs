using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.Shared.Telemetry;

namespace MassDpo.Ingest;

/// <summary>What an intake may hold.</summary>
/// <param name="Name">of this intake, unique among all</param>
/// <param name="Window">records held at most, with slots and without: more than (s+1)·B, so that the next batch is read while one is trained</param>
public sealed record IngestOptions(string Name, int Window)
{
    /// <summary>Whether it may go on with what another process's intake held: then what is settled is asked for anew when it begins.</summary>
    public bool TakesOver { get; init; }
}

/// <summary>What an <see cref="IngestActor"/> is told.</summary>
public abstract record IngestMessage
{
    /// <summary>The learner told something.</summary>
    internal sealed record Noticed(ControlNotice Notice) : IngestMessage;

    /// <summary>There may be room or records to read on.</summary>
    internal sealed record ReadOn : IngestMessage;
}

/// <summary>
/// An intake: reads a source of validated records, and hands pools to selectors as fast as the learner grants slots.
/// States: no epoch yet (holds nothing); reading (records in hand, blocks granted); ended (all read, blocks may still be handed out again); stopped.
/// It persists nothing: on a new epoch it drops what it holds, starts again at the watermark of what is settled and skips the rest of it. After a
/// restart it asks the learner for a new epoch, for the same reason. It holds a granted block until its batch is closed, so that the block can be
/// handed out again. A record that cannot be used goes to the learner as a dead letter, which settles its position.
/// </summary>
public sealed class IngestActor(IActorContext<IngestMessage> context, ValidatedSource source, IControlLink control, IPoolsLink pools,
    IngestOptions options) : Actor<IngestMessage>
{
    // Entries read in one go: what the learner tells meanwhile has to wait.
    private const int Turn = 32;

    private readonly Queue<CandidatePool> _inHand = new();
    private readonly SortedDictionary<long, PoolBlock> _granted = [];
    private readonly List<PassEnd> _passEnds = [];
    private IDisposable? _membership;
    private IAsyncEnumerator<ValidatedEntry>? _entries;
    private CancellationTokenSource? _reading;
    private Task<bool>? _pending;
    private InputShare _share = InputShare.All(source.Name);
    private long _epoch = -1;
    private long _offered;
    // The share is read to its end, which the learner is told; and whether nothing at all follows.
    private bool _ended;
    private bool _over;
    // Nothing more is read in this epoch: the learner has stopped, or the source has been given other parts.
    private bool _stopped;
    private bool _readOnPosted;

    private int Held => _inHand.Count + _granted.Values.Sum(block => block.Pools.Count);

    public override async ValueTask StartAsync(CancellationToken cancellation)
    {
        // Before anything else: what an earlier incarnation held is lost, and the learner must not count on it.
        context.Lacks("no epoch is open");
        await control.SendAsync(new IntakeReady(options.Name, context.Incarnation, source.IsShared || options.TakesOver), cancellation);
        _membership = control.Join(options.Name, notice => context.Self.Post(new IngestMessage.Noticed(notice)));
    }

    public override async ValueTask ReceiveAsync(IngestMessage message, CancellationToken cancellation)
    {
        switch (message)
        {
            case IngestMessage.Noticed { Notice: EpochOpened opened } when opened.Epoch > _epoch:
                await OpenAsync(opened, cancellation);
                break;
            case IngestMessage.Noticed { Notice: SlotsGranted granted } when granted.Epoch == _epoch && granted.Intake == options.Name:
                await FillAsync(granted.Block, cancellation);
                break;
            case IngestMessage.Noticed { Notice: BlockReissued reissued } when reissued.Epoch == _epoch && reissued.Intake == options.Name:
                await ReissueAsync(reissued, cancellation);
                break;
            case IngestMessage.Noticed { Notice: BatchClosed closed } when closed.Epoch == _epoch:
                foreach (var first in _granted.Where(block => block.Value.Block.Batch < closed.Version).Select(block => block.Key).ToList())
                    _granted.Remove(first);
                break;
            case IngestMessage.Noticed { Notice: CheckpointWritten written } when written.Epoch == _epoch:
                source.Commit(written.Settled);
                break;
            case IngestMessage.Noticed { Notice: LearnerStopped stopped } when stopped.Epoch == _epoch:
                _stopped = true;
                context.Lacks("no epoch is open: the learner has stopped");
                break;
            case IngestMessage.ReadOn:
                _readOnPosted = false;
                await ReadAsync(cancellation);
                return;
        }
        // After the notices that are here already: a selector may wait for what they grant.
        PostReadOn();
    }

    public override async ValueTask StopAsync()
    {
        _membership?.Dispose();
        await CloseEntriesAsync();
    }

    private async ValueTask OpenAsync(EpochOpened opened, CancellationToken cancellation)
    {
        await CloseEntriesAsync();
        _inHand.Clear();
        _granted.Clear();
        _passEnds.Clear();
        (_epoch, _offered, _ended, _over, _stopped) = (opened.Epoch, 0, false, false, false);
        _share = InputShare.All(source.Name);
        _reading = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _entries = source.ReadAsync(opened.Settled, _reading.Token).GetAsyncEnumerator(_reading.Token);
        context.Instruments.Entered(options.Name, _epoch);
        context.Instruments.InHand(0);
        context.Lacks(null);
    }

    private async ValueTask FillAsync(SlotBlock block, CancellationToken cancellation)
    {
        // The learner counts on what an incarnation before this one offered: the epoch that this one asked for is on its way.
        if (_inHand.Count < block.Count && context.Incarnation > 1)
            return;
        if (_inHand.Count < block.Count)
            throw new InvalidOperationException($"granted {block}, but only {_inHand.Count} records are in hand");
        var records = new CandidatePool?[block.Count];
        for (var i = 0; i < records.Length; i++)
            records[i] = _inHand.Dequeue();
        context.Instruments.InHand(_inHand.Count);
        await HandOnAsync(block, records, cancellation);
    }

    private async ValueTask ReissueAsync(BlockReissued reissued, CancellationToken cancellation)
    {
        if (!_granted.TryGetValue(reissued.Block.First, out var block) || block.Block.Attempt >= reissued.Block.Attempt)
            return;
        var records = block.Pools.ToArray();
        foreach (var death in reissued.Deaths)
        {
            var row = death.Slot - reissued.Block.First;
            if (records[row] is not { } dead)
                continue;
            var letter = new DeadLetter(dead.Position, death.Code, death.Reason, dead.Origin);
            await control.SendAsync(new PositionDead(options.Name, _epoch, letter, death.Slot), cancellation);
            records[row] = null;
        }
        await HandOnAsync(reissued.Block, records, cancellation);
    }

    private async ValueTask HandOnAsync(SlotBlock block, CandidatePool?[] records, CancellationToken cancellation)
    {
        using var activity = Tracing.IsOn ? Tracing.Start(Tracing.Ingest, records.Select(record => record?.Trace)) : null;
        activity?.SetTag("massdpo.block", block.ToString());
        _granted[block.First] = new PoolBlock(block, records) { Trace = activity?.Id };
        await pools.OfferAsync(_granted[block.First], cancellation);
    }

    private async ValueTask ReadAsync(CancellationToken cancellation)
    {
        if (_entries is null || _over || _stopped)
            return;
        var (offeredBefore, ends, endedBefore) = (_offered, _passEnds.Count, _ended);
        for (var read = 0; read < Turn && !_over && !_stopped && Held < options.Window; read++)
        {
            if (!TryAdvance(cancellation, out var hasEntry))
                break;
            if (!hasEntry)
                _ended = _over = true;
            else
                await TakeAsync(_entries.Current, cancellation);
            if (read == Turn - 1)
                PostReadOn();
        }
        context.Instruments.InHand(_inHand.Count);
        if (_offered != offeredBefore || _ended != endedBefore || _passEnds.Count != ends)
            await control.SendAsync(new SlotRequest(options.Name, _epoch, _offered, [.. _passEnds], _ended, _share), cancellation);
    }

    private async ValueTask TakeAsync(ValidatedEntry entry, CancellationToken cancellation)
    {
        switch (entry.Entry)
        {
            case SourceEntry.PassEnd end:
                _passEnds.Add(new PassEnd(end.Position.Source, end.Position.Pass, end.Position.Index));
                return;
            case SourceEntry.Skipped skipped:
                await control.SendAsync(new PositionsSkipped(options.Name, _epoch, skipped.Position, skipped.To, skipped.Reason), cancellation);
                return;
            case SourceEntry.Share share:
                _share = share.Sources;
                return;
            case SourceEntry.Ended:
                _ended = true;
                return;
            case SourceEntry.Changed:
                _stopped = true;
                await control.SendAsync(new IntakeChanged(options.Name, _epoch), cancellation);
                return;
        }
        entry.Failure?.Throw();
        if (entry.Dead is { } dead)
            await control.SendAsync(new PositionDead(options.Name, _epoch, dead), cancellation);
        if (entry.Pool is not { } pool)
            return;
        _inHand.Enqueue(pool);
        _offered++;
    }

    // Moves on without waiting: a source that has nothing yet posts a message when it has.
    private bool TryAdvance(CancellationToken cancellation, out bool hasEntry)
    {
        hasEntry = false;
        if (_pending is null)
        {
            var move = Move();
            if (move.IsCompleted)
            {
                hasEntry = Result(move.AsTask());
                return true;
            }
            _pending = move.AsTask();
            _ = WakeAsync(_pending);
            return false;
        }
        if (!_pending.IsCompleted)
            return false;
        hasEntry = Result(_pending);
        _pending = null;
        return true;

        ValueTask<bool> Move()
        {
            try
            {
                return _entries!.MoveNextAsync();
            }
            catch (Exception e) when (!IsStop(e))
            {
                throw Unreadable(e);
            }
        }

        bool Result(Task<bool> move)
        {
            try
            {
                return move.GetAwaiter().GetResult();
            }
            catch (Exception e) when (!IsStop(e))
            {
                throw Unreadable(e);
            }
        }

        bool IsStop(Exception e) => e is OperationCanceledException && cancellation.IsCancellationRequested;
    }

    // No restart mends a source: what was applied is kept, and the run stops with the reason.
    private FatalActorException Unreadable(Exception e) => new($"source '{source.Name}' cannot be read: {e.Message}", e);

    private async Task WakeAsync(Task<bool> pending)
    {
        try
        {
            await pending;
        }
        catch (Exception)
        {
            // Whoever reads on sees it.
        }
        context.Self.Post(new IngestMessage.ReadOn());
    }

    private void PostReadOn()
    {
        if (_readOnPosted)
            return;
        _readOnPosted = true;
        context.Self.Post(new IngestMessage.ReadOn());
    }

    private async ValueTask CloseEntriesAsync()
    {
        if (_entries is null)
            return;
        _reading!.Cancel();
        // An enumerator may not be disposed while it moves, and one that waits may not heed that it is cancelled: it is left to end by itself.
        if (_pending is null or { IsCompleted: true })
            await _entries.DisposeAsync();
        else
            _ = AbandonAsync(_pending, _entries);
        _reading.Dispose();
        (_entries, _reading, _pending) = (null, null, null);
    }

    private static async Task AbandonAsync(Task<bool> pending, IAsyncEnumerator<ValidatedEntry> entries)
    {
        try
        {
            await pending;
        }
        catch (Exception)
        {
            // It was cancelled, or failed on what nobody waits for any more.
        }
        await entries.DisposeAsync();
    }
}
