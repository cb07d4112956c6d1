using MassDpo.Shared.Links;

namespace MassDpo.LinkKit;

/// <summary>What every snapshots link has to do. Its tensors are <see cref="NamedTensors"/>.</summary>
public abstract class SnapshotsLinkContract
{
    /// <summary>One end of a link; all ends that a test asks for belong to the same link, each as if it were in a process of its own.</summary>
    protected abstract ISnapshotsLink End();

    [Fact]
    public async Task The_newest_wins_by_epoch_and_then_version_and_older_ones_are_dropped()
    {
        var (learner, selector) = (End(), End());
        var subscriber = new Subscriber(selector);
        Assert.Null(subscriber.TryAcquire());
        foreach (var (epoch, version) in new[] { (1, 5), (1, 4), (2, 3), (1, 9), (2, 3) })
            learner.Publish(new PolicySnapshot(epoch, version, new NamedTensors("e" + epoch + "v" + version)));
        using var lease = await subscriber.Until(2, 3);
        Assert.Equal("e2v3", lease.Hash);
        Assert.Equal(subscriber.Seen.Order(), subscriber.Seen);
        Assert.Equal("e2v3", lease.Tensors.ComputeHash());
    }

    [Fact]
    public async Task Who_comes_late_is_told_of_the_newest()
    {
        var learner = End();
        learner.Publish(new PolicySnapshot(1, 1, new NamedTensors("one")));
        learner.Publish(new PolicySnapshot(1, 2, new NamedTensors("two")));
        using var early = await new Subscriber(End()).Until(1, 2);
        var late = new Subscriber(End());
        using var lease = await late.Until(1, 2);
        Assert.Equal([(1, 2)], late.Seen);
    }

    [Fact]
    public async Task A_slow_subscriber_gets_one_signal_and_holds_nobody_up()
    {
        var (learner, selector) = (End(), End());
        var (slow, quick) = (new Subscriber(selector), new Subscriber(selector));
        for (var version = 1; version <= 100; version++)
            learner.Publish(new PolicySnapshot(1, version, new NamedTensors("v" + version)));
        (await quick.Until(1, 100)).Dispose();
        Assert.Equal(1, slow.Signals);
        (await slow.Until(1, 100)).Dispose();
        learner.Publish(new PolicySnapshot(1, 101, new NamedTensors("v101")));
        (await slow.Until(1, 101)).Dispose();
    }

    [Fact]
    public async Task Tensors_live_while_they_are_held_and_go_when_the_last_hold_does()
    {
        var (learner, selector) = (End(), End());
        var subscriber = new Subscriber(selector);
        learner.Publish(new PolicySnapshot(1, 1, new NamedTensors("1")));
        var lease = await subscriber.Until(1, 1);
        var again = subscriber.TryAcquire()!;
        learner.Publish(new PolicySnapshot(1, 2, new NamedTensors("2")));
        var (first, newest) = ((NamedTensors)lease.Tensors, await subscriber.Until(1, 2));
        Assert.False(first.Disposed);
        lease.Dispose();
        lease.Dispose();
        Assert.False(first.Disposed);
        Assert.Same(first, again.Tensors);
        again.Dispose();
        Assert.True(first.Disposed);
        Assert.Throws<ObjectDisposedException>(() => again.Tensors);
        var second = (NamedTensors)newest.Tensors;
        newest.Dispose();
        Assert.False(second.Disposed);
        (selector as IDisposable)?.Dispose();
        Assert.True(second.Disposed);
    }

    [Fact]
    public void A_snapshot_that_is_not_newer_is_freed()
    {
        var learner = End();
        learner.Publish(new PolicySnapshot(1, 2, new NamedTensors("new")));
        var old = new NamedTensors("old");
        learner.Publish(new PolicySnapshot(1, 1, old));
        Assert.True(old.Disposed);
    }

    [Fact]
    public async Task A_reference_policy_comes_with_the_versions_that_it_belongs_to()
    {
        var (learner, selector) = (End(), End());
        var subscriber = new Subscriber(selector);
        learner.Publish(new PolicySnapshot(1, 1, new NamedTensors("1")));
        (await subscriber.Until(1, 1)).Dispose();
        var (first, second) = (new SharedTensors(new NamedTensors("r1")), new SharedTensors(new NamedTensors("r2")));
        var tensors = new List<SharedTensors>();
        foreach (var (version, reference) in new[] { (2, first), (3, first), (4, second) })
        {
            learner.Publish(new PolicySnapshot(1, version, new NamedTensors("v" + version), reference));
            using var lease = await subscriber.Until(1, version);
            Assert.Equal(reference.Hash, lease.Reference!.Hash);
            tensors.Add(lease.Reference);
        }
        Assert.Same(tensors[0], tensors[1]);
        first.Release();
        second.Release();
    }

    /// <summary>Takes what comes, and waits for one.</summary>
    protected sealed class Subscriber
    {
        private readonly Inbox<int> _signals = new();
        private readonly ISnapshotSubscription _subscription;

        public Subscriber(ISnapshotsLink link) => _subscription = link.Subscribe(() => _signals.Add(0));

        public int Signals => _signals.Count;

        public List<(long Epoch, long Version)> Seen { get; } = [];

        public SnapshotLease? TryAcquire() => _subscription.TryAcquire();

        public async Task<SnapshotLease> Until(long epoch, long version)
        {
            while (true)
            {
                await _signals.Take(1);
                var lease = TryAcquire();
                if (lease is null)
                    continue;
                Seen.Add((lease.Epoch, lease.Version));
                if ((lease.Epoch, lease.Version) == (epoch, version))
                    return lease;
                lease.Dispose();
            }
        }
    }
}
