using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;

namespace MassDpo.Kafka.Redrive;

/// <summary>Reads single messages where they stand. It belongs to one thread.</summary>
internal sealed class OriginalReader : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // What a message that is gone gives, beside the end of its partition or a later message.
    private static readonly ErrorCode[] Gone = [ErrorCode.OffsetOutOfRange, ErrorCode.Local_AutoOffsetReset, ErrorCode.UnknownTopicOrPart, ErrorCode.Local_UnknownPartition, ErrorCode.Local_UnknownTopic];

    private readonly KafkaOptions _options;
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    // Asked for once: what is outside is gone, and to be told so message by message takes long.
    private readonly Dictionary<TopicPartition, WatermarkOffsets?> _holds = [];

    public OriginalReader(KafkaOptions options)
    {
        _options = options;
        var config = new ConsumerConfig(options.Client("massdpo-redrive")) { GroupId = "massdpo-redrive", EnableAutoCommit = false, EnablePartitionEof = true, AutoOffsetReset = AutoOffsetReset.Error };
        _consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).Build();
    }

    /// <summary>The message there; null where it is gone.</summary>
    /// <exception cref="IOException">the topic cannot be read</exception>
    public TopicMessage? Read(TopicPartitionOffset place)
    {
        try
        {
            if (Holds(place.TopicPartition) is not { } holds || place.Offset < holds.Low || place.Offset >= holds.High)
                return null;
            _consumer.Assign(place);
            var result = _consumer.Consume(Patience) ?? throw new IOException($"{place} cannot be read: nothing came within {Patience.TotalSeconds} s");
            return result.IsPartitionEOF || result.Offset != place.Offset
                ? null
                : TopicMessage.Of(result);
        }
        catch (ConsumeException e) when (Gone.Contains(e.Error.Code))
        {
            return null;
        }
        catch (KafkaException e)
        {
            throw new IOException($"{place} cannot be read: {_options.Redact(e.Error.Reason)}", e);
        }
    }

    public void Dispose() => _consumer.Dispose();

    private WatermarkOffsets? Holds(TopicPartition partition)
    {
        if (_holds.TryGetValue(partition, out var known))
            return known;
        try
        {
            return _holds[partition] = _consumer.QueryWatermarkOffsets(partition, Patience);
        }
        catch (KafkaException e) when (Gone.Contains(e.Error.Code))
        {
            return _holds[partition] = null;
        }
    }
}
