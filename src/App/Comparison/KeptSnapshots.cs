using MassDpo.Shared.Links;

namespace MassDpo.App.Comparison;

/// <summary>A snapshots link that keeps hold of some versions as they pass, to be measured when the run is over.</summary>
internal sealed class KeptSnapshots(ISnapshotsLink link, IReadOnlySet<long> versions) : ISnapshotsLink, IDisposable
{
    private readonly SortedDictionary<long, SnapshotLease> _kept = [];

    /// <summary>The versions that passed, oldest first. To be read when nobody publishes any more.</summary>
    public IReadOnlyDictionary<long, SnapshotLease> Kept => _kept;

    public void Publish(PolicySnapshot snapshot)
    {
        // A version comes again after a restart of the learner: the same weights.
        if (versions.Contains(snapshot.Version) && !_kept.ContainsKey(snapshot.Version))
            _kept[snapshot.Version] = snapshot.TryAcquire()!;
        link.Publish(snapshot);
    }

    public ISnapshotSubscription Subscribe(Action signal) => link.Subscribe(signal);

    public void Dispose()
    {
        foreach (var lease in _kept.Values)
            lease.Dispose();
        (link as IDisposable)?.Dispose();
    }
}
