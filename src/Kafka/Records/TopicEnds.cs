using Confluent.Kafka;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Records;

/// <summary>The last message of each partition of a topic.</summary>
public static class TopicEnds
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>One for each partition, in order; null where it holds none.</summary>
    /// <exception cref="IOException">the cluster cannot be reached, or has no such topic</exception>
    public static Task<IReadOnlyList<TopicMessage?>> ReadAsync(KafkaOptions options, string topic, CancellationToken cancellation) =>
        // The client blocks the thread that asks it.
        Task.Run<IReadOnlyList<TopicMessage?>>(() => Read(options, topic, cancellation), cancellation);

    private static TopicMessage?[] Read(KafkaOptions options, string topic, CancellationToken cancellation)
    {
        using var consumer = TopicReader.Connect(options, topic, out var metadata);
        var ends = new TopicMessage?[metadata.Partitions.Count];
        try
        {
            foreach (var partition in metadata.Partitions.Select(one => new TopicPartition(topic, one.PartitionId)))
            {
                var held = consumer.QueryWatermarkOffsets(partition, Patience);
                // The last offsets may be a transaction's marks, or left out by compaction.
                for (var back = 1L; ends[partition.Partition.Value] is null && held.High > held.Low; back *= 8)
                {
                    var from = Math.Max(held.Low, held.High - back);
                    ends[partition.Partition.Value] = LastFrom(consumer, new TopicPartitionOffset(partition, from), cancellation);
                    if (from == held.Low)
                        break;
                }
            }
            return ends;
        }
        catch (KafkaException e)
        {
            throw new IOException($"topic '{topic}' cannot be read: {options.Redact(e.Error.Reason)}", e);
        }
    }

    private static TopicMessage? LastFrom(IConsumer<byte[]?, byte[]?> consumer, TopicPartitionOffset from, CancellationToken cancellation)
    {
        consumer.Assign(from);
        TopicMessage? last = null;
        while (true)
        {
            var result = consumer.Consume(cancellation);
            if (result.IsPartitionEOF)
                return last;
            last = TopicMessage.Of(result);
        }
    }
}
