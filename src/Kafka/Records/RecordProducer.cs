using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Records;

/// <summary>A value could not be produced; the message names which and why.</summary>
public sealed class ProduceException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>
/// Produces values to one topic, idempotent and acknowledged by all replicas: each once and in order per partition, whatever is retried on the way. What
/// librdkafka has in its queue is bounded; a full queue holds the caller up.
/// </summary>
public sealed class RecordProducer : IDisposable
{
    private readonly KafkaOptions _options;
    private readonly string _topic;
    private readonly IProducer<byte[]?, byte[]> _producer;
    private readonly CancellationTokenSource _failed = new();
    private volatile ProduceException? _failure;
    private long _acknowledged;

    /// <param name="options">how to reach the cluster</param>
    /// <param name="topic">to produce to</param>
    /// <param name="client">its name, which brokers log</param>
    /// <param name="maxMessageBytes">that a message may have; null: what kafka.client says, or librdkafka's own limit</param>
    /// <exception cref="InvalidDataException">no server is named, or librdkafka does not know a property</exception>
    public RecordProducer(KafkaOptions options, string topic, string client = "massdpo-produce", int? maxMessageBytes = null)
    {
        var config = new ProducerConfig(options.Client(client)) { EnableIdempotence = true, Acks = Acks.All, LingerMs = 20 };
        if (maxMessageBytes is { } most)
            config.MessageMaxBytes = most;
        (_options, _topic) = (options, topic);
        _producer = options.Build(() => new ProducerBuilder<byte[]?, byte[]>(config)
            .SetErrorHandler((_, error) =>
            {
                if (error.IsFatal)
                    Fail(new ProduceException($"producing to '{topic}' failed: {options.Redact(error.Reason)}"));
            })
            .SetLogHandler((_, _) => { })
            .Build());
    }

    /// <summary>Values that the cluster has.</summary>
    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    /// <summary>Hands a value over; it is on its way when this returns.</summary>
    /// <param name="name">what errors call it</param>
    /// <param name="key">those of one key go to one partition, in order; null: to any</param>
    /// <param name="value">the value</param>
    /// <param name="headers">its headers, which get the trace of the current activity where they have none</param>
    /// <param name="cancellation">ends waiting for room</param>
    /// <param name="partition">where it goes; null: where its key, or chance, leads it</param>
    /// <exception cref="ProduceException">an earlier value could not be produced, or this one cannot be</exception>
    public ValueTask ProduceAsync(string name, byte[]? key, byte[] value, Headers? headers, CancellationToken cancellation, int? partition = null) =>
        ProduceToAsync(new TopicPartition(_topic, partition ?? Partition.Any), name, key, value, headers, cancellation);

    /// <summary>The same to another topic.</summary>
    /// <exception cref="ProduceException">an earlier value could not be produced, or this one cannot be</exception>
    public ValueTask ProduceToAsync(string topic, string name, byte[]? key, byte[] value, Headers? headers, CancellationToken cancellation) =>
        ProduceToAsync(new TopicPartition(topic, Partition.Any), name, key, value, headers, cancellation);

    private async ValueTask ProduceToAsync(TopicPartition target, string name, byte[]? key, byte[] value, Headers? headers, CancellationToken cancellation)
    {
        if (Activity.Current is not null)
            TraceHeader.Add(headers ??= new Headers());
        var message = new Message<byte[]?, byte[]> { Key = key, Value = value, Headers = headers };
        while (true)
        {
            if (_failure is { } failure)
                throw failure;
            try
            {
                _producer.Produce(target, message, report =>
                {
                    if (report.Error.IsError)
                        Fail(new ProduceException($"{name} could not be produced to '{target.Topic}': {Reason(report.Error, value)}"));
                    else
                        Interlocked.Increment(ref _acknowledged);
                });
                return;
            }
            catch (ProduceException<byte[]?, byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
            {
                // Not back to the caller's context: one that blocks its own thread meanwhile, as the learner does, would wait for ever.
                await Task.Run(() => _producer.Flush(TimeSpan.FromMilliseconds(100)), cancellation).ConfigureAwait(false);
            }
            catch (ProduceException<byte[]?, byte[]> e)
            {
                throw new ProduceException($"{name} could not be produced to '{target.Topic}': {Reason(e.Error, value)}", e);
            }
        }
    }

    /// <summary>Waits until the cluster has all that was handed over.</summary>
    /// <exception cref="ProduceException">it has not taken all</exception>
    public async Task FlushAsync(CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _failed.Token);
        try
        {
            await Task.Run(() => _producer.Flush(either.Token), CancellationToken.None).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_failure is not null)
        {
        }
        if (_failure is { } failure)
            throw failure;
    }

    public void Dispose()
    {
        _producer.Dispose();
        _failed.Dispose();
    }

    private string Reason(Error error, byte[] value) => _options.Redact(error.Reason) + (error.Code == ErrorCode.MsgSizeTooLarge
        ? string.Create(CultureInfo.InvariantCulture, $" ({value.Length} bytes): raise message.max.bytes in kafka.client and max.message.bytes of the topic")
        : "");

    private void Fail(ProduceException failure)
    {
        if (Interlocked.CompareExchange(ref _failure, failure, null) is null)
            _failed.Cancel();
    }
}
