using Confluent.Kafka;
using MassDpo.LinkKit;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Simulation;
using MassDpo.Wire;

namespace MassDpo.Simulation.Tests;

/// <summary>The links of the simulation keep what every kind of link promises: a world that runs whenever there is something to do, one step at a time, whoever asks.</summary>
internal sealed class LinkWorld
{
    private readonly Lock _oneAtATime = new();
    private int _ends;

    public LinkWorld()
    {
        World = new SimulatedWorld(5) { Posted = () => Task.Run(RunReady) };
        Log = new SimulatedLog(World, 5);
        foreach (var (topic, partitions) in new[] { ("control", 2), ("selections", 3), ("snapshots", 5) })
            Log.Create(topic, partitions);
    }

    public SimulatedWorld World { get; }

    public SimulatedLog Log { get; }

    public LogClient NewClient() => new(Log, World.NewLane(), $"end-{Interlocked.Increment(ref _ends)}");

    public static void Fail(Exception e) => throw e;

    /// <summary>Calls a link as a step of its process.</summary>
    public T As<T>(LogClient client, Func<T> call)
    {
        T? result = default;
        lock (_oneAtATime)
            client.Lane.Run(_ => result = call(), null);
        return result!;
    }

    public void As(LogClient client, Action call) => As(client, () =>
    {
        call();
        return 0;
    });

    private void RunReady()
    {
        lock (_oneAtATime)
            while (World.RunReady())
            {
            }
    }
}

public sealed class LogControlLinkTests : ControlLinkContract
{
    private readonly LinkWorld _world = new();

    protected override IControlLink End()
    {
        var client = _world.NewClient();
        return new OnOneThread(_world, client, new LogControlLink(client, "control", "group", LinkWorld.Fail));
    }

    /// <remarks>It was sent while there was nothing yet, and so does not say where the epoch begins that holds.</remarks>
    [Fact]
    public async Task Who_joins_after_a_claim_that_came_late_hears_the_epoch_all_the_same()
    {
        using var authority = await End().ClaimAsync(new EpochClaim(1, 0, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        var first = new Inbox<ControlNotice>();
        using var member = End().Join("first", first.Add);
        authority.Announce(new EpochOpened(1, 0, new SettledPositions()));
        authority.Announce(new CheckpointWritten(1, 2, new SettledPositions()));
        await first.Take(2);
        _world.As(_world.NewClient(), () => _world.Log.Append("control", LogControlLink.Notices, NoticeCodec.Encode(new EpochClaim(1, 0, "h"), "late"), new Headers()) > 0);
        var (newcomer, heard) = (End(), new Inbox<ControlNotice>());
        using var joined = newcomer.Join("newcomer", heard.Add);
        Assert.IsType<EpochOpened>((await heard.Take(1)).Single());
        await Assert.ThrowsAsync<ClaimRefusedException>(async () => await newcomer.ClaimAsync(new EpochClaim(2, 0, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default));
    }

    private sealed class OnOneThread(LinkWorld world, LogClient client, IControlLink inner) : IControlLink
    {
        public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation) =>
            new Authority(world, client, await world.As(client, () => inner.ClaimAsync(claim, deliver, fenced, cancellation).AsTask()));

        public IDisposable Join(string member, Action<ControlNotice> deliver) => new Leaving(world, client, world.As(client, () => inner.Join(member, deliver)));

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) => new(world.As(client, () => inner.SendAsync(message, cancellation).AsTask()));
    }

    private sealed class Authority(LinkWorld world, LogClient client, IControlAuthority inner) : IControlAuthority
    {
        public void Announce(ControlNotice notice) => world.As(client, () => inner.Announce(notice));

        public void Dispose() => world.As(client, inner.Dispose);
    }
}

public sealed class LogSelectionsLinkTests : SelectionsLinkContract
{
    private readonly LinkWorld _world = new();

    protected override ISelectionsLink End()
    {
        var client = _world.NewClient();
        return new OnOneThread(_world, client, new LogSelectionsLink(client, "selections", "group", LinkWorld.Fail));
    }

    private sealed class OnOneThread(LinkWorld world, LogClient client, ISelectionsLink inner) : ISelectionsLink
    {
        public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => new(world.As(client, () => inner.SendAsync(block, cancellation).AsTask()));

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => new Leaving(world, client, world.As(client, () => inner.Receive(deliver)));
    }
}

public sealed class LogSnapshotsLinkTests : SnapshotsLinkContract
{
    private readonly LinkWorld _world = new();

    protected override ISnapshotsLink End()
    {
        var client = _world.NewClient();
        return new OnOneThread(_world, client, new LogSnapshotsLink(client, "snapshots", new NamedTensorsFormat(20_000), LinkWorld.Fail));
    }

    private sealed class OnOneThread(LinkWorld world, LogClient client, LogSnapshotsLink inner) : ISnapshotsLink, IDisposable
    {
        public void Publish(PolicySnapshot snapshot) => world.As(client, () => inner.Publish(snapshot));

        public ISnapshotSubscription Subscribe(Action signal) => new Subscription(world, client, world.As(client, () => inner.Subscribe(signal)));

        public void Dispose() => world.As(client, inner.Dispose);
    }

    private sealed class Subscription(LinkWorld world, LogClient client, ISnapshotSubscription inner) : ISnapshotSubscription
    {
        public SnapshotLease? TryAcquire() => world.As(client, inner.TryAcquire);

        public void Dispose() => world.As(client, inner.Dispose);
    }
}

internal sealed class Leaving(LinkWorld world, LogClient client, IDisposable inner) : IDisposable
{
    public void Dispose() => world.As(client, inner.Dispose);
}
