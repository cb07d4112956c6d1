using System.Text;
using Confluent.Kafka;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Tests.Links;

/// <summary>Somebody who writes into a topic of a link what no link of this program would, and reads what stands there.</summary>
internal sealed class HostileTopic(KafkaOptions kafka, string topic) : IDisposable
{
    private readonly IProducer<byte[]?, byte[]?> _producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig(kafka.Client("hostile")) { LingerMs = 0 }).SetLogHandler((_, _) => { }).Build();

    /// <summary>Writes a message; where it stands when this returns.</summary>
    public TopicPartitionOffset Write(int partition, byte[]? value, params (string Name, byte[]? Value)[] headers)
    {
        var all = new Headers();
        foreach (var (name, bytes) in headers)
            all.Add(name, bytes);
        return _producer.ProduceAsync(new TopicPartition(topic, partition), new Message<byte[]?, byte[]?> { Value = value, Headers = all }).GetAwaiter().GetResult().TopicPartitionOffset;
    }

    /// <summary>Writes messages, without waiting for each.</summary>
    public void WriteAll(int partition, IEnumerable<byte[]> values)
    {
        foreach (var value in values)
            _producer.Produce(new TopicPartition(topic, partition), new Message<byte[]?, byte[]?> { Value = value });
        _producer.Flush(TimeSpan.FromMinutes(1));
    }

    /// <summary>What stands at a place.</summary>
    public byte[] Read(int partition, long offset)
    {
        using var consumer = new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig(kafka.Client("hostile")) { GroupId = "hostile" }).Build();
        consumer.Assign(new TopicPartitionOffset(topic, partition, offset));
        return consumer.Consume(TimeSpan.FromMinutes(1)).Message.Value;
    }

    /// <summary>A header's value.</summary>
    public static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    public void Dispose() => _producer.Dispose();
}
