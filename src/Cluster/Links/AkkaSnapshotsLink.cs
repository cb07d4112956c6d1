using Akka.Actor;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.Cluster.Links;

/// <summary>
/// An end of the snapshots link of a cluster. The learner's end offers each snapshot at the hub, which tells the newest to all; the bytes go from node to node, pulled by those who want
/// them, once per node however many subscribers it has. When the hub's node is lost the next hub is told of the newest again. Versions in between may be left out.
/// </summary>
public sealed class AkkaSnapshotsLink : ISnapshotsLink, IDisposable
{
    private readonly Exchange _exchange;
    private readonly IActorRef _end;
    private readonly Lazy<SnapshotPublisher> _publisher;
    private readonly Lazy<SnapshotFetcher> _fetcher;
    private readonly LocalSnapshotsLink _received = new();

    /// <param name="exchange">the way to the hub</param>
    /// <param name="link">its name, which no other of the cluster has but its other ends</param>
    /// <param name="format">of the tensors</param>
    /// <param name="note">told of snapshots that were left out, and why</param>
    /// <param name="failed">told, once at most from each side, why it cannot go on</param>
    public AkkaSnapshotsLink(Exchange exchange, string link, ISnapshotFormat format, Action<string> note, Action<Exception> failed)
    {
        (_exchange, _end) = (exchange, exchange.Open(link));
        _publisher = new Lazy<SnapshotPublisher>(() => new SnapshotPublisher(exchange.System, _end, format, failed));
        _fetcher = new Lazy<SnapshotFetcher>(() => new SnapshotFetcher(exchange.System, _end, format, _received, note, failed));
    }

    /// <inheritdoc/>
    public void Publish(PolicySnapshot snapshot) => _publisher.Value.Publish(snapshot);

    /// <inheritdoc/>
    public ISnapshotSubscription Subscribe(Action signal)
    {
        var subscription = _received.Subscribe(signal);
        _ = _fetcher.Value;
        return subscription;
    }

    /// <summary>Closes the end: nothing is offered or pulled any more, and what was pulled is let go of.</summary>
    public void Dispose()
    {
        _exchange.Close(_end);
        if (_publisher.IsValueCreated)
            _publisher.Value.Dispose();
        if (_fetcher.IsValueCreated)
            _fetcher.Value.Dispose();
        _received.Dispose();
    }
}
