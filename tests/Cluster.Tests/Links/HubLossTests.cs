using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>The node that has the hub is cut off; the other one goes on.</summary>
public sealed class HubLossTests : IAsyncLifetime
{
    private readonly TwoNodes _nodes = new() { Roles = ["learner", "learner"] };

    public Task InitializeAsync() => _nodes.InitializeAsync();

    public Task DisposeAsync() => _nodes.DisposeAsync();

    [Fact]
    public async Task What_was_sent_and_asked_for_is_so_at_the_next_hub_and_the_learner_is_fenced()
    {
        var here = _nodes.Nodes[1];
        using var control = new AkkaControlLink(here, "run");
        using var selections = new AkkaSelectionsLink(here, "run");
        using var pools = new AkkaPoolsLink(here, "run");
        var (fenced, notices, blocks, received) = (new TaskCompletionSource<string>(), new Inbox<ControlNotice>(), new Inbox<long>(), new Inbox<long>());
        using var member = control.Join("member", notices.Add);
        using var authority = await control.ClaimAsync(new EpochClaim(5, 3, "h"), (_, _) => ValueTask.CompletedTask, fenced.SetResult, default);
        authority.Announce(new EpochOpened(5, 3, new SettledPositions()));
        authority.Announce(new CheckpointWritten(5, 4, new SettledPositions()));
        await notices.Take(2);
        pools.Request("selector", block => blocks.Add(block.Block.First));
        // Answered, so that the hub has it; and what waits there.
        await pools.OfferAsync(new PoolBlock(new SlotBlock(5, 0, 0, 1, 1), [null]), default);
        Assert.Equal([0], await blocks.Take(1));
        pools.Request("selector", block => blocks.Add(block.Block.First));
        var sending = selections.SendAsync(new SelectionBlock(new SlotBlock(5, 0, 7, 1, 1), "selector", 3, [null]), default).AsTask();

        await _nodes.LoseFirstAsync();

        Assert.Contains("lost", await fenced.Task);
        using var receiver = selections.Receive((block, _) =>
        {
            received.Add(block.Block.First);
            return ValueTask.CompletedTask;
        });
        await sending;
        Assert.Equal([7], await received.Take(1));
        await pools.OfferAsync(new PoolBlock(new SlotBlock(5, 0, 4, 1, 1), [null]), default);
        Assert.Equal([4], await blocks.Take(1));
        // What members heard holds at the next hub, too.
        Assert.Equal(5, (await Assert.ThrowsAsync<ClaimRefusedException>(async () => await Claim(5, 4))).NewestEpoch);
        Assert.Contains("version 4", (await Assert.ThrowsAsync<ClaimRefusedException>(async () => await Claim(6, 3))).Message);
        using var next = await Claim(6, 4);
        // Of a learner that knows nothing of its loss.
        authority.Announce(new BatchClosed(5, 9));
        next.Announce(new EpochOpened(6, 4, new SettledPositions()));
        Assert.Equal(6, (await notices.Take(1))[0].Epoch);

        ValueTask<IControlAuthority> Claim(long epoch, long version) => control.ClaimAsync(new EpochClaim(epoch, version, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
    }

    [Fact]
    public async Task The_newest_snapshot_is_told_to_the_next_hub()
    {
        var notes = new Inbox<string>();
        using var learner = End();
        using var selector = End();
        var signals = new Inbox<int>();
        using var subscription = selector.Subscribe(() => signals.Add(0));
        learner.Publish(new PolicySnapshot(1, 1, new NamedTensors("one")));
        await signals.Take(1);
        subscription.TryAcquire()!.Dispose();

        await _nodes.LoseFirstAsync();

        using var late = End();
        using var joined = late.Subscribe(() => signals.Add(1));
        Assert.Equal([1], await signals.Take(1));
        using (var lease = joined.TryAcquire()!)
            Assert.Equal((1, 1, "one"), (lease.Epoch, lease.Version, lease.Hash));
        learner.Publish(new PolicySnapshot(1, 2, new NamedTensors("two")));
        Assert.Equal([0, 1], (await signals.Take(2)).Order());
        Assert.Equal(0, notes.Count);

        AkkaSnapshotsLink End() => new(_nodes.Nodes[1], "run", new NamedTensorsFormat(), notes.Add, e => notes.Add(e.Message));
    }
}
