using MassDpo.Kafka.Client;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Tests.Topics;

/// <summary>The keeper through librdkafka, against a broker that takes its requests.</summary>
public sealed class ClusterTopicAdminTests
{
    private const short TopicExists = 36, Forbidden = 29, InvalidReplication = 38;

    private readonly KafkaTopics _topics = MadeCluster.Settings();

    [Fact]
    public async Task Topics_are_made_with_their_settings_and_found_good_afterwards()
    {
        await using var server = new AdminServer();
        var found = await EnsureAsync(server, Roles.Learner);
        Assert.Equal(5, found.Notes.Count);
        var control = server.Topics["massdpo.control"];
        Assert.Equal((2, 1), (control.Partitions, control.Replicas));
        Assert.Equal(new() { ["cleanup.policy"] = "delete", ["retention.ms"] = "2592000000" }, control.Settings);
        Assert.Empty((await EnsureAsync(server, Roles.Learner)).Notes);
        control.Settings["cleanup.policy"] = "compact";
        Assert.StartsWith("topic 'massdpo.control' (kafka.topics.control) has cleanup.policy = compact, it must be delete: run kafka-configs.sh",
            (await Assert.ThrowsAsync<InvalidDataException>(() => EnsureAsync(server, Roles.Learner))).Message);
    }

    [Fact]
    public async Task Who_may_not_make_topics_or_asks_for_what_cannot_be_is_told_the_reason()
    {
        await using var server = new AdminServer { CreateError = Forbidden };
        Assert.Contains("may not be made (", (await Assert.ThrowsAsync<InvalidDataException>(() => EnsureAsync(server, Roles.Ingest))).Message);
        server.CreateError = InvalidReplication;
        Assert.Contains("cannot be made (", (await Assert.ThrowsAsync<InvalidDataException>(() => EnsureAsync(server, Roles.Ingest))).Message);
    }

    [Fact]
    public async Task A_topic_that_is_made_meanwhile_is_taken()
    {
        await using var server = new AdminServer { CreateError = TopicExists };
        using var admin = new ClusterTopicAdmin(new KafkaOptions(server.Bootstrap, []));
        await admin.DescribeAsync(["preferences"], CancellationToken.None);
        lock (server.Topics)
            server.Topics["preferences"] = new ServedTopic(1, 1, []);
        Assert.Equal(TopicCreation.Existed, (await admin.CreateAsync(new TopicPlan("preferences", 8, 1, new Dictionary<string, string>()), CancellationToken.None)).Outcome);
    }

    [Fact]
    public async Task Who_may_not_see_the_settings_of_a_topic_is_told_which_and_the_others_are_checked()
    {
        await using var server = new AdminServer();
        await EnsureAsync(server, Roles.Learner);
        server.Topics["massdpo.events"] = server.Topics["massdpo.events"] with { DescribeError = Forbidden };
        Assert.StartsWith("settings of massdpo.events are not checked (", Assert.Single((await EnsureAsync(server, Roles.Learner)).Notes));
        server.Topics["massdpo.control"].Settings["retention.ms"] = "1";
        Assert.Contains("retention.ms = 1", (await Assert.ThrowsAsync<InvalidDataException>(() => EnsureAsync(server, Roles.Learner))).Message);
    }

    [Fact]
    public async Task A_cluster_that_takes_no_such_requests_is_told_of_once()
    {
        await using var server = new AdminServer { Administers = false };
        foreach (var topic in _topics.All)
            server.Topics[topic.Name] = new ServedTopic(4, 1, []);
        Assert.Equal(["the cluster does not tell what its topics are set to: their settings are not checked"], (await EnsureAsync(server, Roles.Learner)).Notes);
    }

    private Task<TopicsFound> EnsureAsync(AdminServer server, Roles roles) =>
        TopicKeeper.EnsureAsync(new KafkaOptions(server.Bootstrap, []), _topics, roles, CancellationToken.None);
}
