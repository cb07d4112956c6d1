using MassDpo.Kafka.Input;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Tests.Input;

/// <summary>
/// What a learner and its intakes do with sources, and nothing else: epochs open with what is settled, a change opens the next one. It holds the rules of an
/// epoch: no position comes twice in one, none that was settled when it opened counts, each share is read from its watermark without a hole.
/// </summary>
internal sealed class ModelRun
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly List<Intake> _intakes = [];
    private readonly SettledPositions _settled;
    private readonly HashSet<Position> _inEpoch = [];
    private Epoch _epoch = new(0, new SettledPositions());
    private TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ModelRun(SettledPositions? settled = null) => _settled = settled ?? new SettledPositions();

    public int Epochs => _epoch.Number;

    /// <summary>Positions trained on, in order.</summary>
    public List<Position> Applied { get; } = [];

    public List<SourceEntry.Skipped> Skipped { get; } = [];

    public SettledPositions Settled
    {
        get
        {
            lock (_lock)
                return _settled.Copy();
        }
    }

    /// <summary>An intake comes, which opens an epoch.</summary>
    public Intake Join(KafkaSource source)
    {
        var intake = new Intake(source);
        lock (_lock)
        {
            _intakes.Add(intake);
            Open();
        }
        intake.Reading = ReadAsync(intake);
        return intake;
    }

    /// <summary>An intake goes in order: its source gives its partitions away first.</summary>
    public async Task LeaveAsync(Intake intake)
    {
        await intake.Source.CloseAsync();
        await StopAsync(intake);
    }

    /// <summary>An intake is gone at once.</summary>
    public async Task StopAsync(Intake intake)
    {
        intake.Gone.Cancel();
        await intake.Reading;
        lock (_lock)
            _intakes.Remove(intake);
        await intake.Source.DisposeAsync();
    }

    public async Task StopAllAsync()
    {
        foreach (var intake in _intakes.ToList())
            await StopAsync(intake);
    }

    /// <summary>Waits until something is so that is looked at whenever anything is heard.</summary>
    public async Task UntilAsync(Func<bool> isSo)
    {
        var stopwatch = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            Task next;
            lock (_lock)
            {
                foreach (var intake in _intakes)
                    if (intake.Reading is { IsFaulted: true, Exception: var failure })
                        throw failure;
                if (isSo())
                    return;
                next = _heard.Task;
            }
            if (stopwatch.Elapsed > Patience)
                throw new TimeoutException($"epoch {_epoch.Number}, {Applied.Count} applied, shares: {string.Join("; ", _intakes.Select(intake => string.Join(",", intake.Share?.Sources ?? ["none"])))}");
            await Task.WhenAny(next, Task.Delay(1000));
        }
    }

    /// <summary>Waits until these shares have been said in the newest epoch.</summary>
    public Task UntilSharedAsync(params int[] partitions) =>
        UntilAsync(() => _intakes.All(intake => intake.Epoch == _epoch.Number) && _intakes.Select(intake => intake.Share?.Sources.Count ?? 0).Order().SequenceEqual(partitions.Order()));

    private async Task ReadAsync(Intake intake)
    {
        while (!intake.Gone.IsCancellationRequested)
        {
            Epoch epoch;
            lock (_lock)
            {
                epoch = _epoch;
                (intake.Epoch, intake.Share, intake.HasEnded) = (epoch.Number, null, false);
            }
            using var either = CancellationTokenSource.CreateLinkedTokenSource(epoch.Over.Token, intake.Gone.Token);
            try
            {
                await foreach (var entry in intake.Source.ReadAsync(epoch.Settled, either.Token))
                    lock (_lock)
                        Hear(intake, epoch, entry);
            }
            catch (OperationCanceledException) when (either.IsCancellationRequested)
            {
            }
        }
    }

    private void Hear(Intake intake, Epoch epoch, SourceEntry entry)
    {
        if (epoch != _epoch)
            return;
        switch (entry)
        {
            case SourceEntry.Share share:
                Assert.Null(intake.Share);
                intake.Share = share.Sources;
                // Nobody else reads them in this epoch.
                Assert.All(share.Sources.Sources, source => Assert.DoesNotContain(source, _intakes.Where(other => other != intake && other.Epoch == epoch.Number).SelectMany(other => other.Share?.Sources ?? [])));
                intake.Next = share.Sources.Sources.ToDictionary(source => source, source => epoch.Settled.Watermark(source).Index);
                break;
            case SourceEntry.Skipped skipped:
                Advance(intake, skipped.Position, skipped.To);
                _settled.AddRange(skipped.Position, skipped.To);
                Skipped.Add(skipped);
                break;
            case SourceEntry.Bytes record:
                Advance(intake, record.Position, record.Position.Index + 1);
                intake.Entries.Add(record);
                Assert.True(_inEpoch.Add(record.Position), $"{record.Position} came twice in epoch {epoch.Number}");
                if (_settled.Add(record.Position))
                    Applied.Add(record.Position);
                break;
            case SourceEntry.Changed:
                Open();
                break;
            case SourceEntry.Ended:
                intake.HasEnded = true;
                break;
        }
        Interlocked.Exchange(ref _heard, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    private static void Advance(Intake intake, Position from, long to)
    {
        Assert.Equal((intake.Next[from.Source], 0), (from.Index, from.Pass));
        intake.Next[from.Source] = to;
    }

    private void Open()
    {
        var before = _epoch;
        _inEpoch.Clear();
        _epoch = new Epoch(before.Number + 1, _settled.Copy());
        // Not under the lock: who reads goes on at once.
        _ = Task.Run(before.Over.Cancel);
    }

    internal sealed class Intake(KafkaSource source)
    {
        public KafkaSource Source => source;

        public CancellationTokenSource Gone { get; } = new();

        public Task Reading { get; set; } = Task.CompletedTask;

        public int Epoch { get; set; }

        public InputShare? Share { get; set; }

        public bool HasEnded { get; set; }

        public Dictionary<string, long> Next { get; set; } = [];

        public List<SourceEntry.Bytes> Entries { get; } = [];
    }

    private sealed record Epoch(int Number, SettledPositions Settled)
    {
        public CancellationTokenSource Over { get; } = new();
    }
}
