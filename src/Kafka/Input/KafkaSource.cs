using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Input;

/// <summary>
/// Records of a topic, shared with others by a consumer group whose assignments change piece by piece (cooperative-sticky). A position is (topic/partition, 0,
/// offset). What is settled is known from who reads: committed offsets follow it, and are never read from, unless <see cref="StartKind.Committed"/> asks for
/// them once. One thread of its own runs the consumer. A reading says its share first, then reads each partition from the first position that is not settled.
/// When partitions come or are to go, the reading says <see cref="SourceEntry.Changed"/>; those that are to go are kept until the next reading has begun without
/// them, so that what was granted of them is trained on before anybody else reads them, or until a deadline.
/// An outage of the cluster is waited out; a topic that is deleted, made anew or given more partitions ends a reading with the reason.
/// </summary>
public sealed class KafkaSource : IRecordSource
{
    // Before version 2.3 librdkafka ends the whole process where a cooperative consumer is closed or freed to which nothing was ever assigned (its issue 4312).
    // One that has left its group does no harm: it stays until the process ends.
    private const int FirstThatCanBeFreed = 0x020300ff;
    private static readonly List<IDisposable> Left = [];

    private const int SessionTimeoutMs = 10_000;

    // What the client fetches ahead. It sleeps for up to a second when it has that much: twice its own 64 MiB is what is read meanwhile at best.
    private const int FetchedAheadKbytes = 128 << 10;

    private const int LeavingTurns = 10;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RoomPatience = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(15);

    // What the protocol asks for these with.
    private static readonly Timestamp FirstHeld = new(-2, TimestampType.CreateTime);
    private static readonly Timestamp AfterLast = new(-1, TimestampType.CreateTime);

    private readonly KafkaOptions _client;
    private readonly KafkaSourceOptions _options;
    private readonly TimeProvider _clock;
    private readonly RecordDecoders _decoders = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Guards what other threads see of the consumer's; pulsed whenever it may go on.
    private readonly object _gate = new();
    private readonly SortedSet<int> _assigned = [];
    // Where partitions begin of which nothing was settled: decided once.
    private readonly Dictionary<int, long> _starts = [];
    private IConsumer<byte[]?, byte[]?>? _consumer;
    private volatile Reading? _next;
    private volatile Reading? _reading;
    private Exception? _failure;
    private IReadOnlyList<TopicPartitionOffset>? _toCommit;
    private Task _committing = Task.CompletedTask;
    private int _total;
    private bool _flows;
    private bool _hasGained;
    private volatile bool _closing;
    private volatile bool _closingNow;
    private string? _trouble;
    private volatile IOException? _refused;

    private KafkaSource(KafkaOptions client, KafkaSourceOptions options, TimeProvider clock) => (_client, _options, _clock) = (client, options, clock);

    /// <summary>Reaches the cluster, finds the topic and joins the group.</summary>
    /// <exception cref="InvalidDataException">no server is named, or librdkafka does not know a property</exception>
    /// <exception cref="IOException">the cluster cannot be reached or refuses, or has no such topic</exception>
    public static async Task<KafkaSource> OpenAsync(KafkaOptions client, KafkaSourceOptions options, TimeProvider clock, CancellationToken cancellation)
    {
        var source = new KafkaSource(client, options, clock);
        new Thread(source.Run) { IsBackground = true, Name = $"massdpo-kafka-{options.Topic}" }.Start();
        try
        {
            await source._opened.Task.WaitAsync(cancellation);
            return source;
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    /// <summary>The topic's.</summary>
    public string Name => _options.Topic;

    /// <summary>The topic: what stands in it is not looked at.</summary>
    public string Identity => IdentityOf(_options.Topic);

    /// <summary>What the records of a topic are to a run: another topic is another run's. How many partitions it has may change.</summary>
    public static string IdentityOf(string topic) => $"topic {topic}";

    public bool IsShared => true;

    /// <summary>Null: a topic has no end.</summary>
    public long? EstimatedRecords => null;

    /// <summary>Partitions that the topic has.</summary>
    public int TotalPartitions => _total;

    /// <summary>Partitions that this source has now.</summary>
    public int AssignedPartitions
    {
        get
        {
            lock (_gate)
                return _assigned.Count;
        }
    }

    /// <summary>Per partition of the reading going on, the offsets that it has and that are not read yet, as far as is known.</summary>
    public IReadOnlyDictionary<int, long> Lag
    {
        get
        {
            lock (_gate)
            {
                var lags = new SortedDictionary<int, long>();
                if (_consumer is null || _reading is not { } reading)
                    return lags;
                foreach (var (partition, at) in reading.Partitions)
                    if (_assigned.Contains(partition))
                        lags[partition] = Math.Max(0, Math.Max(at.High, _consumer.GetWatermarkOffsets(Of(partition)).High.Value) - at.Next);
                return lags;
            }
        }
    }

    /// <summary>Reads what is not settled of the partitions assigned; waits while there are none. A reading before this one gets nothing more.</summary>
    /// <exception cref="IOException">the topic cannot be read any more</exception>
    /// <exception cref="InvalidDataException">what is settled does not fit the topic</exception>
    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var reading = new Reading(settled, _clock.GetTimestamp(), _options, Pulse);
        lock (_gate)
        {
            if (_failure is not null)
                throw Again(_failure);
            _next = reading;
            Monitor.PulseAll(_gate);
        }
        await foreach (var entries in reading.BatchesAsync(cancellation))
            foreach (var entry in entries)
            {
                if (reading.IsChanged && entry is not SourceEntry.Changed)
                    break;
                reading.Took(entry);
                yield return entry;
            }
    }

    /// <summary>Commits the watermarks of the partitions assigned, some time; what goes wrong is told to <see cref="KafkaSourceOptions.Warn"/> alone.</summary>
    public void Commit(SettledPositions settled)
    {
        lock (_gate)
        {
            if (_consumer is null)
                return;
            _toCommit = [.. _assigned.Where(partition => settled.Knows(SourceOf(partition))).Select(partition => new TopicPartitionOffset(Of(partition), settled.Watermark(SourceOf(partition)).Index))];
            if (_committing.IsCompleted)
                _committing = Task.Run(CommitNewest);
        }
    }

    /// <summary>Gives all partitions away as when others want them, and leaves the group. A reading after this waits for ever.</summary>
    public async Task CloseAsync()
    {
        _closing = true;
        Pulse();
        try
        {
            // On no clock but the system's: it is the client library that is waited for.
            await _finished.Task.WaitAsync(_options.HandOver + LeavePatience);
        }
        catch (TimeoutException)
        {
            _options.Warn($"group '{_options.Group}' could not be left in order: the client does not stop. Others get its partitions when its session has timed out");
        }
    }

    /// <summary>Leaves the group at once.</summary>
    public async ValueTask DisposeAsync()
    {
        _closingNow = true;
        await CloseAsync();
    }

    private void Run()
    {
        IConsumer<byte[]?, byte[]?>? consumer = null;
        try
        {
            consumer = Build();
            _total = FindTopic(consumer);
            lock (_gate)
                _consumer = consumer;
            consumer.Subscribe(_options.Topic);
            _opened.TrySetResult();
            while (!_closing)
                Step(consumer);
        }
        catch (OperationCanceledException) when (_closing)
        {
            _opened.TrySetCanceled();
        }
        catch (Exception e)
        {
            Fail(e);
        }
        finally
        {
            // The client does not stop while it stands on partitions of a topic that is gone: nobody is to wait for that.
            if (_failure is not null)
                _finished.TrySetResult();
            Leave(consumer);
            _finished.TrySetResult();
        }
    }

    private IConsumer<byte[]?, byte[]?> Build()
    {
        return _client.Build(() =>
        {
            var config = new ConsumerConfig(_client.Client($"massdpo-{_options.Group}"));
            // The client's 45 s would be how long the records of a process that was killed wait for another.
            config.SessionTimeoutMs ??= SessionTimeoutMs;
            config.QueuedMaxMessagesKbytes ??= FetchedAheadKbytes;
            // The topic is known: its name need not be made anew for each message.
            config.ConsumeResultFields = "headers,timestamp";
            config.GroupId = _options.Group;
            config.EnableAutoCommit = false;
            config.EnableAutoOffsetStore = false;
            config.EnablePartitionEof = true;
            config.AutoOffsetReset = AutoOffsetReset.Error;
            config.PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky;
            return new ConsumerBuilder<byte[]?, byte[]?>(config)
                .SetLogHandler((_, _) => { })
                .SetErrorHandler((_, error) => Hear(error))
                .SetPartitionsAssignedHandler((_, partitions) => Gain(partitions))
                .SetPartitionsRevokedHandler((_, partitions) => GiveAway(partitions))
                .SetPartitionsLostHandler((_, partitions) => Forget(partitions))
                .Build();
        });
    }

    private int FindTopic(IConsumer<byte[]?, byte[]?> consumer)
    {
        var started = _clock.GetTimestamp();
        while (true)
        {
            if (_closing)
                throw new OperationCanceledException();
            string reason;
            try
            {
                var topic = Metadata(consumer, TimeSpan.FromSeconds(1));
                if (!topic.Error.IsError && topic.Partitions.Count > 0)
                    return topic.Partitions.Count;
                if (IsFinal(topic.Error))
                    throw Refusal(topic.Error);
                reason = topic.Error.Reason;
            }
            catch (KafkaException e) when (!IsFinal(e.Error))
            {
                reason = e.Error.Reason;
            }
            // Serves what the client has to tell of its connections.
            consumer.Consume(Tick);
            if (_refused is { } refused)
                throw refused;
            if (_clock.GetElapsedTime(started) >= _options.Patience)
                throw new IOException($"{_client.Bootstrap} was not reached in {_options.Patience.TotalSeconds:0.#} s: {_client.Redact(_trouble ?? reason)}. Is kafka.bootstrap (--bootstrap) right, and do TLS and "
                    + "SASL in kafka.client fit what the servers want?");
        }
    }

    private TopicMetadata Metadata(IConsumer<byte[]?, byte[]?> consumer, TimeSpan timeout)
    {
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        return admin.GetMetadata(_options.Topic, timeout).Topics.Single();
    }

    private void Step(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (_refused is { } refused)
            throw refused;
        if (_next is not null)
            lock (_gate)
                (_reading, _next) = (_next, null);
        var reading = _reading;
        if (reading is { HasBegun: false, IsLeft: false } && _assigned.Count > 0)
            Begin(consumer, reading);
        Flow(consumer, reading);
        ConsumeResult<byte[]?, byte[]?>? result;
        try
        {
            result = consumer.Consume(TimeSpan.Zero);
            if (result is null)
            {
                reading?.HandOver();
                result = consumer.Consume(Tick);
            }
        }
        catch (ConsumeException e) when (e.Error.Code is ErrorCode.Local_AutoOffsetReset or ErrorCode.OffsetOutOfRange)
        {
            Recover(consumer, reading, e.ConsumerRecord.Partition.Value);
            return;
        }
        catch (ConsumeException e) when (!IsFinal(e.Error))
        {
            Warn(e.Error);
            return;
        }
        if (result is not null && reading is { IsOpen: true } && reading.Partitions.TryGetValue(result.Partition.Value, out var partition))
            Take(reading, partition, result);
    }

    // Begins a reading with what is assigned. Where the cluster does not answer it is tried again.
    private void Begin(IConsumer<byte[]?, byte[]?> consumer, Reading reading)
    {
        // Others may have read on in these partitions since: what is settled is known anew in a new epoch.
        if (_clock.GetElapsedTime(reading.Began) > _options.HandOver)
        {
            reading.Change();
            return;
        }
        try
        {
            // A server answers no question of a connection while a fetch on it waits for records.
            consumer.Pause(_assigned.Select(Of));
            _flows = false;
            CheckTotal(Metadata(consumer, RequestTimeout));
            var (lows, highs) = (Offsets(consumer, FirstHeld), Offsets(consumer, AfterLast));
            var starts = _assigned.ToDictionary(partition => partition, partition => (Start: Plan(consumer, reading, partition, lows[partition], highs[partition]), High: highs[partition]));
            lock (_gate)
                foreach (var (partition, (start, high)) in starts)
                    reading.Partitions[partition] = new PartitionReading(SourceOf(partition), start.Next, high);
            reading.Write(new SourceEntry.Share(default, new InputShare([.. _assigned.Select(SourceOf)], _total)));
            foreach (var (_, (start, _)) in starts)
                foreach (var skipped in start.Skipped)
                    reading.Write(skipped);
            // In this order: resuming goes back to where it was paused.
            consumer.Resume(_assigned.Select(Of));
            _flows = true;
            foreach (var (partition, (start, _)) in starts)
                Seek(consumer, partition, start.Next);
        }
        catch (KafkaException e) when (!IsFinal(e.Error))
        {
            lock (_gate)
                reading.Partitions.Clear();
            Warn(e.Error);
        }
    }

    // Of all partitions in one question.
    private Dictionary<int, long> Offsets(IConsumer<byte[]?, byte[]?> consumer, Timestamp of) => consumer.OffsetsForTimes(_assigned.Select(partition => new TopicPartitionTimestamp(Of(partition), of)), RequestTimeout)
        .ToDictionary(found => found.Partition.Value, found => found.Offset.IsSpecial ? throw new KafkaException(ErrorCode.Local_TimedOut) : found.Offset.Value);

    private PartitionStart Plan(IConsumer<byte[]?, byte[]?> consumer, Reading reading, int partition, long low, long high) => PartitionStart.Of(SourceOf(partition), reading.Settled, low, high, () =>
    {
        if (!_starts.TryGetValue(partition, out var start))
            _starts[partition] = start = Decide(consumer, partition, low, high);
        return start;
    });

    private long Decide(IConsumer<byte[]?, byte[]?> consumer, int partition, long low, long high)
    {
        switch (_options.Start.Kind)
        {
            case StartKind.Latest:
                return high;
            case StartKind.Committed:
                var committed = consumer.Committed([Of(partition)], RequestTimeout)[0].Offset;
                return committed.IsSpecial ? low : committed;
            case StartKind.Time:
                var found = consumer.OffsetsForTimes([new TopicPartitionTimestamp(Of(partition), new Timestamp(_options.Start.Time))], RequestTimeout)[0].Offset;
                return found.IsSpecial ? high : found;
            default:
                return low;
        }
    }

    private void CheckTotal(TopicMetadata topic)
    {
        if (topic.Error.IsError)
        {
            if (IsFinal(topic.Error))
                throw Refusal(topic.Error);
            throw new KafkaException(topic.Error);
        }
        if (topic.Partitions.Count != _total)
            throw Regrown(topic.Partitions.Count);
    }

    private InvalidDataException Regrown(int partitions) => new($"topic '{_options.Topic}' has {partitions} partitions, and had {_total} when it was opened: records with the same key may now stand in "
        + "others than before. Start all processes of the run again to read all of them");

    // A partition that has only just come may not be ready to be sent elsewhere: then it is taken up anew.
    private void Seek(IConsumer<byte[]?, byte[]?> consumer, int partition, long offset)
    {
        try
        {
            consumer.Seek(new TopicPartitionOffset(Of(partition), offset));
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.Local_State or ErrorCode.Local_PrevInProgress)
        {
            Restart(consumer, partition, offset);
        }
    }

    private void Restart(IConsumer<byte[]?, byte[]?> consumer, int partition, long offset)
    {
        consumer.IncrementalUnassign([Of(partition)]);
        consumer.IncrementalAssign([new TopicPartitionOffset(Of(partition), offset)]);
    }

    // The partition does not hold the offset that was asked for.
    private void Recover(IConsumer<byte[]?, byte[]?> consumer, Reading? reading, int partition)
    {
        if (reading is not { IsOpen: true } || !reading.Partitions.TryGetValue(partition, out var at))
            return;
        reading.HandOver();
        try
        {
            var held = consumer.QueryWatermarkOffsets(Of(partition), RequestTimeout);
            if (at.Next > held.High)
                throw new InvalidDataException($"{at.Source} ends at offset {held.High}, but was read up to {at.Next} before: the topic was deleted and made anew. Begin another run in another output directory and group");
            if (at.Next < held.Low)
                reading.Write(at.Lose(held.Low));
            Restart(consumer, partition, at.Next);
        }
        catch (KafkaException e) when (!IsFinal(e.Error))
        {
            // The next epoch finds out.
            Warn(e.Error);
            reading.Change();
        }
    }

    // Fetches while there is somebody to read and room. A paused partition drops what is fetched ahead: who reads slowly is waited for a little before each record, until
    // there is no room at all.
    private void Flow(IConsumer<byte[]?, byte[]?> consumer, Reading? reading)
    {
        var flows = reading is { IsOpen: true } && (_flows ? !reading.IsAhead || WaitForRoom(reading) : !reading.AwaitsRoom());
        if (flows == _flows || _assigned.Count == 0)
            return;
        if (flows)
            consumer.Resume(_assigned.Select(Of));
        else
            consumer.Pause(_assigned.Select(Of));
        _flows = flows;
    }

    // Whether there is any, even if little.
    private bool WaitForRoom(Reading reading)
    {
        lock (_gate)
        {
            if (reading.AwaitsRoom() && _next is null && !_closing)
                Monitor.Wait(_gate, RoomPatience);
        }
        return reading.HasRoom;
    }

    private void Take(Reading reading, PartitionReading partition, ConsumeResult<byte[]?, byte[]?> result)
    {
        var offset = result.Offset.Value;
        if (result.IsPartitionEOF)
        {
            if (partition.TellEnd(offset) is { } absent)
                reading.Write(absent);
            if (reading.Partitions.Values.All(one => one.HasEnded))
                reading.End();
            return;
        }
        // Past an end that was told nothing is read: it belongs to whoever reads next.
        if (partition.HasEnded || !partition.MoveOver(offset))
            return;
        var headers = RecordHeaders.Of(result.Message.Headers);
        if (headers.IsEnd)
        {
            partition.Mark(offset);
            return;
        }
        if (result.Message.Value is not { } value)
            return;
        if (partition.TellRecord(offset) is { } skipped)
            reading.Write(skipped);
        DateTimeOffset? time = result.Message.Timestamp is { Type: not TimestampType.NotAvailable } produced ? new DateTimeOffset(produced.UtcDateTime, TimeSpan.Zero) : null;
        reading.Write(_decoders.Entry(partition.Source, offset, value, headers, time, _options.MaxRecordBytes));
    }

    private IEnumerable<TopicPartitionOffset> Gain(List<TopicPartition> partitions)
    {
        if (partitions.Find(partition => partition.Partition.Value >= _total) is { } beyond)
            throw Regrown(beyond.Partition.Value + 1);
        lock (_gate)
            _assigned.UnionWith(partitions.Select(partition => partition.Partition.Value));
        if (partitions.Count > 0)
        {
            if (_reading is { HasBegun: true } reading)
                reading.Change();
            // They come unpaused.
            (_flows, _hasGained) = (true, true);
        }
        // Nothing is to be fetched before a reading says from where; what comes anyway is dropped.
        return partitions.Select(partition => new TopicPartitionOffset(partition, Offset.End));
    }

    private void GiveAway(List<TopicPartitionOffset> partitions)
    {
        if (!Forget(partitions))
            return;
        var isDue = false;
        using var due = _clock.CreateTimer(_ =>
        {
            lock (_gate)
            {
                isDue = true;
                Monitor.PulseAll(_gate);
            }
        }, null, _options.HandOver, Timeout.InfiniteTimeSpan);
        lock (_gate)
        {
            while (_next is null && !isDue && !_closingNow && _reading is { IsLeft: false })
                Monitor.Wait(_gate);
        }
    }

    // Whether somebody may hold records of them.
    private bool Forget(List<TopicPartitionOffset> partitions)
    {
        lock (_gate)
        {
            _assigned.ExceptWith(partitions.Select(partition => partition.Partition.Value));
            if (_failure is not null || _next is not null || _reading is not { HasBegun: true, IsLeft: false } reading || !partitions.Exists(partition => reading.Partitions.ContainsKey(partition.Partition.Value)))
                return false;
            reading.Change();
            return true;
        }
    }

    private void CommitNewest()
    {
        while (true)
        {
            IReadOnlyList<TopicPartitionOffset> offsets;
            IConsumer<byte[]?, byte[]?> consumer;
            lock (_gate)
            {
                if (_toCommit is null || _consumer is null)
                    return;
                (offsets, consumer, _toCommit) = (_toCommit, _consumer, null);
            }
            try
            {
                if (offsets.Count > 0)
                    consumer.Commit(offsets);
            }
            catch (KafkaException e)
            {
                _options.Warn($"offsets of group '{_options.Group}' could not be committed, which only monitoring needs: {_client.Redact(e.Error.Reason)}");
            }
        }
    }

    private void Leave(IConsumer<byte[]?, byte[]?>? consumer)
    {
        if (consumer is null)
            return;
        try
        {
            Committing().Wait(RequestTimeout);
            if (CanBeFreed)
                consumer.Close();
            else
                Unsubscribe(consumer);
        }
        catch (Exception e) when (e is KafkaException or InvalidDataException or AggregateException)
        {
            _options.Warn($"group '{_options.Group}' could not be left in order: {_client.Redact(e.Message)}");
        }
        lock (_gate)
        {
            _consumer = null;
            _assigned.Clear();
        }
        Committing().Wait();
        if (CanBeFreed)
            consumer.Dispose();
        else
            lock (Left)
                Left.Add(consumer);
    }

    private bool CanBeFreed => _hasGained || Library.Version >= FirstThatCanBeFreed;

    // There is no telling when the group has heard of it: it is given the time that it takes.
    private static void Unsubscribe(IConsumer<byte[]?, byte[]?> consumer)
    {
        consumer.Unsubscribe();
        for (var turn = 0; turn < LeavingTurns; turn++)
            consumer.Consume(Tick);
    }

    private Task Committing()
    {
        lock (_gate)
            return _committing;
    }

    private void Fail(Exception e)
    {
        var failure = e is KafkaException kafka ? Refusal(kafka.Error) : e;
        lock (_gate)
        {
            _failure = failure;
            _reading?.Fail(failure);
            _next?.Fail(failure);
        }
        _opened.TrySetException(failure);
    }

    private static Exception Again(Exception failure) => failure is InvalidDataException ? new InvalidDataException(failure.Message, failure) : new IOException(failure.Message, failure);

    private void Hear(Error error)
    {
        // That no server is reached comes after why, and says less.
        if (_trouble is null || error.Code != ErrorCode.Local_AllBrokersDown)
            _trouble = error.Reason;
        if (IsFinal(error))
            _refused = Refusal(error);
        else
            Warn(error);
    }

    // What no waiting mends.
    private static bool IsFinal(Error error) => error.IsFatal || error.Code is ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed or ErrorCode.TopicAuthorizationFailed
        or ErrorCode.GroupAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed or ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic
        or ErrorCode.InvalidGroupId or ErrorCode.InconsistentGroupProtocol;

    private IOException Refusal(Error error)
    {
        var reason = _client.Redact(error.Reason);
        return new IOException(error.Code switch
        {
            ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic => $"{_client.Bootstrap} has no topic '{_options.Topic}': make it, or name another",
            ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed => $"{_client.Bootstrap} refuses who asks: {reason}. See security.protocol, sasl.* and ssl.* in kafka.client",
            ErrorCode.TopicAuthorizationFailed => $"topic '{_options.Topic}' may not be read by this user: allow it READ and DESCRIBE ({reason})",
            ErrorCode.GroupAuthorizationFailed => $"group '{_options.Group}' may not be joined by this user: allow it READ on the group, or set kafka.group ({reason})",
            ErrorCode.InconsistentGroupProtocol => $"group '{_options.Group}' has members that share topics in another way: set kafka.group to one of this run alone ({reason})",
            _ => $"topic '{_options.Topic}' cannot be read: {reason}",
        });
    }

    private void Warn(Error error) => _options.Warn($"topic '{_options.Topic}': {_client.Redact(error.Reason)}");

    private void Pulse()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    private TopicPartition Of(int partition) => new(_options.Topic, partition);

    private string SourceOf(int partition) => $"{_options.Topic}/{partition}";
}
