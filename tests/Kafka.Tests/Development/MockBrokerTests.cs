using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;

namespace MassDpo.Kafka.Tests.Development;

public sealed class MockBrokerTests
{
    [Fact]
    public async Task What_is_produced_is_consumed_in_order_through_the_systems_library()
    {
        using var broker = new MockBroker();
        broker.CreateTopic("records", 3);
        var options = new KafkaOptions(broker.Bootstrap, []);
        using (var producer = new ProducerBuilder<string, string>(new ProducerConfig(options.Client("test")) { EnableIdempotence = true }).Build())
            for (var i = 0; i < 30; i++)
                await producer.ProduceAsync(new TopicPartition("records", i % 3), new Message<string, string> { Key = "k" + i, Value = "v" + i });
        var config = new ConsumerConfig(options.Client("test")) { GroupId = "g", AutoOffsetReset = AutoOffsetReset.Earliest, EnableAutoCommit = false, PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky };
        using var consumer = new ConsumerBuilder<string, string>(config).Build();
        consumer.Subscribe("records");
        var seen = new Dictionary<int, List<string>>();
        while (seen.Values.Sum(values => values.Count) < 30)
        {
            var result = consumer.Consume(TimeSpan.FromSeconds(30));
            Assert.NotNull(result);
            seen.TryAdd(result.Partition, []);
            seen[result.Partition].Add(result.Message.Value);
        }
        for (var partition = 0; partition < 3; partition++)
            Assert.Equal(Enumerable.Range(0, 10).Select(i => "v" + (3 * i + partition)), seen[partition]);
        consumer.Commit();
        consumer.Close();
    }
}
