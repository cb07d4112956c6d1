using System.Globalization;
using MassDpo.Kafka.Client;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Topics;

/// <summary>What was found and made.</summary>
/// <param name="Topics">by name, as they are now</param>
/// <param name="Notes">what was made and what could not be looked at, a sentence each</param>
public sealed record TopicsFound(IReadOnlyDictionary<string, TopicState> Topics, IReadOnlyList<string> Notes);

/// <summary>
/// Sees to it that topics are there and as they must be, before anything is read from them or written to them: makes what is missing, refuses what is wrong.
/// What a topic of others' is like it never changes.
/// </summary>
/// <param name="topics">what they must be like</param>
/// <param name="admin">of the cluster</param>
/// <param name="bootstrap">of the cluster, for the commands that mend it</param>
/// <param name="pause">between looks at whether what was made has come into being</param>
public sealed class TopicKeeper(KafkaTopics topics, ITopicAdmin admin, string bootstrap, TimeSpan pause)
{
    // A cluster tells all its brokers of a new topic within seconds, or is ill.
    private const int Looks = 100;
    private const int UsualReplicas = 3;

    /// <summary>Ensures the topics that these roles use, on the cluster that the options lead to.</summary>
    /// <exception cref="InvalidDataException">topics are wrong, or missing and cannot be made; or the options are no good</exception>
    /// <exception cref="IOException">the cluster cannot be reached, or does not bring forth what it made</exception>
    public static async Task<TopicsFound> EnsureAsync(KafkaOptions options, KafkaTopics topics, Roles roles, CancellationToken cancellation)
    {
        using var admin = new ClusterTopicAdmin(options);
        return await new TopicKeeper(topics, admin, options.Bootstrap, TimeSpan.FromMilliseconds(200)).EnsureAsync(roles, cancellation);
    }

    /// <summary>Ensures the topics that these roles use.</summary>
    /// <exception cref="InvalidDataException">topics are wrong, or missing and cannot be made: all of them, each with the command that mends it</exception>
    /// <exception cref="IOException">the cluster cannot be reached, or does not bring forth what it made</exception>
    public async Task<TopicsFound> EnsureAsync(Roles roles, CancellationToken cancellation)
    {
        var (needed, notes, wrong) = (topics.Of(roles), new List<string>(), new List<string>());
        var names = needed.Select(topic => topic.Name).ToList();
        var cluster = await admin.DescribeAsync(names, cancellation);
        var missing = needed.Where(topic => !cluster.Topics.ContainsKey(topic.Name)).ToList();
        foreach (var topic in missing)
            await MakeAsync(topic, cluster, notes, wrong, cancellation);
        Refuse(wrong);
        if (missing.Count > 0)
            cluster = await AwaitAsync(names, cancellation);
        if (cluster.Silence is { } silence)
            notes.Add(silence);
        foreach (var topic in needed)
            wrong.AddRange(Flaws(topic, cluster.Topics[topic.Name], notes));
        Refuse(wrong);
        return new TopicsFound(cluster.Topics, notes);
    }

    private async Task MakeAsync(TopicRequirement topic, ClusterTopics cluster, List<string> notes, List<string> wrong, CancellationToken cancellation)
    {
        var replicas = topics.Replication > 0 ? topics.Replication : Math.Clamp(cluster.Brokers, 1, UsualReplicas);
        var plan = new TopicPlan(topic.Name, topic.MadePartitions, replicas, topic.MadeWith(replicas));
        if (!topics.Create)
        {
            wrong.Add($"topic '{topic.Name}' ({topic.Key}) is missing and kafka.topics.create is off: set it to on, or run {Command(plan)}");
            return;
        }
        var (outcome, reason) = await admin.CreateAsync(plan, cancellation);
        switch (outcome)
        {
            case TopicCreation.Made:
                notes.Add($"made topic '{topic.Name}': {plan.Partitions} partitions, {plan.Replicas} replicas{string.Concat(plan.Settings.Select(setting => $", {setting.Key}={setting.Value}"))}");
                break;
            case TopicCreation.MadeByAsking:
                notes.Add($"topic '{topic.Name}' came into being as the cluster makes them by itself, which takes no request for it");
                break;
            case TopicCreation.Forbidden:
                wrong.Add($"topic '{topic.Name}' ({topic.Key}) is missing, or may not be seen, and may not be made ({reason}): let this client describe and create it, or have it made by {Command(plan)}");
                break;
            case TopicCreation.Refused:
                wrong.Add($"topic '{topic.Name}' ({topic.Key}) is missing and cannot be made ({reason}): make it yourself, {Command(plan)}");
                break;
        }
    }

    private async Task<ClusterTopics> AwaitAsync(IReadOnlyList<string> names, CancellationToken cancellation)
    {
        for (var look = 1; ; look++)
        {
            var cluster = await admin.DescribeAsync(names, cancellation);
            var absent = names.Where(name => !cluster.Topics.ContainsKey(name)).ToList();
            if (absent.Count == 0)
                return cluster;
            if (look == Looks)
                throw new IOException($"the cluster at {bootstrap} does not show what it made or says is there: {string.Join(", ", absent)}. Look at its controller, and whether this client may describe these topics");
            await Task.Delay(pause, cancellation);
        }
    }

    private IEnumerable<string> Flaws(TopicRequirement topic, TopicState state, List<string> notes)
    {
        if (state.Partitions < topic.LeastPartitions)
            yield return $"topic '{topic.Name}' ({topic.Key}) has {state.Partitions} partitions, it must have at least {topic.LeastPartitions}: run {AddPartitions(topic)}";
        if (state.Settings is not { } settings)
            yield break;
        foreach (var setting in topic.Settings)
            if (!settings.TryGetValue(setting.Name, out var value) || !setting.IsMetBy(value))
                yield return $"topic '{topic.Name}' ({topic.Key}) has {setting.Name} = {value ?? "nothing"}, it must be {setting.Wanted}: run {Alter(topic.Name, setting.Name, setting.Made)}";
        if (!settings.TryGetValue(TopicNames.MinInsync, out var text) || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var insync))
            insync = 1;
        if (insync > state.Replicas)
            yield return $"topic '{topic.Name}' ({topic.Key}) has {TopicNames.MinInsync} = {insync} with {state.Replicas} replicas, so nothing can be written to it: run {Alter(topic.Name, TopicNames.MinInsync, $"{(state.Replicas >= UsualReplicas ? 2 : 1)}")}";
        else if (topic.IsDurable && state.Replicas >= UsualReplicas && insync < 2)
            yield return $"topic '{topic.Name}' ({topic.Key}) has {TopicNames.MinInsync} = {insync}, with which one broker's end may lose what is written: run {Alter(topic.Name, TopicNames.MinInsync, "2")}";
        if (topic.Dubious is var (name, dubious, why) && settings.TryGetValue(name, out var found) && found.Split(',').Contains(dubious))
            notes.Add($"topic '{topic.Name}' ({topic.Key}) has {name} = {found}: {why}");
    }

    private static void Refuse(List<string> wrong)
    {
        if (wrong.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, wrong));
    }

    private string Command(TopicPlan plan) => $"kafka-topics.sh --bootstrap-server {bootstrap} --create --topic {plan.Name} --partitions {plan.Partitions} --replication-factor {plan.Replicas}"
        + string.Concat(plan.Settings.Select(setting => $" --config {setting.Key}={setting.Value}"));

    private string AddPartitions(TopicRequirement topic) => $"kafka-topics.sh --bootstrap-server {bootstrap} --alter --topic {topic.Name} --partitions {topic.MadePartitions}";

    private string Alter(string topic, string setting, string value) =>
        $"kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {topic} --add-config {setting}={value}";
}
