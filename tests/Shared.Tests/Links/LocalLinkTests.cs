using MassDpo.LinkKit;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.Shared.Tests.Links;

public sealed class LocalControlLinkTests : ControlLinkContract
{
    private readonly LocalControlLink _link = new();

    protected override IControlLink End() => _link;

    [Fact]
    public async Task A_sender_waits_until_there_is_a_learner()
    {
        var sending = _link.SendAsync(new SelectorReady("s", 2), default).AsTask();
        Assert.False(sending.IsCompleted);
        using var authority = await _link.ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default);
        await sending;
    }
}

public sealed class LocalPoolsLinkTests : PoolsLinkContract
{
    protected override IPoolsLink Create() => new LocalPoolsLink();
}

public sealed class LocalSelectionsLinkTests : SelectionsLinkContract
{
    private readonly LocalSelectionsLink _link = new();

    protected override ISelectionsLink End() => _link;

    [Fact]
    public async Task A_receiver_without_room_holds_the_sender_back()
    {
        var room = new TaskCompletionSource();
        using var receiver = _link.Receive(async (_, _) => await room.Task);
        var sending = _link.SendAsync(Block("s", 0), default).AsTask();
        Assert.False(sending.IsCompleted);
        room.SetResult();
        await sending;
    }

    [Fact]
    public async Task A_sender_waits_until_there_is_a_receiver()
    {
        var sending = _link.SendAsync(Block("s", 7), default).AsTask();
        Assert.False(sending.IsCompleted);
        using var receiver = _link.Receive(Add(new Inbox<long>()));
        await sending;
    }
}

public sealed class LocalSnapshotsLinkTests : SnapshotsLinkContract
{
    private readonly LocalSnapshotsLink _link = new();

    protected override ISnapshotsLink End() => _link;
}
