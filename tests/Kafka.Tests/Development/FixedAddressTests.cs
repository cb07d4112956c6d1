using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Records;

namespace MassDpo.Kafka.Tests.Development;

public sealed class FixedAddressTests
{
    [Fact]
    public async Task A_client_that_begins_there_finds_the_brokers()
    {
        using var broker = new MockBroker();
        await using var address = new FixedAddress(0, broker.Bootstrap);
        Assert.NotEqual(broker.Bootstrap, address.Bootstrap);
        var options = new KafkaOptions(address.Bootstrap, []);
        using (var producer = new RecordProducer(options, "records"))
        {
            await producer.ProduceAsync("one", null, "1"u8.ToArray(), null, CancellationToken.None);
            await producer.FlushAsync(CancellationToken.None);
        }
        using var admin = new AdminClientBuilder(new AdminClientConfig(options.Client("test"))).Build();
        Assert.Equal([broker.Bootstrap], admin.GetMetadata(TimeSpan.FromSeconds(30)).Brokers.Select(other => $"{other.Host}:{other.Port}"));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named()
    {
        using var broker = new MockBroker();
        await using var address = new FixedAddress(0, broker.Bootstrap);
        var port = address.Bootstrap.Split(':')[1];
        Assert.Contains($"port {port} ", Assert.Throws<IOException>(() => new FixedAddress(int.Parse(port), broker.Bootstrap)).Message);
    }
}
