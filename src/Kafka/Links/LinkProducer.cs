using Confluent.Kafka;

namespace MassDpo.Kafka.Links;

/// <summary>
/// Sends what the links carry: idempotent, at once, for as long as it takes. A cluster that is away is waited for; whatever was sent arrives once and in
/// order per partition when it is back.
/// </summary>
internal sealed class LinkProducer : IDisposable
{
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RoomPause = TimeSpan.FromMilliseconds(10);

    private readonly KafkaLinkOptions _options;
    private readonly IProducer<byte[]?, byte[]> _producer;

    public LinkProducer(KafkaLinkOptions options, string client)
    {
        _options = options;
        var config = new ProducerConfig(options.Kafka.Client(client))
        {
            EnableIdempotence = true,
            Acks = Acks.All,
            LingerMs = 0,
            MessageTimeoutMs = 0,
            SocketNagleDisable = true,
            MessageMaxBytes = 16 << 20,
        };
        _producer = options.Kafka.Build(() => new ProducerBuilder<byte[]?, byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, error) =>
        {
            if (error.IsFatal)
                options.Failed(new LinkException($"what is sent to others is refused for good: {options.Kafka.Redact(error.Reason)}"));
        }).Build());
    }

    /// <summary>Of the client, for those who ask the same cluster.</summary>
    public Handle Handle => _producer.Handle;

    /// <summary>Hands a message over without waiting.</summary>
    /// <param name="place">partition, or <see cref="Partition.Any"/> for that of the key</param>
    /// <param name="key">null: none</param>
    /// <param name="value">the message</param>
    /// <param name="headers">null: none</param>
    /// <param name="arrived">told of the offset, from a thread of the client's; null: nobody wants to know</param>
    /// <returns>false where the client's queue is full</returns>
    public bool TrySend(TopicPartition place, byte[]? key, byte[] value, Headers? headers = null, Action<TopicPartitionOffset>? arrived = null)
    {
        try
        {
            _producer.Produce(place, new Message<byte[]?, byte[]> { Key = key, Value = value, Headers = headers }, report =>
            {
                if (report.Error.IsError)
                    _options.Failed(new LinkException($"'{place.Topic}' did not take a message of {value.Length} bytes: {_options.Kafka.Redact(report.Error.Reason)}"));
                else
                    arrived?.Invoke(report.TopicPartitionOffset);
            });
            return true;
        }
        catch (ProduceException<byte[]?, byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
        {
            return false;
        }
        catch (ProduceException<byte[]?, byte[]> e)
        {
            throw new LinkException($"'{place.Topic}' did not take a message of {value.Length} bytes: {_options.Kafka.Redact(e.Error.Reason)}", e);
        }
    }

    /// <summary>Hands a message over, waiting for room where the client's queue is full.</summary>
    public async ValueTask SendAsync(TopicPartition place, byte[]? key, byte[] value, Headers? headers, Action<TopicPartitionOffset>? arrived, CancellationToken cancellation)
    {
        while (!TrySend(place, key, value, headers, arrived))
            await Task.Delay(RoomPause, cancellation);
    }

    /// <summary>Sends what is still here, for a while.</summary>
    public void Dispose()
    {
        _producer.Flush(LastWords);
        _producer.Dispose();
    }
}
