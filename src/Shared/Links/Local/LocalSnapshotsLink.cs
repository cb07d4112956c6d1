namespace MassDpo.Shared.Links.Local;

/// <summary>The snapshots link within one process: the tensors themselves are shared, counted by their holds.</summary>
public sealed class LocalSnapshotsLink : ISnapshotsLink, IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Subscription> _subscriptions = [];
    private PolicySnapshot? _newest;

    public void Publish(PolicySnapshot snapshot)
    {
        PolicySnapshot? dropped;
        lock (_lock)
        {
            if (snapshot.IsNewerThan(_newest))
                (dropped, _newest) = (_newest, snapshot);
            else
                dropped = snapshot;
            if (dropped != snapshot)
                foreach (var subscription in _subscriptions)
                    subscription.Signal();
        }
        dropped?.Release();
    }

    public ISnapshotSubscription Subscribe(Action signal)
    {
        var subscription = new Subscription(this, signal);
        lock (_lock)
        {
            _subscriptions.Add(subscription);
            if (_newest is not null)
                subscription.Signal();
        }
        return subscription;
    }

    /// <summary>Lets go of the newest snapshot.</summary>
    public void Dispose()
    {
        PolicySnapshot? last;
        lock (_lock)
            (last, _newest) = (_newest, null);
        last?.Release();
    }

    private sealed class Subscription(LocalSnapshotsLink link, Action signal) : ISnapshotSubscription
    {
        private bool _signalled;

        public void Signal()
        {
            if (_signalled)
                return;
            _signalled = true;
            signal();
        }

        public SnapshotLease? TryAcquire()
        {
            lock (link._lock)
            {
                _signalled = false;
                return link._newest?.TryAcquire();
            }
        }

        public void Dispose()
        {
            lock (link._lock)
                link._subscriptions.Remove(this);
        }
    }
}
