using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.LinkKit;

/// <summary>What every control link has to do. A kind of link derives from this.</summary>
public abstract class ControlLinkContract
{
    /// <summary>One end of a link; all ends that a test asks for belong to the same link, each as if it were in a process of its own.</summary>
    protected abstract IControlLink End();

    [Fact]
    public async Task Messages_sent_before_there_is_a_learner_reach_it_in_order()
    {
        var (learner, member) = (End(), End());
        var heard = new Heard();
        var sending = Task.Run(async () =>
        {
            for (var i = 1; i <= 3; i++)
                await member.SendAsync(new IntakeReady("i", i), default);
        });
        using var authority = await learner.ClaimAsync(new EpochClaim(1, 0, "h"), heard.Deliver, _ => { }, default);
        await sending;
        Assert.Equal([1, 2, 3], (await heard.Take(3)).Cast<IntakeReady>().Select(m => m.Incarnation));
    }

    [Fact]
    public async Task Every_member_hears_every_notice_in_order_and_who_joins_late_hears_the_epoch_with_its_newest_version_first()
    {
        using var authority = await End().ClaimAsync(new EpochClaim(3, 7, "h"), new Heard().Deliver, _ => { }, default);
        var early = new Noticed();
        using var first = End().Join("early", early.Deliver);
        var settled = new SettledPositions();
        settled.Add(new Position("s", 1, 5));
        authority.Announce(new EpochOpened(3, 7, settled) { Identity = new Dictionary<string, string> { ["learner.beta"] = "0.1" } });
        Assert.IsType<EpochOpened>((await early.Take(1))[0]);
        authority.Announce(new SlotsGranted(3, "early", new SlotBlock(3, 7, 0, 4, 1)));
        authority.Announce(new BatchClosed(3, 8));
        Assert.Equal([typeof(SlotsGranted), typeof(BatchClosed)], (await early.Take(2)).Select(n => n.GetType()));
        var late = new Noticed();
        using var second = End().Join("late", late.Deliver);
        var opened = Assert.IsType<EpochOpened>((await late.Take(1))[0]);
        authority.Announce(new LearnerStopped(3, "end", InputEnded: true));
        Assert.Equal((3, 8, "0.1"), (opened.Epoch, opened.Version, opened.Identity["learner.beta"]));
        Assert.True(opened.Settled.Contains(new Position("s", 1, 5)));
        Assert.Equal(new LearnerStopped(3, "end", InputEnded: true), (await late.Take(1))[0]);
        Assert.IsType<LearnerStopped>((await early.Take(1))[0]);
    }

    [Fact]
    public async Task Who_joins_after_a_claim_does_not_hear_of_the_epoch_before_it()
    {
        using var older = await End().ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default);
        var early = new Noticed();
        using var first = End().Join("early", early.Deliver);
        older.Announce(new EpochOpened(1, 0, new SettledPositions()));
        Assert.Equal(1, (await early.Take(1))[0].Epoch);
        using var newer = await End().ClaimAsync(new EpochClaim(2, 0, "h"), new Heard().Deliver, _ => { }, default);
        var late = new Noticed();
        using var second = End().Join("late", late.Deliver);
        newer.Announce(new EpochOpened(2, 0, new SettledPositions()));
        Assert.Equal(2, Assert.IsType<EpochOpened>((await late.Take(1))[0]).Epoch);
    }

    [Fact]
    public async Task The_newest_epoch_wins_and_the_older_learner_is_fenced_with_the_reason()
    {
        var fenced = new TaskCompletionSource<string>();
        using var older = await End().ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, fenced.SetResult, default);
        var notices = new Noticed();
        var member = End();
        using var joined = member.Join("m", notices.Deliver);
        var heard = new Heard();
        using var newer = await End().ClaimAsync(new EpochClaim(2, 0, "h"), heard.Deliver, _ => { }, default);
        Assert.Contains("epoch 2", await fenced.Task);
        older.Announce(new EpochOpened(1, 0, new SettledPositions()));
        newer.Announce(new EpochOpened(2, 0, new SettledPositions()));
        Assert.Equal(2, (await notices.Take(1))[0].Epoch);
        await member.SendAsync(new SelectorReady("s", 1), default);
        Assert.IsType<SelectorReady>((await heard.Take(1))[0]);
    }

    [Fact]
    public async Task A_claim_that_is_not_newer_is_refused()
    {
        using var holder = await End().ClaimAsync(new EpochClaim(5, 0, "h"), new Heard().Deliver, _ => { }, default);
        foreach (var epoch in new long[] { 5, 4 })
            Assert.Equal(5, (await Assert.ThrowsAsync<ClaimRefusedException>(async () => await End().ClaimAsync(new EpochClaim(epoch, 9, "h"), new Heard().Deliver, _ => { }, default))).NewestEpoch);
    }

    [Fact]
    public async Task A_claim_behind_a_checkpoint_that_was_written_is_refused_unless_forced()
    {
        using var holder = await End().ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default);
        var notices = new Noticed();
        using var member = End().Join("m", notices.Deliver);
        holder.Announce(new EpochOpened(1, 0, new SettledPositions()));
        await notices.Take(1);
        holder.Announce(new BatchClosed(1, 10));
        holder.Announce(new CheckpointWritten(1, 10, new SettledPositions()));
        // Published and in no checkpoint: a learner that died then is read, selected and trained again from there on.
        holder.Announce(new BatchClosed(1, 12));
        await notices.Take(3);
        var refusal = await Assert.ThrowsAsync<ClaimRefusedException>(async () => await End().ClaimAsync(new EpochClaim(2, 9, "h"), new Heard().Deliver, _ => { }, default));
        Assert.Contains("10", refusal.Message);
        using var next = await End().ClaimAsync(new EpochClaim(2, 10, "h"), new Heard().Deliver, _ => { }, default);
        using var forced = await End().ClaimAsync(new EpochClaim(3, 9, "h", Forced: true), new Heard().Deliver, _ => { }, default);
        using var after = await End().ClaimAsync(new EpochClaim(4, 9, "h"), new Heard().Deliver, _ => { }, default);
    }

    [Fact]
    public async Task An_epoch_that_began_on_the_way_keeps_no_one_out_who_has_the_newest_checkpoint()
    {
        var learner = End();
        using var first = await learner.ClaimAsync(new EpochClaim(1, 10, "h"), new Heard().Deliver, _ => { }, default);
        // An intake asked for it at a version that no checkpoint holds; then the learner dies.
        using var onTheWay = await learner.ClaimAsync(new EpochClaim(2, 15, "h", Forced: true) { Committed = 10 }, new Heard().Deliver, _ => { }, default);
        var refusal = await Assert.ThrowsAsync<ClaimRefusedException>(async () => await End().ClaimAsync(new EpochClaim(3, 9, "h"), new Heard().Deliver, _ => { }, default));
        Assert.Contains("version 10", refusal.Message);
        using var successor = await End().ClaimAsync(new EpochClaim(3, 10, "h"), new Heard().Deliver, _ => { }, default);
    }

    [Fact]
    public async Task What_members_send_while_a_learner_is_away_waits_for_the_next()
    {
        (await End().ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default)).Dispose();
        var sending = End().SendAsync(new SelectorReady("s", 2), default).AsTask();
        var heard = new Heard();
        using var next = await End().ClaimAsync(new EpochClaim(2, 0, "h"), heard.Deliver, _ => { }, default);
        Assert.Equal(new SelectorReady("s", 2), (await heard.Take(1))[0]);
        await sending;
    }

    [Fact]
    public async Task A_learner_that_claims_again_goes_on_hearing_its_members()
    {
        var (learner, member) = (End(), End());
        var heard = new Heard();
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            using var authority = await learner.ClaimAsync(new EpochClaim(epoch, 0, "h"), heard.Deliver, _ => Assert.Fail("fenced by itself"), default);
            await member.SendAsync(new SnapshotConfirmed("s", epoch, 0, "h"), default);
            Assert.Equal(new SnapshotConfirmed("s", epoch, 0, "h"), (await heard.Take(1))[0]);
        }
    }

    [Fact]
    public async Task A_learner_that_announces_for_another_epoch_is_told_off()
    {
        using var authority = await End().ClaimAsync(new EpochClaim(2, 0, "h"), new Heard().Deliver, _ => { }, default);
        Assert.Throws<ArgumentException>(() => authority.Announce(new BatchClosed(1, 1)));
    }

    [Fact]
    public async Task A_member_that_left_hears_nothing_more()
    {
        using var authority = await End().ClaimAsync(new EpochClaim(1, 0, "h"), new Heard().Deliver, _ => { }, default);
        authority.Announce(new EpochOpened(1, 0, new SettledPositions()));
        var (gone, here, members) = (new Noticed(), new Noticed(), End());
        var leaving = members.Join("gone", gone.Deliver);
        using var member = members.Join("here", here.Deliver);
        await gone.Take(1);
        await here.Take(1);
        leaving.Dispose();
        authority.Announce(new BatchClosed(1, 1));
        await here.Take(1);
        Assert.Equal(0, gone.Count);
    }

    /// <summary>What a learner hears.</summary>
    protected sealed class Heard
    {
        private readonly Inbox<ControlMessage> _inbox = new();

        public ValueTask Deliver(ControlMessage message, CancellationToken cancellation)
        {
            _inbox.Add(message);
            return ValueTask.CompletedTask;
        }

        public Task<IReadOnlyList<ControlMessage>> Take(int count) => _inbox.Take(count);
    }

    /// <summary>What a member hears.</summary>
    protected sealed class Noticed
    {
        private readonly Inbox<ControlNotice> _inbox = new();

        public void Deliver(ControlNotice notice) => _inbox.Add(notice);

        public int Count => _inbox.Count;

        public Task<IReadOnlyList<ControlNotice>> Take(int count) => _inbox.Take(count);
    }
}
