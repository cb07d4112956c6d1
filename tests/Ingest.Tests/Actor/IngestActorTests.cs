using MassDpo.Ingest.Sources;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>What an intake does step by step, each on many schedules.</summary>
public sealed class IngestActorTests
{
    private const int Seeds = 200;

    private static void OnManySchedules(Action<int> scene)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                scene(seed);
            }
            catch (Exception e)
            {
                throw new Xunit.Sdk.XunitException($"seed {seed}: {e.Message}", e);
            }
        }
    }

    private static IEnumerable<string> Ids(PoolBlock block) => block.Pools.Select(pool => pool?.Id ?? "dead");

    private static IEnumerable<string> Ids(int from, int count) => Enumerable.Range(from, count).Select(i => $"scripted:0:{i}");

    [Fact]
    public void It_says_that_it_is_there_before_anything_else_and_reads_nothing_without_an_epoch() => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(5);
        var scene = new IntakeScene(seed, source);
        scene.Claim();
        scene.Settle();
        Assert.Equal([new IntakeReady(IntakeScene.Name, 1)], scene.Heard);
        Assert.Empty(source.Reads);
        scene.Stop();
    });

    [Fact]
    public void Who_comes_after_the_epoch_was_opened_reads_as_well() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(5));
        scene.Open();
        scene.Settle();
        Assert.Equal(5, scene.Requests.Last().Offered);
        scene.Stop();
    });

    [Fact]
    public void It_holds_no_more_than_its_window_with_slots_and_without() => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(1000, pause: seed % 5);
        var scene = new IntakeScene(seed, source, window: 8);
        scene.Open();
        scene.Settle();
        Assert.Equal((8, 8), (source.Taken, scene.Requests.Last().Offered));
        scene.Grant(first: 0, count: 4);
        scene.Settle();
        // What has slots is held until its batch is closed: it may be handed out again.
        Assert.Equal(8, source.Taken);
        scene.Close(version: 1);
        scene.Settle();
        Assert.Equal((12, 12), (source.Taken, scene.Requests.Last().Offered));
        scene.Stop();
    });

    [Fact]
    public void Slots_are_filled_in_the_order_of_reading() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(20, pause: seed % 4), window: 10);
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 3);
        scene.Settle();
        scene.Grant(first: 3, count: 1);
        scene.Settle();
        scene.Grant(first: 4, count: 6, batch: 1);
        scene.Settle();
        Assert.Equal(Ids(0, 10), scene.Got.SelectMany(Ids));
        Assert.Equal([0, 3, 4], scene.Got.Select(block => block.Block.First));
        scene.Stop();
    });

    [Fact]
    public void Offers_count_up_within_an_epoch_and_the_end_is_told_once_with_the_lengths_of_all_passes() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(5, passes: 3, pause: seed % 4), window: 100);
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 15);
        scene.Close(version: 1);
        scene.Settle();
        Assert.Equal(scene.Requests.Select(request => request.Offered).Order(), scene.Requests.Select(request => request.Offered));
        Assert.All(scene.Requests, request => Assert.Equal((IntakeScene.Name, 1), (request.Intake, request.Epoch)));
        var last = Assert.Single(scene.Requests, request => request.Ended);
        Assert.Same(scene.Requests.Last(), last);
        Assert.Equal(15, last.Offered);
        Assert.Equal([new PassEnd("scripted", 0, 5), new PassEnd("scripted", 1, 5), new PassEnd("scripted", 2, 5)], last.PassEnds);
        scene.Stop();
    });

    [Fact]
    public void A_source_of_nothing_ends_at_once() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(0));
        scene.Open();
        scene.Settle();
        var request = Assert.Single(scene.Requests);
        Assert.Equal((0, true), (request.Offered, request.Ended));
        Assert.Equal([new PassEnd("scripted", 0, 0)], request.PassEnds);
        scene.Stop();
    });

    [Fact]
    public void A_line_that_is_no_record_is_told_with_file_line_and_reason_and_the_stream_goes_on() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(10, pause: seed % 4, isBad: i => i % 3 == 1), window: 100);
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 7);
        scene.Settle();
        Assert.Equal([1, 4, 7], scene.Dead.Select(dead => dead.Letter.Position.Index));
        foreach (var dead in scene.Dead)
        {
            Assert.Equal((IntakeScene.Name, 1, null), (dead.Intake, dead.Epoch, dead.Slot));
            Assert.Equal((ScriptedSource.File, dead.Letter.Position.Index + 1), (dead.Letter.Origin.File, dead.Letter.Origin.Line));
            Assert.Equal(DeadLetterCodes.Json, dead.Letter.Code);
            Assert.Contains("not JSON", dead.Letter.Reason);
            Assert.Equal("not a record"u8.ToArray(), dead.Letter.Origin.Raw.ToArray());
        }
        Assert.Equal(new[] { 0, 2, 3, 5, 6, 8, 9 }.Select(i => $"scripted:0:{i}"), Ids(scene.Got[0]));
        Assert.Equal(7, scene.Requests.Last().Offered);
        scene.Stop();
    });

    [Fact]
    public void A_file_of_nothing_but_bad_lines_is_read_to_its_end() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(500, isBad: _ => true), window: 4);
        scene.Open();
        scene.Settle();
        Assert.Equal(Enumerable.Range(0, 500), scene.Dead.Select(dead => (int)dead.Letter.Position.Index));
        Assert.Equal((0, true), (scene.Requests.Last().Offered, scene.Requests.Last().Ended));
        scene.Stop();
    });

    [Fact]
    public void A_block_is_handed_out_again_without_the_records_that_died_whose_rows_stay_empty() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(8));
        scene.Open();
        scene.Settle();
        var block = scene.Grant(first: 8, count: 4, batch: 1);
        scene.Settle();
        var again = block with { Attempt = 2 };
        scene.Reissue(again, new SlotDeath(9, DeadLetterCodes.Selector, "it broke"));
        scene.Settle();
        Assert.Equal((again, block), (scene.Got[1].Block, scene.Got[0].Block));
        Assert.Equal(["scripted:0:0", "dead", "scripted:0:2", "scripted:0:3"], Ids(scene.Got[1]));
        Assert.Same(scene.Got[0].Pools[2], scene.Got[1].Pools[2]);
        var dead = Assert.Single(scene.Dead);
        Assert.Equal((9, new Position("scripted", 0, 1)), (dead.Slot, dead.Letter.Position));
        Assert.Equal((DeadLetterCodes.Selector, "it broke"), (dead.Letter.Code, dead.Letter.Reason));
        Assert.Equal((ScriptedSource.File, 2), (dead.Letter.Origin.File, dead.Letter.Origin.Line));
        // The same death again is no second letter; a further one is.
        var further = new SlotDeath(11, DeadLetterCodes.HolderLost, "lost");
        scene.Reissue(block with { Attempt = 3 }, new SlotDeath(9, DeadLetterCodes.Selector, "it broke"), further);
        scene.Settle();
        Assert.Equal(["scripted:0:0", "dead", "scripted:0:2", "dead"], Ids(scene.Got[2]));
        Assert.Equal([9, 11], scene.Dead.Select(letter => (int)letter.Slot!.Value));
        scene.Stop();
    });

    [Fact]
    public void A_reissue_that_is_late_or_of_another_changes_nothing() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(8));
        scene.Open();
        scene.Settle();
        var block = scene.Grant(first: 0, count: 2, attempt: 1);
        scene.Grant(first: 2, count: 2, batch: 1);
        scene.Settle();
        var death = new SlotDeath(0, DeadLetterCodes.Selector, "it broke");
        scene.Reissue(block, death);
        scene.Reissue(block with { First = 1, Attempt = 5 }, death);
        scene.Announce(new BlockReissued(1, "another", block with { Attempt = 5 }, [death]));
        scene.Announce(new SlotsGranted(1, "another", new SlotBlock(1, 0, 4, 2, 1)));
        scene.Close(version: 1);
        scene.Reissue(block with { Attempt = 5 }, death);
        scene.Settle();
        Assert.Equal(2, scene.Got.Count);
        Assert.Empty(scene.Dead);
        // The batch that is still open can be handed out again.
        scene.Reissue(new SlotBlock(1, 1, 2, 2, 2));
        scene.Settle();
        Assert.Equal(Ids(2, 2), Ids(scene.Got[2]));
        scene.Stop();
    });

    [Fact]
    public void A_new_epoch_starts_again_at_the_watermark_and_passes_over_what_is_settled() => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(12, passes: 2, pause: seed % 4, isBad: i => i == 6);
        var scene = new IntakeScene(seed, source, window: 100);
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 5);
        scene.Settle();
        var settled = new SettledPositions();
        foreach (var index in new[] { 0, 1, 2, 4, 6, 9 })
            settled.Add(new Position("scripted", 0, index));
        scene.Open(version: 1, settled);
        scene.Settle();
        Assert.Equal([new Position("scripted", 0, 0), new Position("scripted", 0, 3)], source.Reads);
        scene.Grant(first: 5, count: 6, batch: 1);
        scene.Settle();
        Assert.Equal(["scripted:0:3", "scripted:0:5", "scripted:0:7", "scripted:0:8", "scripted:0:10", "scripted:0:11"], Ids(scene.Got[1]));
        // Numbers begin anew, and the letter of a settled position is not told again.
        Assert.Equal(17, scene.Requests.Last(request => request.Epoch == 2).Offered);
        Assert.Equal([new PassEnd("scripted", 0, 12), new PassEnd("scripted", 1, 12)], scene.Requests.Last().PassEnds);
        Assert.Equal([(1, 0), (1, 1), (2, 1)], scene.Dead.Select(dead => ((int)dead.Epoch, dead.Letter.Position.Pass)));
        Assert.All(scene.Dead, dead => Assert.Equal(6, dead.Letter.Position.Index));
        Assert.Equal(1, source.Open + scene.Requests.Count(request => request is { Epoch: 2, Ended: true }));
        scene.Stop();
        Assert.Equal(0, source.Open);
    });

    [Fact]
    public void A_pass_that_is_wholly_settled_is_not_read_again() => OnManySchedules(seed =>
    {
        var settled = new SettledPositions();
        for (var i = 0; i < 5; i++)
            settled.Add(new Position("scripted", 0, i));
        settled.EndPass("scripted", 0, 5);
        var source = new ScriptedSource(5, passes: 2);
        var scene = new IntakeScene(seed, source);
        scene.Open(version: 1, settled);
        scene.Settle();
        Assert.Equal([new Position("scripted", 1, 0)], source.Reads);
        Assert.Equal((5, true), (scene.Requests.Last().Offered, scene.Requests.Last().Ended));
        scene.Stop();
    });

    [Fact]
    public void Notices_of_an_older_epoch_change_nothing() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(8, pause: seed % 4));
        scene.Open();
        scene.Settle();
        var old = scene.Grant(first: 0, count: 4);
        // Both before the intake has had a turn: what it hears of the old epoch it hears in order.
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 4);
        scene.Settle();
        Assert.Equal([2], scene.Got.Select(block => block.Block.Epoch).Distinct().Except([old.Epoch]));
        Assert.Equal(Ids(0, 4), Ids(scene.Got.Single(block => block.Block.Epoch == 2)));
        Assert.Equal(8, scene.Requests.Last().Offered);
        scene.Stop();
    });

    [Fact]
    public void Notices_that_come_late_or_twice_change_nothing() => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(20, pause: seed % 4);
        var scene = new IntakeScene(seed, source, window: 4);
        scene.Open();
        scene.Settle();
        scene.Open(version: 1);
        scene.Settle();
        var block = scene.Grant(first: 0, count: 2);
        scene.Settle();
        var heard = scene.Heard.Count;
        var old = block with { Epoch = 1 };
        foreach (var late in new ControlNotice[]
        {
            new EpochOpened(1, 0, new SettledPositions()), new EpochOpened(2, 1, new SettledPositions()), new SlotsGranted(1, IntakeScene.Name, old),
            new BlockReissued(1, IntakeScene.Name, old with { Attempt = 2 }, [new SlotDeath(0, DeadLetterCodes.Selector, "it broke")]),
            new BatchClosed(1, 7), new LearnerStopped(1, "asked to", InputEnded: false),
        })
            scene.Deliver(late);
        scene.Settle();
        Assert.Equal((2, heard, 1), (source.Reads.Count, scene.Heard.Count, scene.Got.Count));
        scene.Close(version: 1);
        scene.Settle();
        Assert.Equal((6, 6), (source.Taken, scene.Requests.Last().Offered));
        scene.Stop();
    });

    [Fact]
    public void After_the_learner_has_stopped_nothing_is_read_until_there_is_another() => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(20, pause: seed % 4);
        var scene = new IntakeScene(seed, source, window: 4);
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 4);
        scene.Announce(new LearnerStopped(1, "asked to", InputEnded: false));
        scene.Close(version: 1);
        scene.Settle();
        Assert.Equal((4, 4), (source.Taken, scene.Requests.Last().Offered));
        scene.Open(version: 1);
        scene.Settle();
        Assert.Equal((2, 4), (scene.Requests.Last().Epoch, scene.Requests.Last().Offered));
        scene.Stop();
    });

    [Fact]
    public void A_source_that_has_nothing_yet_holds_up_no_notice() => OnManySchedules(seed =>
    {
        var arrival = new TaskCompletionSource();
        var source = new ScriptedSource(6) { Before = (position, _) => position.Index == 4 ? arrival.Task : Task.CompletedTask };
        var scene = new IntakeScene(seed, source);
        scene.Open();
        scene.Settle();
        Assert.Equal(4, scene.Requests.Last().Offered);
        var block = scene.Grant(first: 0, count: 2);
        scene.Settle();
        scene.Reissue(block with { Attempt = 2 });
        scene.Settle();
        Assert.Equal([.. Ids(0, 2), .. Ids(0, 2)], scene.Got.SelectMany(Ids));
        arrival.SetResult();
        scene.Settle();
        Assert.Equal((6, true), (scene.Requests.Last().Offered, scene.Requests.Last().Ended));
        scene.Stop();
    });

    [Fact]
    public void A_new_epoch_lets_go_of_a_source_that_waits_whether_it_heeds_that_or_not() => OnManySchedules(seed =>
    {
        var heeds = seed % 2 == 0;
        var deaf = new TaskCompletionSource();
        var source = new ScriptedSource(6);
        source.Before = (position, cancellation) => position.Index != 3 || source.Reads.Count > 1 ? Task.CompletedTask
            : heeds ? Task.Delay(Timeout.InfiniteTimeSpan, cancellation) : deaf.Task;
        var scene = new IntakeScene(seed, source);
        scene.Open();
        scene.Settle();
        Assert.Equal(3, scene.Requests.Last().Offered);
        scene.Open();
        scene.Settle();
        Assert.Equal((2, 6, true), (scene.Requests.Last().Epoch, scene.Requests.Last().Offered, scene.Requests.Last().Ended));
        // The newest reading ended but is disposed with the actor; a deaf one ends by itself, later.
        deaf.TrySetResult();
        scene.Settle();
        Assert.Equal(6, scene.Requests.Last().Offered);
        Assert.Equal(0, source.Open);
        scene.Stop();
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_source_that_fails_ends_the_host_and_the_message_names_it(bool later) => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(6) { Before = (position, _) => position.Index == 3 ? Fail(later) : Task.CompletedTask };
        var scene = new IntakeScene(seed, source);
        scene.Open();
        var failure = Assert.Throws<FatalActorException>(() => scene.Host.RunUntil(() => false));
        Assert.Equal("source 'scripted' cannot be read: data/x.jsonl cannot be read beyond line 3: the disk is gone", failure.Message);
        Assert.IsType<IOException>(failure.InnerException);
        Assert.Equal((0, 0), (scene.Host.Restarts, source.Open));

        static async Task Fail(bool later)
        {
            if (later)
                await Task.Yield();
            throw new IOException("data/x.jsonl cannot be read beyond line 3: the disk is gone");
        }
    });

    [Fact]
    public void A_source_whose_own_wait_is_cancelled_has_failed_too() => OnManySchedules(seed =>
    {
        var scene = new IntakeScene(seed, new ScriptedSource(6) { Before = (_, _) => throw new OperationCanceledException("its server gave up") });
        scene.Open();
        Assert.Contains("its server gave up", Assert.Throws<FatalActorException>(() => scene.Host.RunUntil(() => false)).Message);
    });

    [Fact]
    public void After_a_restart_it_asks_for_a_new_epoch_and_takes_no_grant_for_what_it_lost() => OnManySchedules(seed =>
    {
        var source = new ScriptedSource(8, pause: seed % 4);
        var scene = new IntakeScene(seed, source, window: 4, withPools: pools => new FailingPools(pools, failures: 1));
        scene.Open();
        scene.Settle();
        // The first grant fails on its way to the selectors; the second was announced before the learner heard of it.
        scene.Grant(first: 0, count: 2);
        scene.Grant(first: 2, count: 2);
        scene.Host.RunUntil(() => scene.Heard.Contains(new IntakeReady(IntakeScene.Name, 2)));
        scene.Grant(first: 4, count: 4);
        scene.Settle();
        Assert.Equal(1, scene.Host.Restarts);
        var ready = scene.Heard.IndexOf(new IntakeReady(IntakeScene.Name, 2));
        Assert.DoesNotContain(scene.Heard.Take(ready), message => message is SlotRequest { Ended: true });
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 4);
        scene.Settle();
        Assert.Equal(Ids(0, 4), Ids(scene.Got.Last()));
        Assert.Equal(2, scene.Got.Last().Block.Epoch);
        scene.Stop();
        Assert.Equal(0, source.Open);
    });

    [Fact]
    public void A_grant_without_records_in_hand_is_a_defect_that_is_told()
    {
        var scene = new IntakeScene(1, new ScriptedSource(2));
        scene.Open();
        scene.Settle();
        scene.Grant(first: 0, count: 3);
        scene.Host.RunUntil(() => scene.Heard.Contains(new IntakeReady(IntakeScene.Name, 2)));
        Assert.Equal(1, scene.Host.Restarts);
        Assert.Empty(scene.Got);
        scene.Stop();
    }

    [Fact]
    public void Of_a_source_of_millions_no_more_is_read_than_is_needed() => OnManySchedules(seed =>
    {
        if (seed >= 20)
            return;
        var taken = 0;
        var scene = new IntakeScene(seed, new EnumerableSource("mine", _ => Count()), window: 8);
        scene.Open();
        scene.Settle();
        for (var batch = 0; batch < 50; batch++)
        {
            scene.Grant(first: batch * 4L, count: 4, batch);
            scene.Settle();
            Assert.Equal(batch * 4 + 8, taken);
            scene.Close(batch + 1);
            scene.Settle();
        }
        scene.Stop();

        async IAsyncEnumerable<PreferenceRecord> Count()
        {
            await Task.CompletedTask;
            for (taken = 1; taken <= 1_000_000; taken++)
                yield return new PreferenceRecord { Prompt = Prompt.OfHistory(["a"]), Candidates = ["b", "c"] };
        }
    });

    /// <summary>Hands blocks on, but fails as often as told first.</summary>
    private sealed class FailingPools(IPoolsLink pools, int failures) : IPoolsLink
    {
        private int _failures = failures;

        public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation) =>
            _failures-- > 0 ? throw new InvalidOperationException("the link broke") : pools.OfferAsync(block, cancellation);

        public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false) => pools.Request(selector, deliver, isAhead);

        public void Withdraw(string selector) => pools.Withdraw(selector);
    }
}
