using Confluent.Kafka;

namespace MassDpo.Kafka.Links;

/// <summary>
/// Reads partitions, assigned by hand, on a thread of its own: one message after the other is handled, and while one is, no other is. An error of the cluster
/// is waited out; a gap, where the topic has forgotten what was not read yet, ends the link or is passed over, as the reader is told.
/// </summary>
internal sealed class PartitionReader : IDisposable
{
    private readonly KafkaLinkOptions _options;
    private readonly string _topic;
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private readonly bool _commits;

    /// <param name="options">of the link</param>
    /// <param name="name">of the client and its thread</param>
    /// <param name="topic">to read</param>
    /// <param name="gaps">what becomes of a gap: <see cref="AutoOffsetReset.Error"/> ends the link, <see cref="AutoOffsetReset.Earliest"/> goes on where there is something again</param>
    /// <param name="group">the place is kept under this name; null: it is not kept</param>
    /// <param name="begin">where to read; called on the reader's thread, may ask the cluster</param>
    /// <param name="handle">called for each message on the reader's thread, which waits for it</param>
    public PartitionReader(KafkaLinkOptions options, string name, string topic, AutoOffsetReset gaps, string? group,
        Func<IConsumer<Ignore, byte[]?>, IReadOnlyList<TopicPartitionOffset>> begin, Func<ConsumeResult<Ignore, byte[]?>, CancellationToken, ValueTask> handle)
    {
        (_options, _topic, _commits) = (options, topic, group is not null);
        var config = new ConsumerConfig(options.Kafka.Client(name))
        {
            GroupId = group ?? name,
            EnableAutoCommit = _commits,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = gaps,
            SocketNagleDisable = true,
            FetchErrorBackoffMs = 100,
        };
        var consumer = options.Kafka.Build(() => new ConsumerBuilder<Ignore, byte[]?>(config).SetLogHandler((_, _) => { }).Build());
        _thread = new Thread(() => Run(consumer, begin, handle)) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Stops reading; what was being handled is finished or cancelled when this returns, and the place is kept.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    private void Run(IConsumer<Ignore, byte[]?> consumer, Func<IConsumer<Ignore, byte[]?>, IReadOnlyList<TopicPartitionOffset>> begin,
        Func<ConsumeResult<Ignore, byte[]?>, CancellationToken, ValueTask> handle)
    {
        try
        {
            using (consumer)
            {
                consumer.Assign(begin(consumer));
                while (!_stop.IsCancellationRequested)
                    if (Next(consumer) is { } result)
                        Handle(consumer, result, handle);
                consumer.Close();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            if (!_stop.IsCancellationRequested)
                _options.Failed(e);
        }
    }

    private ConsumeResult<Ignore, byte[]?>? Next(IConsumer<Ignore, byte[]?> consumer)
    {
        try
        {
            return consumer.Consume(_stop.Token);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (ConsumeException e) when (e.Error.Code == ErrorCode.Local_AutoOffsetReset)
        {
            throw new LinkException($"topic '{_topic}' has forgotten messages that were not read yet ({_options.Kafka.Redact(e.Error.Reason)}): start this process again, "
                + "and let the topic keep more (docs/operations.md)", e);
        }
        catch (ConsumeException e) when (e.Error.IsFatal || e.Error.Code is ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed or ErrorCode.UnknownTopicOrPart
            or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition)
        {
            throw new LinkException($"topic '{_topic}' cannot be read: {_options.Kafka.Redact(e.Error.Reason)}", e);
        }
        catch (ConsumeException)
        {
            // The cluster is away or busy: the client goes on trying.
            return null;
        }
    }

    private void Handle(IConsumer<Ignore, byte[]?> consumer, ConsumeResult<Ignore, byte[]?> result, Func<ConsumeResult<Ignore, byte[]?>, CancellationToken, ValueTask> handle)
    {
        try
        {
            var handling = handle(result, _stop.Token);
            if (!handling.IsCompletedSuccessfully)
                handling.AsTask().GetAwaiter().GetResult();
            if (_commits)
                consumer.StoreOffset(result);
        }
        catch (Wire.WireFormatException e)
        {
            _options.Note($"{_topic}/{result.Partition.Value}, offset {result.Offset.Value}: left out, {e.Message}");
        }
    }
}
