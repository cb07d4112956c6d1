using System.Text;
using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Records;

namespace MassDpo.Kafka.Tests.Input;

/// <summary>A mock cluster and what tests put into its topics.</summary>
public sealed class InputTopic : IDisposable
{
    /// <summary>Bytes that a record may have in these tests.</summary>
    public const int Limit = 2000;

    private readonly IProducer<byte[]?, byte[]?> _producer;

    public InputTopic()
    {
        Broker = new MockBroker();
        // The mock does not wake an empty fetch when something comes, and gives members of a group nearly a session to come back, whether they are all there or not.
        Client = new KafkaOptions(Broker.Bootstrap, [KeyValuePair.Create("fetch.wait.max.ms", "10"), KeyValuePair.Create("session.timeout.ms", "4000"), KeyValuePair.Create("heartbeat.interval.ms", "50")]);
        _producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig(new KafkaOptions(Broker.Bootstrap, []).Client("test")) { EnableIdempotence = true, LingerMs = 1, MessageMaxBytes = 4 << 20 }).Build();
    }

    public MockBroker Broker { get; }

    public KafkaOptions Client { get; }

    public static KafkaSourceOptions Options(string topic, StartKind start = StartKind.Earliest, string? group = null) =>
        new(topic, group ?? $"group-of-{topic}", new StartPoint(start), Limit, TimeSpan.FromSeconds(30));

    public Task<KafkaSource> OpenAsync(KafkaSourceOptions options, TimeProvider? clock = null) => KafkaSource.OpenAsync(Client, options, clock ?? TimeProvider.System, CancellationToken.None);

    public void Produce(string topic, int partition, byte[]? value, params (string Name, string Value)[] headers)
    {
        var all = new Headers();
        foreach (var (name, text) in headers)
            all.Add(name, Encoding.UTF8.GetBytes(text));
        _producer.Produce(new TopicPartition(topic, partition), new Message<byte[]?, byte[]?> { Value = value, Headers = all }, report => Assert.False(report.Error.IsError, report.Error.Reason));
    }

    /// <summary>Small records to partitions in turn.</summary>
    public void Produce(string topic, int partitions, int records)
    {
        for (var i = 0; i < records; i++)
            Produce(topic, i % partitions, Encoding.UTF8.GetBytes($"record {i}"));
        Flush();
    }

    public void End(string topic, int partitions)
    {
        for (var partition = 0; partition < partitions; partition++)
            Produce(topic, partition, [], (EndMarker.Header, "1"));
        Flush();
    }

    public void Flush() => _producer.Flush(TimeSpan.FromMinutes(1));

    public void Dispose()
    {
        _producer.Dispose();
        Broker.Dispose();
    }
}
