namespace MassDpo.Kafka.Topics;

/// <summary>What a topic is like.</summary>
/// <param name="Partitions">it has</param>
/// <param name="Replicas">of each partition</param>
/// <param name="Settings">by Kafka's names, defaults included; null where the cluster does not tell</param>
public sealed record TopicState(int Partitions, int Replicas, IReadOnlyDictionary<string, string>? Settings);

/// <summary>What a cluster tells of topics.</summary>
/// <param name="Brokers">it has</param>
/// <param name="Topics">those asked for that are there, by name</param>
/// <param name="Silence">why it does not tell settings, of some topics or of all, as a sentence; null where it does</param>
public sealed record ClusterTopics(int Brokers, IReadOnlyDictionary<string, TopicState> Topics, string? Silence);

/// <summary>A topic to make.</summary>
public sealed record TopicPlan(string Name, int Partitions, int Replicas, IReadOnlyDictionary<string, string> Settings);

/// <summary>What became of making a topic.</summary>
public enum TopicCreation
{
    Made,
    /// <summary>Somebody else was faster.</summary>
    Existed,
    /// <summary>The cluster takes no such request, but made the topic its own way when it was asked for it.</summary>
    MadeByAsking,
    /// <summary>This client may not.</summary>
    Forbidden,
    /// <summary>For another reason.</summary>
    Refused,
}

/// <summary>What is asked of a cluster's administration.</summary>
public interface ITopicAdmin : IDisposable
{
    /// <summary>Asks for topics; makes none.</summary>
    /// <exception cref="IOException">the cluster cannot be reached</exception>
    Task<ClusterTopics> DescribeAsync(IReadOnlyCollection<string> names, CancellationToken cancellation);

    /// <summary>Makes a topic; the reason goes with what could not be made.</summary>
    /// <exception cref="IOException">the cluster cannot be reached</exception>
    Task<(TopicCreation Outcome, string Reason)> CreateAsync(TopicPlan plan, CancellationToken cancellation);
}
