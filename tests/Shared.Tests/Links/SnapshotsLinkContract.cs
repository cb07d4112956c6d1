using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.Shared.Tests.Links;

/// <summary>What every snapshots link has to do.</summary>
public abstract class SnapshotsLinkContract
{
    protected abstract ISnapshotsLink Create();

    [Fact]
    public async Task The_newest_wins_by_epoch_and_then_version_and_older_ones_are_dropped()
    {
        var link = Create();
        var signals = new Inbox<int>();
        using var subscription = link.Subscribe(() => signals.Add(0));
        Assert.Null(subscription.TryAcquire());
        foreach (var (epoch, version) in new[] { (1, 5), (1, 4), (2, 3), (1, 9), (2, 3) })
            link.Publish(new PolicySnapshot(epoch, version, new Tensors("e" + epoch + "v" + version)));
        await signals.Take(1);
        using var lease = subscription.TryAcquire();
        Assert.Equal((2, 3, "e2v3"), (lease!.Epoch, lease.Version, lease.Hash));
    }

    [Fact]
    public async Task Who_comes_late_is_told_of_the_newest_at_once()
    {
        var link = Create();
        link.Publish(new PolicySnapshot(1, 1, new Tensors("one")));
        link.Publish(new PolicySnapshot(1, 2, new Tensors("two")));
        var signals = new Inbox<int>();
        using var subscription = link.Subscribe(() => signals.Add(0));
        await signals.Take(1);
        using var lease = subscription.TryAcquire();
        Assert.Equal(2, lease!.Version);
    }

    [Fact]
    public async Task A_slow_subscriber_gets_one_signal_and_holds_nobody_up()
    {
        var link = Create();
        var slow = new Inbox<int>();
        using var subscription = link.Subscribe(() => slow.Add(0));
        for (var version = 1; version <= 100; version++)
            link.Publish(new PolicySnapshot(1, version, new Tensors("v" + version)));
        await slow.Take(1);
        Assert.Equal(0, slow.Count);
        subscription.TryAcquire()!.Dispose();
        link.Publish(new PolicySnapshot(1, 101, new Tensors("v101")));
        await slow.Take(1);
    }

    [Fact]
    public void Tensors_live_while_they_are_held_and_go_when_the_last_hold_does()
    {
        var link = Create();
        var (first, second) = (new Tensors("1"), new Tensors("2"));
        using var subscription = link.Subscribe(() => { });
        link.Publish(new PolicySnapshot(1, 1, first));
        var lease = subscription.TryAcquire()!;
        var again = subscription.TryAcquire()!;
        link.Publish(new PolicySnapshot(1, 2, second));
        Assert.False(first.Disposed);
        lease.Dispose();
        lease.Dispose();
        Assert.False(first.Disposed);
        Assert.Same(first, again.Tensors);
        again.Dispose();
        Assert.True(first.Disposed);
        Assert.False(second.Disposed);
        Assert.Throws<ObjectDisposedException>(() => again.Tensors);
        (link as IDisposable)?.Dispose();
        Assert.True(second.Disposed);
    }

    [Fact]
    public void A_snapshot_that_is_not_newer_is_freed()
    {
        var link = Create();
        link.Publish(new PolicySnapshot(1, 2, new Tensors("new")));
        var old = new Tensors("old");
        link.Publish(new PolicySnapshot(1, 1, old));
        Assert.True(old.Disposed);
    }

    private sealed class Tensors(string hash) : ISnapshotTensors
    {
        public bool Disposed { get; private set; }

        public string ComputeHash() => hash;

        public void Dispose() => Disposed = true;
    }
}

public sealed class LocalSnapshotsLinkTests : SnapshotsLinkContract
{
    protected override ISnapshotsLink Create() => new LocalSnapshotsLink();
}
