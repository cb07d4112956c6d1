using MassDpo.Shared.Contracts;
using System.Globalization;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Settings;

namespace MassDpo.Kafka.Tests.Topics;

/// <summary>A cluster's administration in memory, with Kafka's defaults.</summary>
internal sealed class MadeCluster(int brokers = 3) : ITopicAdmin
{
    private static readonly Dictionary<string, string> Defaults = new()
    {
        ["cleanup.policy"] = "delete",
        ["retention.ms"] = "604800000",
        ["segment.ms"] = "604800000",
        ["max.message.bytes"] = "1048588",
        ["min.insync.replicas"] = "1",
    };

    public Dictionary<string, TopicState> Topics { get; } = [];

    /// <summary>What it was asked to make.</summary>
    public List<TopicPlan> Asked { get; } = [];

    public string? Silence { get; set; }

    /// <summary>What becomes of making a topic.</summary>
    public Func<TopicPlan, (TopicCreation, string)> Answer { get; set; } = _ => (TopicCreation.Made, "");

    /// <summary>Looks for which a new topic is not shown yet.</summary>
    public int Late { get; set; }

    public static KafkaTopics Settings(params string[] assignments) => KafkaTopics.From(EffectiveSettings.Load(null, [], assignments, []));

    /// <summary>With a topic as the keeper would have made it, but for some settings.</summary>
    public MadeCluster With(TopicRequirement topic, params (string Name, string Value)[] settings) => With(topic, topic.MadePartitions, settings);

    public MadeCluster With(TopicRequirement topic, int partitions, params (string Name, string Value)[] settings)
    {
        Add(new TopicPlan(topic.Name, partitions, Math.Min(3, brokers), topic.MadeWith(Math.Min(3, brokers))), settings);
        return this;
    }

    public MadeCluster WithAll(KafkaTopics topics)
    {
        foreach (var topic in topics.All)
            With(topic);
        return this;
    }

    public Task<TopicsFound> EnsureAsync(KafkaTopics topics, Roles roles) => new TopicKeeper(topics, this, "broker:9092", TimeSpan.Zero).EnsureAsync(roles, CancellationToken.None);

    /// <summary>The lines with which it is refused.</summary>
    public async Task<string[]> RefusedAsync(KafkaTopics topics, Roles roles) =>
        (await Assert.ThrowsAsync<InvalidDataException>(() => EnsureAsync(topics, roles))).Message.Split(Environment.NewLine);

    public Task<ClusterTopics> DescribeAsync(IReadOnlyCollection<string> names, CancellationToken cancellation)
    {
        var shown = Asked.Count > 0 && Late-- > 0 ? [] : Topics.Where(topic => names.Contains(topic.Key)).ToDictionary();
        return Task.FromResult(new ClusterTopics(brokers, shown, Silence));
    }

    public Task<(TopicCreation Outcome, string Reason)> CreateAsync(TopicPlan plan, CancellationToken cancellation)
    {
        Asked.Add(plan);
        var answer = Answer(plan);
        if (answer.Item1 is TopicCreation.Made)
            Add(plan, []);
        return Task.FromResult(answer);
    }

    public void Dispose()
    {
    }

    private void Add(TopicPlan plan, (string Name, string Value)[] settings)
    {
        var all = new Dictionary<string, string>(Defaults);
        foreach (var (name, value) in plan.Settings.Select(setting => (setting.Key, setting.Value)).Concat(settings))
            all[name] = value;
        Topics[plan.Name] = new TopicState(plan.Partitions, plan.Replicas, Silence is null ? all : null);
    }

    public static string Days(double days) => TimeSpan.FromDays(days).TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
}
