namespace MassDpo.Shared.Links;

/// <summary>
/// Brings the policy from the learner to the selectors: a cell with the newest snapshot. Ordered by epoch and version, newest wins; versions in between
/// may be missed; nobody waits for anybody.
/// </summary>
public interface ISnapshotsLink
{
    /// <summary>Publishes a snapshot, which the link then owns. One that is not newer than the newest is dropped.</summary>
    void Publish(PolicySnapshot snapshot);

    /// <summary>
    /// Calls <paramref name="signal"/> when there is a snapshot that was not looked at by <see cref="ISnapshotSubscription.TryAcquire"/> since the last call, at once if there is
    /// one now. Signals are coalesced: at most one is outstanding until the subscriber acquires. It must not block.
    /// </summary>
    ISnapshotSubscription Subscribe(Action signal);
}

/// <summary>One subscriber's view of the newest snapshot.</summary>
public interface ISnapshotSubscription : IDisposable
{
    /// <summary>The newest snapshot, kept alive until the lease is disposed; null before the first.</summary>
    SnapshotLease? TryAcquire();
}
