using System.Runtime.CompilerServices;
using MassDpo.Kafka.Input;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>
/// Records of a topic in a simulated log, shared with others by a group, on one thread: what <c>KafkaSource</c> is, with its own parts where those need no client
/// (<see cref="Reading"/>, <see cref="PartitionStart"/>, <see cref="RecordDecoders"/>).
/// </summary>
public sealed class LogSource : IRecordSource
{
    private readonly SimulatedGroup _group;
    private readonly KafkaSourceOptions _options;
    private readonly RecordDecoders _decoders = new();
    private readonly SortedSet<int> _assigned = [];
    private readonly Dictionary<int, long> _starts = [];
    // Where each partition of the reading was last seen to end.
    private readonly Dictionary<int, long> _told = [];
    private readonly List<Action> _releases = [];
    private readonly TaskCompletionSource _closed = new();
    private readonly int _total;
    private Reading? _next;
    private Reading? _reading;
    private Exception? _failure;
    private bool _isStepPosted;
    private bool _closing;

    public LogSource(LogClient client, SimulatedGroup group, KafkaSourceOptions options)
    {
        (Client, _group, _options) = (client, group, options);
        _total = client.Log.CountPartitions(options.Topic);
        Join();
        _ = WatchAsync();
    }

    public LogClient Client { get; }

    /// <summary>Where a partition ends, as far as a reading goes; to be replaced where a defect is planted.</summary>
    public Func<LogPartition, long> EndOf { get; init; } = partition => partition.High;

    public string Name => _options.Topic;

    public string Identity => KafkaSource.IdentityOf(_options.Topic);

    public bool IsShared => true;

    public long? EstimatedRecords => null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (_failure is not null)
            throw new InvalidDataException(_failure.Message, _failure);
        var reading = _next = new Reading(settled, Client.Lane.Clock.GetTimestamp(), _options, Pulse);
        Pulse();
        await foreach (var entries in reading.BatchesAsync(cancellation))
            foreach (var entry in entries)
            {
                if (reading.IsChanged && entry is not SourceEntry.Changed)
                    break;
                reading.Took(entry);
                yield return entry;
            }
    }

    /// <inheritdoc/>
    public void Commit(SettledPositions settled)
    {
        foreach (var partition in _assigned.Where(partition => settled.Knows(SourceOf(partition))))
            Commit(partition, settled.Watermark(SourceOf(partition)).Index);
    }

    /// <summary>Commits an offset for others to see.</summary>
    public void Commit(int partition, long offset) => Client.Call("offsets", partition, () => Client.Log.Commit(_options.Group, _options.Topic, partition, offset));

    /// <summary>Gives all partitions away as when others want them, and leaves the group.</summary>
    public Task CloseAsync()
    {
        // A second wish for it waits for the first.
        if (_closing)
            return _closed.Task;
        _closing = true;
        GiveAway([.. _assigned], () =>
        {
            Client.Call("group", 0, () => _group.Leave(this));
            _closed.TrySetResult();
        });
        return _closed.Task;
    }

    public ValueTask DisposeAsync()
    {
        _closing = true;
        Client.Call("group", 0, () => _group.Leave(this));
        return ValueTask.CompletedTask;
    }

    /// <summary>Partitions have come.</summary>
    internal void Gain(IReadOnlyList<int> partitions)
    {
        if (_closing)
            return;
        if (partitions.Any(partition => partition >= _total))
        {
            Fail(Regrown());
            return;
        }
        _assigned.UnionWith(partitions);
        if (_reading is { HasBegun: true } reading)
            reading.Change();
        Pulse();
    }

    /// <summary>Partitions are to go: once nobody holds records of them any more, or it has taken too long.</summary>
    internal void GiveAway(IReadOnlyList<int> partitions, Action release)
    {
        if (!Forget(partitions))
        {
            release();
            return;
        }
        var isReleased = false;
        void Once()
        {
            if (isReleased)
                return;
            isReleased = true;
            release();
        }
        _releases.Add(Once);
        Client.Lane.Clock.CreateTimer(_ =>
        {
            if (!isReleased)
                _group.LetDown(this);
            Once();
        }, null, _options.HandOver, Timeout.InfiniteTimeSpan);
        Pulse();
    }

    /// <summary>Partitions are gone: others have them already.</summary>
    internal void Lost(IReadOnlyList<int> partitions)
    {
        Forget(partitions);
        Join();
    }

    private void Join() => Client.Call("group", 0, () => _group.Join(this));

    // Whether somebody may hold records of them.
    private bool Forget(IReadOnlyList<int> partitions)
    {
        _assigned.ExceptWith(partitions);
        if (_failure is not null || _next is not null || _reading is not { HasBegun: true, IsLeft: false } reading || !partitions.Any(reading.Partitions.ContainsKey))
            return false;
        reading.Change();
        return true;
    }

    private async Task WatchAsync()
    {
        while (!Client.IsDead && !(_closing && _closed.Task.IsCompleted))
        {
            await Client.Log.Change();
            Pulse();
        }
    }

    private void Pulse()
    {
        if (_isStepPosted || Client.IsDead)
            return;
        _isStepPosted = true;
        Client.Lane.Post(Step);
    }

    private void Step()
    {
        _isStepPosted = false;
        if (_failure is not null)
            return;
        if (_next is not null)
            (_reading, _next) = (_next, null);
        if (_reading is null or { IsLeft: true } or { HasBegun: false })
            ReleaseAll();
        try
        {
            if (_reading is { HasBegun: false, IsLeft: false } beginning && _assigned.Count > 0 && Client.IsReached)
                Begin(beginning);
            if (_reading is { IsOpen: true } reading && Client.IsReached)
                Fetch(reading);
        }
        catch (InvalidDataException e)
        {
            Fail(e);
        }
    }

    private void ReleaseAll()
    {
        var releases = _releases.ToList();
        _releases.Clear();
        foreach (var release in releases)
            release();
    }

    private void Begin(Reading reading)
    {
        if (Client.Lane.Clock.GetElapsedTime(reading.Began) > _options.HandOver)
        {
            reading.Change();
            return;
        }
        if (Client.Log.CountPartitions(_options.Topic) != _total)
            throw Regrown();
        _told.Clear();
        var starts = _assigned.ToDictionary(partition => partition, partition =>
        {
            var held = Client.Log.At(_options.Topic, partition);
            return PartitionStart.Of(SourceOf(partition), reading.Settled, held.Low, held.High, () => _starts.TryGetValue(partition, out var start) ? start : _starts[partition] = held.Low);
        });
        foreach (var (partition, start) in starts)
            reading.Partitions[partition] = new PartitionReading(SourceOf(partition), start.Next, Client.Log.At(_options.Topic, partition).High);
        reading.Write(new SourceEntry.Share(default, new InputShare([.. _assigned.Select(SourceOf)], _total)));
        foreach (var skipped in starts.Values.SelectMany(start => start.Skipped))
            reading.Write(skipped);
        reading.HandOver();
    }

    // One thing of a partition that has some, which is by chance.
    private void Fetch(Reading reading)
    {
        if (reading.IsAhead && reading.AwaitsRoom())
            return;
        var ready = reading.Partitions.Where(partition => !partition.Value.HasEnded && (_told.GetValueOrDefault(partition.Key, -1) < EndOf(Held(partition.Key)))).Select(partition => partition.Key).ToList();
        if (ready.Count == 0)
        {
            reading.HandOver();
            return;
        }
        var drawn = ready[Client.Log.Below(ready.Count)];
        Take(reading, drawn, reading.Partitions[drawn]);
        reading.HandOver();
        Pulse();
    }

    private void Take(Reading reading, int number, PartitionReading partition)
    {
        var held = Held(number);
        if (partition.Next < held.Low)
            reading.Write(partition.Lose(held.Low));
        var offset = partition.Next;
        while (offset < EndOf(held) && held[offset] is null)
            offset++;
        if (offset >= EndOf(held))
        {
            _told[number] = EndOf(held);
            if (partition.TellEnd(offset) is { } absent)
                reading.Write(absent);
            if (reading.Partitions.Values.All(one => one.HasEnded))
                reading.End();
            return;
        }
        if (!partition.MoveOver(offset))
            return;
        var record = held[offset]!;
        var headers = RecordHeaders.Of(record.Headers);
        if (headers.IsEnd)
        {
            partition.Mark(offset);
            return;
        }
        if (partition.TellRecord(offset) is { } skipped)
            reading.Write(skipped);
        reading.Write(_decoders.Entry(partition.Source, offset, record.Value, headers, null, _options.MaxRecordBytes));
    }

    private void Fail(Exception failure)
    {
        _failure = failure;
        _group.LetDown(this);
        _reading?.Fail(failure);
        _next?.Fail(failure);
        ReleaseAll();
    }

    private LogPartition Held(int partition) => Client.Log.At(_options.Topic, partition);

    private InvalidDataException Regrown() =>
        new($"topic '{_options.Topic}' has {Client.Log.CountPartitions(_options.Topic)} partitions, and had {_total} when it was opened. Start all processes of the run again to read all of them");

    private string SourceOf(int partition) => $"{_options.Topic}/{partition}";
}
