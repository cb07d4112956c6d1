using MassDpo.Shared.Contracts;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Topics;

namespace MassDpo.Kafka.Tests.Topics;

public sealed class TopicKeeperTests
{
    private const Roles All = Roles.Learner | Roles.Selector | Roles.Ingest;

    private readonly KafkaTopics _topics = MadeCluster.Settings();

    [Fact]
    public async Task What_is_missing_is_made_as_it_must_be_and_told()
    {
        var cluster = new MadeCluster();
        var found = await cluster.EnsureAsync(_topics, All);
        Assert.Equal(_topics.All.Select(topic => topic.Name).Order(), found.Topics.Keys.Order());
        Assert.Equal(_topics.All.Select(topic => (topic.Name, topic.MadePartitions, 3)).Order(), cluster.Asked.Select(plan => (plan.Name, plan.Partitions, plan.Replicas)).Order());
        Assert.Contains("made topic 'massdpo.control': 2 partitions, 3 replicas, cleanup.policy=delete, min.insync.replicas=2, retention.ms=2592000000", found.Notes);
        Assert.Equal(6, found.Notes.Count);
        Assert.Empty((await cluster.EnsureAsync(_topics, All)).Notes);
        Assert.Equal(6, cluster.Asked.Count);
    }

    [Theory]
    [InlineData(Roles.Ingest, "preferences")]
    [InlineData(Roles.Selector, "massdpo.control", "massdpo.selections", "massdpo.snapshots", "preferences")]
    [InlineData(Roles.Learner, "massdpo.control", "massdpo.dead-letters", "massdpo.events", "massdpo.selections", "massdpo.snapshots")]
    public async Task A_role_ensures_what_it_uses(Roles roles, params string[] names) =>
        Assert.Equal(names, (await new MadeCluster().EnsureAsync(_topics, roles)).Topics.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 0, 2)]
    [InlineData(5, 0, 3)]
    [InlineData(5, 4, 4)]
    public async Task Topics_are_made_with_as_many_replicas_as_asked_for_or_as_there_are_brokers(int brokers, int asked, int made)
    {
        var cluster = new MadeCluster(brokers);
        await cluster.EnsureAsync(MadeCluster.Settings($"kafka.topics.replication={asked}"), All);
        Assert.All(cluster.Asked, plan => Assert.Equal(made, plan.Replicas));
        Assert.Equal(made >= 3, cluster.Asked.Single(plan => plan.Name == "massdpo.control").Settings.ContainsKey("min.insync.replicas"));
    }

    [Theory]
    [InlineData("control", "cleanup.policy", "compact", "delete")]
    [InlineData("control", "cleanup.policy", "compact,delete", "delete")]
    [InlineData("control", "retention.ms", "3600000", "at least 604800000")]
    [InlineData("control", "min.insync.replicas", "1", "one broker's end")]
    [InlineData("control", "min.insync.replicas", "4", "nothing can be written")]
    [InlineData("events", "retention.ms", "604799999", "at least 604800000")]
    [InlineData("events", "max.message.bytes", "1048588", "at least 8388608")]
    [InlineData("dead-letters", "cleanup.policy", "compact", "delete")]
    [InlineData("dead-letters", "retention.ms", "0", "at least 604800000")]
    [InlineData("selections", "max.message.bytes", "8388607", "at least 8388608")]
    [InlineData("selections", "retention.ms", "3599999", "at least 3600000")]
    [InlineData("selections", "min.insync.replicas", "4", "nothing can be written")]
    [InlineData("snapshots", "max.message.bytes", "614399", "at least 614400")]
    [InlineData("snapshots", "retention.ms", "299999", "at least 300000 and at most 86400000")]
    [InlineData("snapshots", "retention.ms", "-1", "at least 300000 and at most 86400000")]
    [InlineData("snapshots", "segment.ms", "604800000", "at most 86400000")]
    [InlineData("snapshots", "cleanup.policy", "compact", "delete")]
    public async Task A_topic_that_is_set_otherwise_is_refused_with_the_command_that_mends_it(string topic, string setting, string value, string wanted)
    {
        var wrong = _topics.All.Single(other => other.Key == "kafka.topics." + topic);
        var cluster = new MadeCluster().WithAll(_topics).With(wrong, (setting, value));
        var refused = Assert.Single(await cluster.RefusedAsync(_topics, All));
        Assert.StartsWith($"topic '{wrong.Name}' ({wrong.Key}) has {setting} = {value}", refused);
        Assert.Contains(wanted, refused);
        var command = refused[(refused.IndexOf("run ", StringComparison.Ordinal) + 4)..];
        Assert.StartsWith($"kafka-configs.sh --bootstrap-server broker:9092 --alter --entity-type topics --entity-name {wrong.Name} --add-config {setting}=", command);
        // What the command sets is good.
        await cluster.With(wrong, (setting, command[(command.LastIndexOf('=') + 1)..])).EnsureAsync(_topics, All);
    }

    [Theory]
    [InlineData("control", 1, 2)]
    [InlineData("snapshots", 3, 4)]
    public async Task Too_few_partitions_are_refused_with_the_command_that_adds_some(string topic, int partitions, int wanted)
    {
        var wrong = _topics.All.Single(other => other.Key == "kafka.topics." + topic);
        var refused = Assert.Single(await new MadeCluster().WithAll(_topics).With(wrong, partitions).RefusedAsync(_topics, All));
        Assert.Equal($"topic '{wrong.Name}' ({wrong.Key}) has {partitions} partitions, it must have at least {wanted}: "
            + $"run kafka-topics.sh --bootstrap-server broker:9092 --alter --topic {wrong.Name} --partitions {wanted}", refused);
        await new MadeCluster().WithAll(_topics).With(wrong, 20).EnsureAsync(_topics, All);
    }

    [Fact]
    public async Task All_that_is_wrong_is_told_at_once_and_what_is_kept_without_limit_is_kept_long_enough()
    {
        var cluster = new MadeCluster().WithAll(_topics).With(_topics.Control, 1, ("retention.ms", "1")).With(_topics.Events, ("cleanup.policy", "compact"), ("retention.ms", "-1"));
        Assert.Equal(["kafka.topics.control", "kafka.topics.control", "kafka.topics.events"],
            (await cluster.RefusedAsync(_topics, All)).Select(line => line.Split('(', ')')[1]).Order());
        Assert.Equal(2, (await cluster.RefusedAsync(_topics, Roles.Selector)).Length);
        Assert.Empty(cluster.Asked);
    }

    [Fact]
    public async Task An_input_of_any_form_will_do_but_of_a_compacted_one_is_warned()
    {
        Assert.Empty((await new MadeCluster().With(_topics.Input, 1, ("retention.ms", "1")).EnsureAsync(_topics, Roles.Ingest)).Notes);
        foreach (var policy in new[] { "compact", "compact,delete" })
            Assert.StartsWith($"topic 'preferences' (kafka.topics.input) has cleanup.policy = {policy}: ",
                Assert.Single((await new MadeCluster().With(_topics.Input, ("cleanup.policy", policy)).EnsureAsync(_topics, Roles.Ingest)).Notes));
    }

    [Fact]
    public async Task A_topic_that_another_process_makes_at_the_same_time_is_taken_and_looked_at_too()
    {
        var cluster = new MadeCluster();
        cluster.Answer = plan =>
        {
            cluster.With(_topics.All.Single(topic => topic.Name == plan.Name));
            return (TopicCreation.Existed, "");
        };
        Assert.Empty((await cluster.EnsureAsync(_topics, All)).Notes);
        cluster.Topics.Clear();
        cluster.Answer = plan =>
        {
            cluster.With(_topics.All.Single(topic => topic.Name == plan.Name), ("cleanup.policy", "compact"));
            return (TopicCreation.Existed, "");
        };
        Assert.Equal(5, (await cluster.RefusedAsync(_topics, All)).Length);
    }

    [Fact]
    public async Task A_topic_that_is_shown_later_than_it_was_made_is_waited_for_but_not_for_ever()
    {
        Assert.Equal(6, (await new MadeCluster { Late = 5 }.EnsureAsync(_topics, All)).Topics.Count);
        Assert.Contains("preferences", (await Assert.ThrowsAsync<IOException>(() => new MadeCluster { Late = int.MaxValue }.EnsureAsync(_topics, Roles.Ingest))).Message);
    }

    [Fact]
    public async Task Without_the_right_to_make_topics_or_the_wish_the_command_that_makes_them_is_told()
    {
        const string Command = "kafka-topics.sh --bootstrap-server broker:9092 --create --topic massdpo.control --partitions 2 --replication-factor 3"
            + " --config cleanup.policy=delete --config min.insync.replicas=2 --config retention.ms=2592000000";
        var cluster = new MadeCluster().WithAll(_topics);
        cluster.Topics.Remove("massdpo.control");
        cluster.Answer = _ => (TopicCreation.Forbidden, "Topic authorization failed");
        Assert.Equal($"topic 'massdpo.control' (kafka.topics.control) is missing, or may not be seen, and may not be made (Topic authorization failed): let this client describe and create it, or have it made by {Command}",
            Assert.Single(await cluster.RefusedAsync(_topics, All)));
        cluster.Answer = _ => (TopicCreation.Refused, "Replication factor: 3 larger than available brokers: 2");
        Assert.Equal($"topic 'massdpo.control' (kafka.topics.control) is missing and cannot be made (Replication factor: 3 larger than available brokers: 2): make it yourself, {Command}",
            Assert.Single(await cluster.RefusedAsync(_topics, All)));
        cluster.Asked.Clear();
        Assert.Equal($"topic 'massdpo.control' (kafka.topics.control) is missing and kafka.topics.create is off: set it to on, or run {Command}",
            Assert.Single(await cluster.RefusedAsync(MadeCluster.Settings("kafka.topics.create=off"), All)));
        Assert.Empty(cluster.Asked);
    }

    [Fact]
    public async Task A_cluster_that_does_not_tell_settings_is_told_of_once_and_its_partitions_are_checked()
    {
        var cluster = new MadeCluster { Silence = "it does not tell" }.WithAll(_topics);
        Assert.Equal(["it does not tell"], (await cluster.EnsureAsync(_topics, All)).Notes);
        Assert.Contains("2", Assert.Single(await cluster.With(_topics.Control, 1).RefusedAsync(_topics, All)));
    }

    [Fact]
    public async Task The_cluster_for_development_takes_no_such_requests_and_does()
    {
        using var broker = new MockBroker();
        broker.CreateTopic("massdpo.control", 1);
        var options = new KafkaOptions(broker.Bootstrap, []);
        Assert.Contains("at least 2", (await Assert.ThrowsAsync<InvalidDataException>(() => TopicKeeper.EnsureAsync(options, _topics, All, CancellationToken.None))).Message);
        var found = await TopicKeeper.EnsureAsync(options, MadeCluster.Settings("kafka.topics.control=other"), All, CancellationToken.None);
        Assert.Equal(6, found.Topics.Count);
        Assert.All(found.Topics.Values, topic => Assert.Equal((4, 1), (topic.Partitions, topic.Replicas)));
        Assert.Equal(["the cluster does not tell what its topics are set to: their settings are not checked", "topic 'other' came into being as the cluster makes them by itself, which takes no request for it"],
            found.Notes.Order(StringComparer.Ordinal));
    }
}
