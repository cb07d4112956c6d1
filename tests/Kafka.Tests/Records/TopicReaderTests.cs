using System.Text;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Records;

namespace MassDpo.Kafka.Tests.Records;

public sealed class TopicReaderTests
{
    [Fact]
    public async Task It_ends_where_the_topic_ended_when_it_began_whatever_is_written_meanwhile()
    {
        using var broker = new MockBroker();
        broker.CreateTopic("records", 2);
        using var producer = new RecordProducer(MadeOptions.Of(broker), "records");
        await ProduceAsync("a", "b", "c");
        var read = new List<string>();
        await foreach (var message in TopicReader.ReadAsync(MadeOptions.Of(broker), "records", fromBeginning: true, untilEnd: true, CancellationToken.None))
        {
            read.Add(Encoding.UTF8.GetString(message.Value!));
            await ProduceAsync("d", "e", "f");
        }
        Assert.Equal(["a", "b", "c"], read.Order());

        async Task ProduceAsync(params string[] values)
        {
            foreach (var value in values)
                await producer.ProduceAsync(value, Encoding.UTF8.GetBytes(value), Encoding.UTF8.GetBytes(value), null, CancellationToken.None);
            await producer.FlushAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_topic_without_messages_ends_at_once()
    {
        using var broker = new MockBroker();
        broker.CreateTopic("records", 2);
        await foreach (var message in TopicReader.ReadAsync(MadeOptions.Of(broker), "records", fromBeginning: true, untilEnd: true, CancellationToken.None))
            Assert.Fail($"read {message}");
    }
}
