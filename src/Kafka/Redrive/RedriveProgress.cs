using Confluent.Kafka;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Redrive;

/// <summary>
/// How far a redrive has come, as the committed offsets of consumer groups, one per code of dead letters: who asks for one code now and for another later
/// has each letter once. Nobody joins these groups; they hold offsets alone.
/// </summary>
internal sealed class RedriveProgress(KafkaOptions options, string topic, string group) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Dictionary<string, (IConsumer<Ignore, Ignore> Consumer, Dictionary<int, long> Next)> _codes = [];
    private IReadOnlyList<int>? _partitions;

    /// <summary>Offset of the first letter of a code in a partition that is not done with; 0: none is.</summary>
    public long Next(string code, int partition) => Of(code).Next.GetValueOrDefault(partition);

    /// <summary>Who holds the offsets of a code.</summary>
    public IConsumerGroupMetadata Group(string code) => Of(code).Consumer.ConsumerGroupMetadata;

    /// <summary>Commits what a transaction has committed already, for clusters that keep no offsets of transactions: librdkafka's mock cluster does not.</summary>
    public void Commit(string code, IEnumerable<TopicPartitionOffset> offsets) => Of(code).Consumer.Commit(offsets);

    public void Dispose()
    {
        foreach (var (consumer, _) in _codes.Values)
            consumer.Dispose();
    }

    private (IConsumer<Ignore, Ignore> Consumer, Dictionary<int, long> Next) Of(string code)
    {
        if (_codes.TryGetValue(code, out var known))
            return known;
        var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig(options.Client("massdpo-redrive")) { GroupId = $"{group}.{code}", EnableAutoCommit = false })
            .SetLogHandler((_, _) => { }).Build();
        try
        {
            if (_partitions is null)
            {
                using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
                _partitions = [.. admin.GetMetadata(topic, Patience).Topics.Single().Partitions.Select(partition => partition.PartitionId)];
            }
            var committed = consumer.Committed(_partitions.Select(partition => new TopicPartition(topic, partition)), Patience);
            var next = committed.Where(offset => offset.Offset.Value >= 0).ToDictionary(offset => offset.Partition.Value, offset => offset.Offset.Value);
            return _codes[code] = (consumer, next);
        }
        catch (KafkaException e)
        {
            consumer.Dispose();
            throw new IOException($"the offsets of group '{group}.{code}' cannot be asked for: {options.Redact(e.Error.Reason)}", e);
        }
    }
}
