using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.Shared.Tests.Links;

/// <summary>What every control link has to do. A kind of link derives from this.</summary>
public abstract class ControlLinkContract
{
    protected abstract IControlLink Create();

    [Fact]
    public async Task Messages_sent_before_there_is_a_learner_reach_it_in_order()
    {
        var link = Create();
        var heard = new Heard();
        var sending = Task.Run(async () =>
        {
            for (var i = 1; i <= 3; i++)
                await link.SendAsync(new IntakeReady("i", i), default);
        });
        using var authority = await link.ClaimAsync(new EpochClaim(1, 0, "h"), heard.Deliver, _ => { }, default);
        await sending;
        Assert.Equal([1, 2, 3], (await heard.Take(3)).Cast<IntakeReady>().Select(m => m.Incarnation));
    }

    [Fact]
    public async Task Every_member_hears_every_notice_in_order_and_who_joins_late_hears_the_epoch_with_its_newest_version_first()
    {
        var link = Create();
        using var authority = await link.ClaimAsync(new EpochClaim(3, 7, "h"), new Heard().Deliver, _ => { }, default);
        var early = new Noticed();
        using var first = link.Join("early", early.Deliver);
        authority.Announce(new EpochOpened(3, 7, new SettledPositions()));
        authority.Announce(new SlotsGranted(3, "early", new SlotBlock(3, 7, 0, 4, 1)));
        authority.Announce(new BatchClosed(3, 8));
        var late = new Noticed();
        using var second = link.Join("late", late.Deliver);
        authority.Announce(new LearnerStopped(3, "end", InputEnded: true));
        Assert.Equal([typeof(EpochOpened), typeof(SlotsGranted), typeof(BatchClosed), typeof(LearnerStopped)], (await early.Take(4)).Select(n => n.GetType()));
        var heard = await late.Take(2);
        Assert.Equal((3, 8), (heard[0].Epoch, Assert.IsType<EpochOpened>(heard[0]).Version));
        Assert.IsType<LearnerStopped>(heard[1]);
    }

    [Fact]
    public async Task The_newest_epoch_wins_and_the_older_learner_is_fenced_with_the_reason()
    {
        var link = Create();
        var fenced = new TaskCompletionSource<string>();
        using var older = await link.ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, fenced.SetResult, default);
        var notices = new Noticed();
        using var member = link.Join("m", notices.Deliver);
        var heard = new Heard();
        using var newer = await link.ClaimAsync(new EpochClaim(2, 0, "h"), heard.Deliver, _ => { }, default);
        Assert.Contains("epoch 2", await fenced.Task);
        older.Announce(new EpochOpened(1, 0, new SettledPositions()));
        newer.Announce(new EpochOpened(2, 0, new SettledPositions()));
        Assert.Equal(2, (await notices.Take(1))[0].Epoch);
        await link.SendAsync(new SelectorReady("s", 1), default);
        Assert.IsType<SelectorReady>((await heard.Take(1))[0]);
    }

    [Fact]
    public async Task A_claim_that_is_not_newer_is_refused()
    {
        var link = Create();
        using var holder = await link.ClaimAsync(new EpochClaim(5, 0, "h"), new Heard().Deliver, _ => { }, default);
        foreach (var epoch in new long[] { 5, 4 })
            await Assert.ThrowsAsync<ClaimRefusedException>(async () => await link.ClaimAsync(new EpochClaim(epoch, 9, "h"), new Heard().Deliver, _ => { }, default));
    }

    [Fact]
    public async Task A_claim_below_what_was_published_is_refused_unless_forced()
    {
        var link = Create();
        using var holder = await link.ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default);
        holder.Announce(new EpochOpened(1, 0, new SettledPositions()));
        holder.Announce(new BatchClosed(1, 10));
        var refusal = await Assert.ThrowsAsync<ClaimRefusedException>(async () => await link.ClaimAsync(new EpochClaim(2, 9, "h"), new Heard().Deliver, _ => { }, default));
        Assert.Contains("10", refusal.Message);
        using var forced = await link.ClaimAsync(new EpochClaim(3, 9, "h", Forced: true), new Heard().Deliver, _ => { }, default);
    }

    [Fact]
    public async Task What_members_send_while_a_learner_is_away_waits_for_the_next()
    {
        var link = Create();
        (await link.ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default)).Dispose();
        var sending = link.SendAsync(new SelectorReady("s", 2), default).AsTask();
        Assert.False(sending.IsCompleted);
        var heard = new Heard();
        using var next = await link.ClaimAsync(new EpochClaim(2, 0, "h"), heard.Deliver, _ => { }, default);
        Assert.Equal(new SelectorReady("s", 2), (await heard.Take(1))[0]);
    }

    [Fact]
    public async Task A_learner_that_announces_for_another_epoch_is_told_off()
    {
        using var authority = await Create().ClaimAsync(new EpochClaim(2, 0, "h"), new Heard().Deliver, _ => { }, default);
        Assert.Throws<ArgumentException>(() => authority.Announce(new BatchClosed(1, 1)));
    }

    [Fact]
    public async Task A_member_that_left_hears_nothing_more()
    {
        var link = Create();
        using var authority = await link.ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default);
        var gone = new Noticed();
        link.Join("gone", gone.Deliver).Dispose();
        var here = new Noticed();
        using var member = link.Join("here", here.Deliver);
        authority.Announce(new BatchClosed(1, 1));
        await here.Take(1);
        Assert.Equal(0, gone.Count);
    }

    private sealed class Heard
    {
        private readonly Inbox<ControlMessage> _inbox = new();

        public ValueTask Deliver(ControlMessage message, CancellationToken cancellation)
        {
            _inbox.Add(message);
            return ValueTask.CompletedTask;
        }

        public Task<IReadOnlyList<ControlMessage>> Take(int count) => _inbox.Take(count);
    }

    private sealed class Noticed
    {
        private readonly Inbox<ControlNotice> _inbox = new();

        public void Deliver(ControlNotice notice) => _inbox.Add(notice);

        public int Count => _inbox.Count;

        public Task<IReadOnlyList<ControlNotice>> Take(int count) => _inbox.Take(count);
    }
}

public sealed class LocalControlLinkTests : ControlLinkContract
{
    protected override IControlLink Create() => new LocalControlLink();
}
