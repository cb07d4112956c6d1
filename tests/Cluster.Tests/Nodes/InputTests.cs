using MassDpo.App.Running;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Records;
using MassDpo.PipelineKit;
using MassDpo.Shared.Settings;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>Records from a topic, whose partitions all nodes that read share; outcomes in topics too.</summary>
public sealed class InputTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task Records_of_a_topic_are_read_by_all_nodes_that_do_and_events_go_to_theirs()
    {
        using var broker = new MockBroker();
        broker.CreateTopic("records", 4);
        string[] settings =
        [
            $"kafka.bootstrap = \"{broker.Bootstrap}\"", "kafka.topics.input = records", "ingest.shuffle = none", "ingest.passes = 1",
            "kafka.client { fetch.wait.max.ms = 5, session.timeout.ms = 4000, heartbeat.interval.ms = 50 }",
        ];
        var kafka = KafkaRunOptions.From(EffectiveSettings.Load(null, [], settings, []));
        await using (var records = stream.Open(SimulatedStream.Options(settings)))
            await KafkaWiring.FeedAsync(kafka, records, "none", CancellationToken.None);
        var output = stream.NewOutput();
        await using var cluster = new TestCluster(stream, settings) { HasFiles = false };
        var nodes = new[] { await cluster.BeginAsync("learner, ingest", output), await cluster.BeginAsync("ingest, selector") };
        foreach (var node in nodes)
            Assert.True((await node.Run).InputEnded);
        var trace = RunTrace.Of(output);
        var positions = trace.Trained.Concat(trace.Dead.Select(letter => letter.Position)).ToList();
        Assert.Equal(SimulatedStream.Lines, positions.Count);
        Assert.Equal(positions, positions.Distinct());
        Assert.Equal(SimulatedStream.Bad, trace.Dead.Count);
        Assert.Equal(4, positions.Select(position => position.Source).Distinct().Count());
        var events = 0;
        await foreach (var _ in TopicReader.ReadAsync(kafka.Kafka, kafka.Topics.Events.Name, fromBeginning: true, untilEnd: true, CancellationToken.None))
            events++;
        Assert.Equal(SimulatedStream.Lines - SimulatedStream.Bad, events);
    }
}
