using System.Runtime.CompilerServices;
using Confluent.Kafka;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Records;

/// <summary>One message of a topic.</summary>
/// <param name="Partition">it stands in</param>
/// <param name="Offset">of it there</param>
/// <param name="Key">null: none</param>
/// <param name="Value">null: a tombstone</param>
/// <param name="Headers">what came with it</param>
/// <param name="Time">when it was produced</param>
public sealed record TopicMessage(int Partition, long Offset, byte[]? Key, byte[]? Value, Headers Headers, DateTimeOffset Time)
{
    internal static TopicMessage Of(ConsumeResult<byte[]?, byte[]?> result) =>
        new(result.Partition, result.Offset, result.Message.Key, result.Message.Value, result.Message.Headers, result.Message.Timestamp.UtcDateTime);
}

/// <summary>Reads a topic without a consumer group, all partitions, from their beginning or their end: to watch, not to work.</summary>
public static class TopicReader
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Messages in the order of their partitions.</summary>
    /// <param name="options">how to reach the cluster</param>
    /// <param name="topic">to read</param>
    /// <param name="fromBeginning">of what is there; else what comes from now on</param>
    /// <param name="untilEnd">whether it ends where the partitions end now</param>
    /// <param name="cancellation">ends it</param>
    /// <exception cref="IOException">the cluster cannot be reached, or has no such topic</exception>
    public static async IAsyncEnumerable<TopicMessage> ReadAsync(KafkaOptions options, string topic, bool fromBeginning, bool untilEnd,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        // The client blocks the thread that asks it: that is one of its own.
        var (consumer, ends) = await Task.Run(() => Open(options, topic, fromBeginning, untilEnd), cancellation);
        using var _ = consumer;
        while (!cancellation.IsCancellationRequested && (!untilEnd || ends.Count > 0))
        {
            ConsumeResult<byte[]?, byte[]?> result;
            try
            {
                result = await Task.Run(() => consumer.Consume(cancellation), CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                yield break;
            }
            catch (ConsumeException e)
            {
                throw new IOException($"topic '{topic}' cannot be read: {options.Redact(e.Error.Reason)}", e);
            }
            // The end that there was: others may write faster than this reads. A partition's last message may be one that is never shown, a mark of a transaction.
            var end = untilEnd ? ends.GetValueOrDefault(result.Partition) : long.MaxValue;
            if (result.IsPartitionEOF || result.Offset >= end - 1)
                ends.Remove(result.Partition);
            if (!result.IsPartitionEOF && result.Offset < end)
                yield return TopicMessage.Of(result);
        }
    }

    // With where the partitions end that have something to read, if that is asked for.
    private static (IConsumer<byte[]?, byte[]?> Consumer, Dictionary<int, long> Ends) Open(KafkaOptions options, string topic, bool fromBeginning, bool untilEnd)
    {
        var consumer = Connect(options, topic, out var metadata);
        try
        {
            var ends = new Dictionary<int, long>();
            foreach (var partition in untilEnd ? metadata.Partitions : [])
                if (consumer.QueryWatermarkOffsets(new TopicPartition(topic, partition.PartitionId), Patience) is var marks && marks.High > marks.Low)
                    ends[partition.PartitionId] = marks.High;
            consumer.Assign(metadata.Partitions.Select(partition => new TopicPartitionOffset(topic, partition.PartitionId, fromBeginning ? Offset.Beginning : Offset.End)));
            return (consumer, ends);
        }
        catch (KafkaException e)
        {
            consumer.Dispose();
            throw new IOException($"{options.Bootstrap} cannot be asked for topic '{topic}': {options.Redact(e.Error.Reason)}", e);
        }
    }

    /// <summary>A consumer without a group, and what partitions the topic has.</summary>
    /// <exception cref="IOException">the cluster cannot be reached, or has no such topic</exception>
    /// <exception cref="InvalidDataException">no server is named, or librdkafka does not know a property</exception>
    internal static IConsumer<byte[]?, byte[]?> Connect(KafkaOptions options, string topic, out TopicMetadata metadata)
    {
        var config = new ConsumerConfig(options.Client("massdpo-tail")) { GroupId = "massdpo-tail", EnableAutoCommit = false, EnablePartitionEof = true, AutoOffsetReset = AutoOffsetReset.Error };
        var consumer = options.Build(() => new ConsumerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).Build());
        try
        {
            using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
            metadata = admin.GetMetadata(topic, Patience).Topics.Single();
            if (metadata.Error.IsError || metadata.Partitions.Count == 0)
                throw new IOException($"topic '{topic}' cannot be read: {options.Redact(metadata.Error.Reason)}");
            return consumer;
        }
        catch (KafkaException e)
        {
            consumer.Dispose();
            throw new IOException($"{options.Bootstrap} cannot be asked for topic '{topic}': {options.Redact(e.Error.Reason)}", e);
        }
        catch
        {
            consumer.Dispose();
            throw;
        }
    }
}
