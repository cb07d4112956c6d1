using System.Diagnostics;
using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Records;

namespace MassDpo.Kafka.Tests.Records;

public sealed class TraceHeaderTests
{
    private const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public async Task What_is_produced_in_an_activity_carries_its_trace_and_one_that_is_there_stays()
    {
        using var broker = new MockBroker();
        broker.CreateTopic("records", 1);
        var options = new KafkaOptions(broker.Bootstrap, [new("fetch.wait.max.ms", "10")]);
        var there = new Headers();
        TraceHeader.Add(there, Trace);
        string current;
        using (var producer = new RecordProducer(options, "records"))
        {
            await producer.ProduceAsync("first", null, [1], null, CancellationToken.None);
            using (var activity = new Activity("clicks").Start())
            {
                current = activity.Id!;
                await producer.ProduceAsync("second", null, [2], null, CancellationToken.None);
                await producer.ProduceAsync("third", null, [3], there, CancellationToken.None);
            }
            await producer.FlushAsync(CancellationToken.None);
        }
        var messages = new List<TopicMessage>();
        await foreach (var message in TopicReader.ReadAsync(new KafkaOptions(broker.Bootstrap, []), "records", fromBeginning: true, untilEnd: true, CancellationToken.None))
            messages.Add(message);
        Assert.Equal([null, current, Trace], messages.Select(message => TraceHeader.Read(message.Headers)));
        Assert.Single(messages[2].Headers);
    }

    [Fact]
    public void Without_headers_or_a_trace_there_is_none()
    {
        Assert.Null(TraceHeader.Read(null));
        var headers = new Headers();
        TraceHeader.Add(headers);
        Assert.Empty(headers);
    }
}
