using Confluent.Kafka;
using Confluent.Kafka.Admin;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;

namespace MassDpo.Kafka.Topics;

/// <summary>
/// A cluster's administration through Confluent.Kafka. What takes no such requests (<see cref="MockBroker"/>) tells of topics what its metadata tell, and
/// makes them by being asked for them.
/// </summary>
public sealed class ClusterTopicAdmin : ITopicAdmin
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // What a cluster without such a request, or a client without the right to it, answers.
    private static readonly ErrorCode[] Unsupported = [ErrorCode.Local_UnsupportedFeature, ErrorCode.UnsupportedVersion, ErrorCode.Local_NotImplemented];
    private static readonly ErrorCode[] Denied = [ErrorCode.TopicAuthorizationFailed, ErrorCode.ClusterAuthorizationFailed, ErrorCode.PolicyViolation];

    private readonly KafkaOptions _options;
    private readonly IAdminClient _client;
    private bool _isMock;

    /// <exception cref="InvalidDataException">no server is named, or librdkafka does not know a property</exception>
    public ClusterTopicAdmin(KafkaOptions options)
    {
        _options = options;
        _client = options.Build(() => new AdminClientBuilder(new AdminClientConfig(options.Client("massdpo-topics"))).SetLogHandler((_, _) => { }).Build());
    }

    public async Task<ClusterTopics> DescribeAsync(IReadOnlyCollection<string> names, CancellationToken cancellation)
    {
        // Of all topics: a cluster may make a topic that it is asked for by name.
        var metadata = await AskAsync(() => _client.GetMetadata(Patience), cancellation);
        _isMock = metadata.Topics.Any(topic => topic.Topic == MockBroker.Mark);
        var there = metadata.Topics.Where(topic => names.Contains(topic.Topic) && topic.Partitions.Count > 0).ToDictionary(topic => topic.Topic);
        var (settings, silence) = there.Count == 0 ? ([], null) : await SettingsAsync(there.Keys);
        return new ClusterTopics(metadata.Brokers.Count, there.ToDictionary(topic => topic.Key,
            topic => new TopicState(topic.Value.Partitions.Count, topic.Value.Partitions.Min(partition => partition.Replicas.Length), settings.GetValueOrDefault(topic.Key))), silence);
    }

    public async Task<(TopicCreation Outcome, string Reason)> CreateAsync(TopicPlan plan, CancellationToken cancellation)
    {
        var specification = new TopicSpecification
        {
            Name = plan.Name,
            NumPartitions = plan.Partitions,
            ReplicationFactor = checked((short)plan.Replicas),
            Configs = plan.Settings.ToDictionary(),
        };
        if (_isMock)
            return await AskForAsync(plan.Name, cancellation);
        Error error;
        try
        {
            await _client.CreateTopicsAsync([specification], new CreateTopicsOptions { RequestTimeout = Patience, OperationTimeout = Patience });
            return (TopicCreation.Made, "");
        }
        catch (CreateTopicsException e)
        {
            error = e.Results.FirstOrDefault()?.Error ?? e.Error;
        }
        catch (KafkaException e)
        {
            error = e.Error;
        }
        if (error.Code == ErrorCode.TopicAlreadyExists)
            return (TopicCreation.Existed, "");
        return Unsupported.Contains(error.Code) ? await AskForAsync(plan.Name, cancellation) : (Denied.Contains(error.Code) ? TopicCreation.Forbidden : TopicCreation.Refused, _options.Redact(error.Reason));
    }

    public void Dispose() => _client.Dispose();

    private async Task<(TopicCreation, string)> AskForAsync(string topic, CancellationToken cancellation)
    {
        var metadata = (await AskAsync(() => _client.GetMetadata(topic, Patience), cancellation)).Topics.FirstOrDefault(other => other.Topic == topic);
        // The first answer may be that it is not there yet.
        return metadata is { Error.Code: ErrorCode.NoError or ErrorCode.LeaderNotAvailable }
            ? (TopicCreation.MadeByAsking, "")
            : (TopicCreation.Refused, metadata is null ? "the cluster takes no request for it" : _options.Redact(metadata.Error.Reason));
    }

    private async Task<(Dictionary<string, IReadOnlyDictionary<string, string>> Settings, string? Silence)> SettingsAsync(IEnumerable<string> topics)
    {
        const string None = "the cluster does not tell what its topics are set to: their settings are not checked";
        var settings = new Dictionary<string, IReadOnlyDictionary<string, string>>();
        List<DescribeConfigsReport> reports;
        if (_isMock)
            return (settings, None);
        try
        {
            var results = await _client.DescribeConfigsAsync(topics.Select(topic => new ConfigResource { Type = ResourceType.Topic, Name = topic }),
                new DescribeConfigsOptions { RequestTimeout = Patience });
            reports = [.. results.Select(result => new DescribeConfigsReport { ConfigResource = result.ConfigResource, Entries = result.Entries, Error = new Error(ErrorCode.NoError) })];
        }
        catch (DescribeConfigsException e)
        {
            reports = e.Results;
        }
        catch (KafkaException e) when (Unsupported.Contains(e.Error.Code))
        {
            return (settings, None);
        }
        catch (KafkaException e)
        {
            throw new IOException($"{_options.Bootstrap} cannot be asked for its topics' settings: {_options.Redact(e.Error.Reason)}", e);
        }
        foreach (var report in reports.Where(report => !report.Error.IsError))
            settings[report.ConfigResource.Name] = report.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Value ?? "");
        var silent = reports.Where(report => report.Error.IsError).ToList();
        return (settings, silent.Count == 0
            ? null
            : $"settings of {string.Join(", ", silent.Select(report => report.ConfigResource.Name))} are not checked ({_options.Redact(silent[0].Error.Reason)}): let this client DescribeConfigs of them");
    }

    // The client blocks the thread that asks it: that is one of its own.
    private async Task<Metadata> AskAsync(Func<Metadata> ask, CancellationToken cancellation)
    {
        try
        {
            return await Task.Run(ask, cancellation);
        }
        catch (KafkaException e)
        {
            throw new IOException($"{_options.Bootstrap} cannot be asked for its topics: {_options.Redact(e.Error.Reason)}", e);
        }
    }
}
