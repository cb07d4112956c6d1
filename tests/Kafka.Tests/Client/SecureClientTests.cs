using System.Text;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Links;
using MassDpo.Kafka.Records;
using MassDpo.Kafka.Redrive;
using MassDpo.Kafka.Sinks;
using MassDpo.Kafka.Tests.Input;
using MassDpo.Kafka.Tests.Topics;
using MassDpo.Kafka.Topics;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.Kafka.Tests.Client;

/// <summary>What <c>kafka.client</c> says of TLS and SASL reaches every client that this program makes.</summary>
public sealed class SecureClientTests : IAsyncDisposable
{
    private readonly SecureBroker _broker = new();
    private readonly TempFolder _folder = new();

    public async ValueTask DisposeAsync()
    {
        await _broker.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Every_client_gets_through_to_a_broker_that_demands_a_certificate_and_a_password()
    {
        var kafka = Options();
        var topics = MadeCluster.Settings();
        foreach (var (name, partitions) in new[] { (topics.Input.Name, 1), (topics.Control.Name, 2), (topics.Selections.Name, 1), (topics.Snapshots.Name, 3), (topics.DeadLetters.Name, 1), (topics.Events.Name, 1) })
            _broker.Broker.CreateTopic(name, partitions);
        using (var admin = new ClusterTopicAdmin(kafka))
            Assert.Equal([topics.Input.Name], (await admin.DescribeAsync([topics.Input.Name], default)).Topics.Keys);
        // Records in, and out again.
        using (var producer = new RecordProducer(kafka, topics.Input.Name))
        {
            await producer.ProduceAsync("r", null, "{}"u8.ToArray(), null, default);
            await producer.FlushAsync(default);
        }
        await using (var source = await KafkaSource.OpenAsync(kafka, InputTopic.Options(topics.Input.Name), TimeProvider.System, default))
        await using (var reader = new Reader(source))
            Assert.IsType<SourceEntry.Bytes>((await reader.UntilAsync(entry => entry is SourceEntry.Bytes))[^1]);
        await using (var messages = TopicReader.ReadAsync(kafka, topics.Input.Name, fromBeginning: true, untilEnd: true, default).GetAsyncEnumerator())
            Assert.True(await messages.MoveNextAsync());
        // Each link, both ways.
        var link = new KafkaLinkOptions(kafka, "group", e => Assert.Fail(e.Message), Assert.Fail);
        var (told, heard, received, loaded) = (new Inbox<ControlMessage>(), new Inbox<ControlNotice>(), new Inbox<SelectionBlock>(), new Inbox<int>());
        using (var control = new KafkaControlLink(link, topics.Control.Name))
        {
            using var authority = await control.ClaimAsync(new EpochClaim(1, 0, "h"), (message, _) => Taken(told, message), _ => { }, default);
            using var member = control.Join("m", heard.Add);
            authority.Announce(new EpochOpened(1, 0, new SettledPositions()));
            await control.SendAsync(new SelectorReady("m", 1), default);
            await heard.Take(1);
            await told.Take(1);
        }
        using (var selections = new KafkaSelectionsLink(link, topics.Selections.Name))
        {
            using var receiver = selections.Receive((block, _) => Taken(received, block));
            await selections.SendAsync(Samples.Selections(), default);
            await received.Take(1);
        }
        using (var snapshots = new KafkaSnapshotsLink(link, topics.Snapshots.Name, new NamedTensorsFormat(1000)))
        {
            using var subscription = snapshots.Subscribe(() => loaded.Add(0));
            snapshots.Publish(new PolicySnapshot(1, 1, new NamedTensors("one")));
            await loaded.Take(1);
        }
        // Outcomes, and what went to dead letters back again.
        using (var outcomes = new TopicOutcomes(kafka, topics))
        {
            outcomes.Died(new DeadLetter(new Position($"{topics.Input.Name}/0", 0, 0), "json", "why", RecordOrigin.Of($"{topics.Input.Name}/0", 0, "{}"u8)), version: 1, epoch: 1);
            outcomes.Flush();
        }
        using (var redriver = new Redriver(kafka, new RedriveRequest(topics.DeadLetters.Name, topics.Input.Name, "redrive", [], IsDryRun: false), _ => { }))
            Assert.Equal(new RedriveCount(1, 0, 0, 0), (await redriver.RunAsync(default))["json"]);
        Assert.InRange(_broker.Admitted, 10, int.MaxValue);
    }

    [Theory]
    [InlineData("another authority", "certificate verify failed")]
    [InlineData("no TLS", "was not reached")]
    [InlineData("wrong password", "refuses who asks")]
    public async Task Who_lacks_one_of_them_is_told_so_without_the_password(string fault, string reason)
    {
        var options = fault switch
        {
            "another authority" => Options(pem: SecureBroker.OtherPem()),
            "no TLS" => new KafkaOptions(_broker.Bootstrap, []),
            _ => Options(password: "swordfish"),
        };
        var failure = await Assert.ThrowsAsync<IOException>(() =>
            KafkaSource.OpenAsync(options, InputTopic.Options("any") with { Patience = TimeSpan.FromMilliseconds(1) }, TimeProvider.System, default));
        foreach (var part in new[] { _broker.Bootstrap, reason, "kafka.client" })
            Assert.Contains(part, failure.Message);
        Assert.Equal(0, _broker.Admitted);
        foreach (var secret in new[] { "swordfish", SecureBroker.Password })
            Assert.DoesNotContain(secret, failure + options.ToString());
    }

    /// <remarks>A client that is made otherwise would not have them, nor be in the list above.</remarks>
    [Fact]
    public void Every_client_is_built_of_the_properties_of_kafka_client()
    {
        var builders = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories).Select(file => (Name: Path.GetFileName(file), Text: File.ReadAllText(file)))
            .Where(file => file.Text.Contains("new ConsumerBuilder<") || file.Text.Contains("new ProducerBuilder<") || file.Text.Contains("new AdminClientBuilder(")).ToList();
        Assert.Equal(["ClusterTopicAdmin.cs", "KafkaSource.cs", "LinkProducer.cs", "OriginalReader.cs", "PartitionReader.cs", "RecordProducer.cs", "RedriveProgress.cs", "Redriver.cs", "SnapshotFetcher.cs", "TopicReader.cs"],
            builders.Select(file => file.Name).Order(StringComparer.Ordinal));
        foreach (var (name, text) in builders)
        {
            var configs = Count(text, "new ConsumerConfig(") + Count(text, "new ProducerConfig(") + Count(text, "new AdminClientConfig(");
            Assert.True(configs > 0 && configs == Count(text, ".Client(\"") + Count(text, ".Client($\"") + Count(text, ".Client(name)") + Count(text, ".Client(client)"), name);
        }

        static int Count(string text, string part) => text.Split(part).Length - 1;
    }

    private KafkaOptions Options(string? pem = null, string password = SecureBroker.Password) => new(_broker.Bootstrap,
    [
        new("security.protocol", "sasl_ssl"), new("ssl.ca.location", _folder.Write("ca.pem", pem ?? _broker.Pem)), new("sasl.mechanism", "PLAIN"), new("sasl.username", SecureBroker.User),
        new("sasl.password", password), new("fetch.wait.max.ms", "10"), new("session.timeout.ms", "4000"), new("heartbeat.interval.ms", "50"),
    ]);

    private static ValueTask Taken<T>(Inbox<T> inbox, T item)
    {
        inbox.Add(item);
        return ValueTask.CompletedTask;
    }
}
