using Confluent.Kafka;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.Kafka.Links;

/// <summary>
/// The snapshots link over a topic. A snapshot is cut into chunks, spread over all partitions but the first; when they are all there a manifest in partition
/// 0 says where they stand and what their hashes are. So a selector reads the newest one alone, a late one included, and goes on in the middle when the
/// cluster was away. The learner sends one at a time, the newest that it has; versions in between may be left out.
/// </summary>
public sealed class KafkaSnapshotsLink : ISnapshotsLink, IDisposable
{
    private readonly Lazy<SnapshotSender> _sender;
    private readonly Lazy<SnapshotFetcher> _fetcher;
    private readonly LocalSnapshotsLink _received = new();

    /// <param name="options">how to reach the topic</param>
    /// <param name="topic">of five partitions or more, else chunks share what there is</param>
    /// <param name="format">of the tensors</param>
    public KafkaSnapshotsLink(KafkaLinkOptions options, string topic, ISnapshotFormat format)
    {
        _sender = new Lazy<SnapshotSender>(() => new SnapshotSender(options, topic, format));
        _fetcher = new Lazy<SnapshotFetcher>(() => new SnapshotFetcher(options, topic, format, _received));
    }

    /// <inheritdoc/>
    public void Publish(PolicySnapshot snapshot) => _sender.Value.Send(snapshot);

    /// <inheritdoc/>
    public ISnapshotSubscription Subscribe(Action signal)
    {
        var subscription = _received.Subscribe(signal);
        _ = _fetcher.Value;
        return subscription;
    }

    /// <summary>Stops sending and fetching, and lets go of what was fetched.</summary>
    public void Dispose()
    {
        if (_sender.IsValueCreated)
            _sender.Value.Dispose();
        if (_fetcher.IsValueCreated)
            _fetcher.Value.Dispose();
        _received.Dispose();
    }

    /// <summary>Where the manifests stand.</summary>
    internal static TopicPartition Manifests(string topic) => new(topic, 0);

    /// <summary>Where chunks go: all partitions but that of the manifests, where there are others.</summary>
    internal static IReadOnlyList<int> ChunkPartitions(int partitions) => partitions == 1 ? [0] : [.. Enumerable.Range(1, partitions - 1)];
}
