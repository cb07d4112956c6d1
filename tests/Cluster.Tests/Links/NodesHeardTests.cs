using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>A claim at a new hub that no member has joined yet: the ends of the node that has one greet when they are opened and never again.</summary>
public sealed class NodesHeardTests : IAsyncLifetime
{
    private readonly TwoNodes _nodes = new() { Roles = ["learner", "learner", "selector"], ResendOfLast = "1 h" };

    public Task InitializeAsync() => _nodes.InitializeAsync();

    public Task DisposeAsync() => _nodes.DisposeAsync();

    [Fact]
    public async Task An_older_learner_is_refused_by_what_the_nodes_have_heard()
    {
        using var lost = new AkkaControlLink(_nodes.Nodes[0], "run");
        using var elsewhere = new AkkaControlLink(_nodes.Nodes[2], "run");
        var notices = new Inbox<ControlNotice>();
        using var member = elsewhere.Join("member", notices.Add);
        using var authority = await Claim(lost, 5, 3);
        authority.Announce(new EpochOpened(5, 3, new SettledPositions()));
        // It has joined.
        await notices.Take(1);
        authority.Announce(new CheckpointWritten(5, 4, new SettledPositions()));
        await notices.Take(1);

        await _nodes.LoseFirstAsync();

        using var here = new AkkaControlLink(_nodes.Nodes[1], "run");
        Assert.Contains("version 4", (await Assert.ThrowsAsync<ClaimRefusedException>(async () => await Claim(here, 6, 3))).Message);
        Assert.Equal(5, (await Assert.ThrowsAsync<ClaimRefusedException>(async () => await Claim(here, 5, 4))).NewestEpoch);
        using var next = await Claim(here, 6, 4);

        static ValueTask<IControlAuthority> Claim(AkkaControlLink link, long epoch, long version) =>
            link.ClaimAsync(new EpochClaim(epoch, version, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
    }
}
