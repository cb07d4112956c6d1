using System.Text;
using Confluent.Kafka;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.Kafka.Links;

/// <summary>The selections link over a topic: a selector's blocks go to one partition, in order; the learner reads all, from where the one before it stopped.</summary>
public sealed class KafkaSelectionsLink : ISelectionsLink, IDisposable
{
    private readonly KafkaLinkOptions _options;
    private readonly string _topic;
    private readonly LinkProducer _producer;
    private readonly Lock _lock = new();
    private PartitionReader? _receiver;

    public KafkaSelectionsLink(KafkaLinkOptions options, string topic)
    {
        (_options, _topic) = (options, topic);
        _producer = new LinkProducer(options, "massdpo-selections");
    }

    /// <inheritdoc/>
    public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
    {
        Headers? headers = null;
        if (block.Trace is { } trace)
            TraceHeader.Add(headers = new Headers(), trace);
        return _producer.SendAsync(new TopicPartition(_topic, Partition.Any), Encoding.UTF8.GetBytes(block.Selector), SelectionCodec.Encode(block), headers, arrived: null, cancellation);
    }

    /// <inheritdoc/>
    public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver)
    {
        lock (_lock)
        {
            _receiver?.Dispose();
            return _receiver = new PartitionReader(_options, "massdpo-selections", _topic, AutoOffsetReset.Earliest, _options.Group + ".selections", Begin,
                async (result, cancellation) => await deliver(SelectionCodec.Decode(result.Message.Value) with { Trace = TraceHeader.Read(result.Message.Headers) }, cancellation));
        }
    }

    public void Dispose()
    {
        lock (_lock)
            _receiver?.Dispose();
        _producer.Dispose();
    }

    private List<TopicPartitionOffset> Begin(IConsumer<Ignore, byte[]?> consumer) =>
        [.. Enumerable.Range(0, Clients.CountPartitions(_options.Kafka, consumer.Handle, _topic)).Select(partition => new TopicPartitionOffset(_topic, partition, Offset.Stored))];
}
