using Confluent.Kafka;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Links;

/// <summary>What all clients of the links have in common.</summary>
internal static class Clients
{
    /// <summary>How long a cluster is waited for when a link begins.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Partitions of a topic.</summary>
    /// <exception cref="LinkException">the cluster cannot be reached, or has no such topic</exception>
    public static int CountPartitions(KafkaOptions options, Handle client, string topic)
    {
        try
        {
            using var admin = new DependentAdminClientBuilder(client).Build();
            var metadata = admin.GetMetadata(topic, Patience).Topics.Single();
            if (metadata.Error.IsError || metadata.Partitions.Count == 0)
                throw new LinkException($"topic '{topic}' cannot be used: {options.Redact(metadata.Error.Reason)}");
            return metadata.Partitions.Count;
        }
        catch (KafkaException e)
        {
            throw Unreachable(options, topic, e);
        }
    }

    /// <summary>What a partition holds: from Low up to and without High.</summary>
    /// <exception cref="LinkException">the cluster cannot be reached</exception>
    public static WatermarkOffsets Watermarks<TKey, TValue>(KafkaOptions options, IConsumer<TKey, TValue> consumer, TopicPartition place)
    {
        try
        {
            return consumer.QueryWatermarkOffsets(place, Patience);
        }
        catch (KafkaException e)
        {
            throw Unreachable(options, place.Topic, e);
        }
    }

    private static LinkException Unreachable(KafkaOptions options, string topic, KafkaException e) =>
        new($"{options.Bootstrap} cannot be asked for topic '{topic}': {options.Redact(e.Error.Reason)}. Is the cluster there, and are kafka.bootstrap and kafka.client right?", e);
}
