using System.Text.Json;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;
using MassDpo.TestKit.Simulation;
using MassDpo.TestKit.Telemetry;

namespace MassDpo.Learner.Tests.Running;

public sealed class LearnerActorTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly MadeRun _made = new(records: 18);

    private string Output => _folder["out"];

    [Fact]
    public void Nothing_is_granted_before_a_selector_has_confirmed_the_published_policy()
    {
        using var bench = new LearnerBench(_made, Output);
        using (var policy = bench.Policy())
        {
            Assert.Equal((1, 0, _made.Start.ComputeHash()), (policy.Epoch, policy.Version, policy.Hash));
            // Neither asking, nor a confirmation of another epoch or version, opens slots.
            bench.Tell(new SlotRequest(LearnerBench.Intake, 1, 8, [], false, InputShare.All(LearnerBench.Intake)));
            bench.Tell(new SnapshotConfirmed("other", policy.Epoch + 1, policy.Version, policy.Hash));
            bench.Tell(new SnapshotConfirmed("other", policy.Epoch - 1, policy.Version, policy.Hash));
            bench.Tell(new SnapshotConfirmed("other", policy.Epoch, policy.Version + 1, policy.Hash));
        }
        Assert.Empty(bench.Heard());
        var opened = bench.Open();
        Assert.Equal((1, 0, 0), (opened.Epoch, opened.Version, opened.Settled.Count));
        Assert.Equal(2, bench.Ask(8).Count);
    }

    [Fact]
    public void A_selector_that_holds_another_policy_than_was_published_ends_the_run()
    {
        using var bench = new LearnerBench(_made, Output);
        using var policy = bench.Policy();
        var failure = Assert.Throws<FatalActorException>(() => bench.Tell(new SnapshotConfirmed("selector-7", policy.Epoch, policy.Version, "0123")));
        Assert.Contains("selector-7", failure.Message);
        Assert.Contains("0123", failure.Message);
        Assert.Contains(policy.Hash, failure.Message);
    }

    [Fact]
    public void Each_update_publishes_the_policy_that_it_made_and_tells_that_the_batch_is_closed()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var hashes = new HashSet<string> { _made.Start.ComputeHash() };
        for (var version = 0; version < 3; version++)
        {
            foreach (var block in version == 0 ? bench.Ask(12) : bench.Granted())
                bench.Compute(block, version);
            var heard = bench.Process.Progress[^1];
            Assert.Equal(version + 1, heard.Version);
            using var policy = bench.Policy(version + 1);
            Assert.True(hashes.Add(policy.Hash));
        }
        Assert.Equal([1L, 2, 3], bench.Process.Progress.Select(progress => progress.Version));
        Assert.Equal([4L, 8, 12], bench.Process.Progress.Select(progress => progress.Counts.Applied));
        bench.Process.Stop();
        var told = new RunLogs(Output).Selections.Select(e => e.PolicyHash).Distinct().ToList();
        Assert.Equal(3, told.Count);
        Assert.Subset(hashes, told.ToHashSet());
    }

    [Fact]
    public void Batches_that_close_are_told_in_order_with_the_grants_that_follow_them()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(12);
        bench.Compute(blocks[0], 0);
        Assert.Empty(bench.Heard());
        bench.Compute(blocks[1], 0);
        Assert.Equal(["BatchClosed 1", "SlotsGranted 4", "SlotsGranted 6"], bench.Heard().Select(notice => notice switch
        {
            BatchClosed closed => $"BatchClosed {closed.Version}",
            SlotsGranted granted => $"SlotsGranted {granted.Block.First}",
            _ => notice.ToString(),
        }));
    }

    [Fact]
    public void Events_are_told_and_logged_once_each_and_in_slot_order_however_the_blocks_come()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(8);
        bench.Compute(blocks[1], 0);
        Assert.Empty(bench.Process.Applied);
        bench.Compute(blocks[0], 0);
        bench.Compute(blocks[0], 1);
        Assert.Equal([0L, 1, 2, 3], bench.Process.Applied.Select(e => e.Slot));
        Assert.Equal(Enumerable.Range(0, 4).Select(i => new Position(MadeRun.Source, 0, i)), bench.Process.Applied.Select(e => e.Position));
        bench.Process.Stop();
        Assert.Equal([0L, 1, 2, 3], new RunLogs(Output).Selections.Select(e => e.Slot));
    }

    [Fact]
    public void A_later_incarnation_of_an_intake_opens_a_new_epoch_and_nothing_is_trained_twice()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(18);
        foreach (var block in blocks)
            bench.Compute(block, 0);
        var late = bench.Granted();
        bench.Compute(late[0], 1);

        bench.Tell(new IntakeReady(LearnerBench.Intake, 2));
        using (var policy = bench.Policy(1))
            Assert.Equal(2, policy.Epoch);
        Assert.Empty(bench.Heard());
        // What belongs to the epoch before counts no more.
        bench.Tell(new SlotRequest(LearnerBench.Intake, 1, 18, [], true, InputShare.All(LearnerBench.Intake)));
        bench.Tell(new PositionDead(LearnerBench.Intake, 1, Letter(17)));
        var opened = bench.Open(version: 1);
        Assert.Equal((2, 1, 4), (opened.Epoch, opened.Version, opened.Settled.Count));
        bench.Compute(late[1], 1);
        Assert.Single(bench.Process.Progress);

        var version = 1;
        for (var open = bench.Ask(14, ended: true); open.Count > 0; open = bench.Granted(), version++)
            foreach (var block in open)
                bench.Compute(block, version);
        Assert.False(bench.Process.RunToEnd().Stopped);
        new RunLogs(Output).AssertWhole(_made);
        Assert.Equal([1L, 2], new RunLogs(Output).Selections.Select(e => e.Epoch).Distinct());
    }

    [Fact]
    public void The_first_incarnation_of_an_intake_needs_no_new_epoch()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        bench.Tell(new IntakeReady(LearnerBench.Intake, 1));
        Assert.Equal(2, bench.Ask(8).Count);
    }

    [Fact]
    public void What_a_lost_selector_held_is_handed_out_again_and_its_late_answer_dropped()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(4);
        bench.Tell(new BlockHeld("s1", blocks[0].Block));
        bench.Tell(new BlockHeld("s2", blocks[1].Block));
        bench.Tell(new SelectorReady("s1", 1));
        Assert.Empty(bench.Heard());
        bench.Tell(new SelectorReady("s1", 2));
        var again = Assert.IsType<BlockReissued>(Assert.Single(bench.Heard()));
        Assert.Equal((LearnerBench.Intake, blocks[0].Block with { Attempt = 2 }), (again.Intake, again.Block));
        bench.Compute(blocks[0], 0);
        bench.Compute(blocks[1], 0);
        Assert.Empty(bench.Process.Progress);
        bench.Compute(blocks[0] with { Block = again.Block }, 0);
        Assert.Single(bench.Process.Progress);
    }

    [Fact]
    public void A_block_that_nobody_tells_of_any_more_or_never_did_is_handed_out_again_when_its_lease_ends()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var start = bench.Process.Host.Clock.GetUtcNow();
        var blocks = bench.Ask(4);
        bench.Tell(new BlockHeld("s1", blocks[0].Block));
        using var expired = new CounterSums(bench.Process.Host.Instruments.Meter, "massdpo.leases.expired");
        var again = new List<BlockReissued>();
        bench.Process.Host.RunUntil(() =>
        {
            again.AddRange(bench.Heard().OfType<BlockReissued>());
            return again.Count == 2;
        });
        Assert.Equal(blocks.Select(block => block.Block with { Attempt = 2 }), again.Select(block => block.Block));
        Assert.Equal(start + TimeSpan.FromSeconds(30), bench.Process.Host.Clock.GetUtcNow());
        Assert.Equal([KeyValuePair.Create("", 2L)], expired.Sums);
    }

    [Fact]
    public void A_clock_that_is_put_forward_or_back_by_hours_neither_ends_nor_lengthens_a_lease()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var clock = (FakeClock)bench.Process.Host.Clock;
        var began = clock.GetTimestamp();
        var blocks = bench.Ask(4);
        foreach (var hours in new[] { 5, -10 })
        {
            clock.Jump(TimeSpan.FromHours(hours));
            bench.Tell(new BlockHeld("s1", blocks[0].Block));
            bench.Tell(new BlockHeld("s1", blocks[0].Block));
            Assert.Empty(bench.Heard().OfType<BlockReissued>());
        }
        var again = new List<BlockReissued>();
        bench.Process.Host.RunUntil(() =>
        {
            again.AddRange(bench.Heard().OfType<BlockReissued>());
            return again.Count == 2;
        });
        Assert.Equal(TimeSpan.FromSeconds(30), clock.GetElapsedTime(began));
    }

    [Fact]
    public void A_heartbeat_keeps_a_block_with_its_holder()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(4);
        var block = blocks[0];
        bench.Compute(blocks[1], 0);
        var clock = (FakeClock)bench.Process.Host.Clock;
        bench.Tell(new BlockHeld("s1", block.Block));
        for (var beat = 0; beat < 5; beat++)
        {
            clock.Advance(TimeSpan.FromSeconds(20));
            bench.Tell(new BlockHeld("s1", block.Block));
        }
        Assert.Empty(bench.Heard());
        bench.Compute(block, 0);
        bench.Tell(new SelectorReady("s1", 2));
        Assert.Equal([new BatchClosed(1, 1)], bench.Heard());
    }

    [Fact]
    public void A_record_on_which_selectors_fail_dies_with_its_batch_and_the_others_are_trained_on()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(8);
        var block = blocks[0];
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            bench.Tell(new BlockFailed("s1", block.Block, [new SlotFailure(1, "it does not like it")]));
            var again = Assert.IsType<BlockReissued>(Assert.Single(bench.Heard()));
            Assert.Equal(attempt == 3 ? [new SlotDeath(1, DeadLetterCodes.Selector, "it does not like it")] : [], again.Deaths);
            block = block with { Block = again.Block };
        }
        bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(1), Slot: 1));
        // Until the batch is closed a restart has to find the record where it was.
        Assert.Empty(File.ReadAllBytes(Path.Combine(Output, "dead-letters.jsonl")));
        bench.Compute(block with { Pools = [block.Pools[0], null] }, 0);
        bench.Compute(blocks[1], 0);
        var outcome = bench.Process.Stop();
        Assert.Equal((3, 1), (outcome.Counts.Applied, outcome.Counts.Dead));
        var logs = new RunLogs(Output);
        Assert.Equal([At(0), null, At(2), At(3)], Assert.Single(logs.Updates).Positions);
        Assert.Equal([At(1)], logs.Dead);
        Assert.Equal([0L, 2, 3], logs.Selections.Select(e => e.Slot));
    }

    [Fact]
    public void A_record_that_died_in_a_batch_that_is_dropped_is_read_again()
    {
        using (var bench = new LearnerBench(_made, Output))
        {
            bench.Open();
            var blocks = bench.Ask(8);
            bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(1), Slot: 1));
            bench.Compute(blocks[0] with { Pools = [blocks[0].Pools[0], null] }, 0);
            Assert.Equal((0, 0), (bench.Process.Stop().Version, new RunLogs(Output).DeadLetters.Count));
        }
        using var next = new LearnerBench(_made, Output);
        Assert.Equal(0, next.Open().Settled.Count);
    }

    [Fact]
    public void A_death_that_is_told_after_its_batch_has_closed_still_settles_the_record()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(4);
        bench.Compute(blocks[0] with { Pools = [blocks[0].Pools[0], null] }, 0);
        bench.Compute(blocks[1], 0);
        bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(1), Slot: 1));
        bench.Process.Stop();
        Assert.Equal([At(1)], new RunLogs(Output).Dead);
    }

    // Where a part of the input moved to another intake, the one that had it before may still give its records up.
    [Fact]
    public void A_record_that_is_told_dead_and_was_computed_for_another_intake_in_the_same_batch_is_trained_on_and_settled_once()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(4);
        bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(1), Slot: 1));
        bench.Compute(blocks[0] with { Pools = [blocks[0].Pools[0], null] }, 0);
        bench.Compute(blocks[1] with { Pools = [blocks[1].Pools[0], blocks[0].Pools[1]] }, 0);
        var outcome = bench.Process.Stop();
        Assert.Equal((3, 0), (outcome.Counts.Applied, outcome.Counts.Dead));
        var logs = new RunLogs(Output);
        Assert.Equal([At(0), null, At(2), At(1)], Assert.Single(logs.Updates).Positions);
        Assert.Empty(logs.Dead);
    }

    [Fact]
    public void A_block_that_no_selector_of_the_run_computes_is_refused_by_name_and_its_records_are_selected_again()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var block = bench.Ask(2, ended: true)[0];
        SelectionBlock Computed()
        {
            using var policy = bench.Policy();
            return _made.Compute(block, policy, "somebody");
        }
        void Refuse(SelectionBlock computed)
        {
            bench.Send(computed);
            var again = Assert.IsType<BlockReissued>(Assert.Single(bench.Heard()));
            Assert.Empty(again.Deaths);
            Assert.Equal(block.Block with { Attempt = block.Block.Attempt + 1 }, again.Block);
            // What comes again is late now.
            bench.Send(computed);
            Assert.Empty(bench.Heard());
            block = block with { Block = again.Block };
        }
        Refuse(Computed() with { Version = long.MinValue });
        Refuse(Computed() with { Selections = [] });
        bench.Send(Computed());
        Assert.Equal((2, 0), (bench.Process.Outcome!.Counts.Applied, bench.Process.Outcome.Counts.Dead));
        Assert.Contains("'somebody' with version -9223372036854775808", Assert.Single(bench.Process.Outcome.Notes));
    }

    [Fact]
    public void Records_of_which_nothing_else_ever_comes_than_what_is_refused_die_with_the_reason()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var block = bench.Ask(2, ended: true)[0];
        for (var attempt = 1; ; attempt++)
        {
            using var policy = bench.Policy();
            bench.Send(_made.Compute(block, policy, "somebody") with { Version = 1 });
            var again = Assert.IsType<BlockReissued>(Assert.Single(bench.Heard()));
            Assert.Equal(attempt < 3 ? 0 : 2, again.Deaths.Count);
            if (attempt == 3)
            {
                Assert.All(again.Deaths, death => Assert.Contains("'somebody' with version 1: a lag of -1", death.Reason));
                return;
            }
            block = block with { Block = again.Block };
        }
    }

    [Fact]
    public void A_run_does_not_end_before_the_letter_of_a_record_that_died_in_its_last_batch()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(4, ended: true);
        var block = blocks[0];
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            bench.Tell(new BlockFailed("s1", block.Block, [new SlotFailure(1, "it does not like it")]));
            block = block with { Block = Assert.IsType<BlockReissued>(Assert.Single(bench.Heard())).Block };
        }
        // Over topics of their own, what was selected can be faster than the letter.
        bench.Compute(block with { Pools = [block.Pools[0], null] }, 0);
        bench.Compute(blocks[1], 0);
        Assert.Equal([new BatchClosed(1, 1)], bench.Heard());
        Assert.Null(bench.Process.Outcome);
        bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(1), Slot: 1));
        Assert.Equal((3, 1, false), (bench.Process.Outcome!.Counts.Applied, bench.Process.Outcome.Counts.Dead, bench.Process.Outcome.Stopped));
        Assert.Equal([At(1)], new RunLogs(Output).Dead);
    }

    [Fact]
    public void A_record_that_cannot_be_used_is_buried_at_once_and_once()
    {
        using (var bench = new LearnerBench(_made, Output))
        {
            bench.Open();
            for (var times = 0; times < 2; times++)
                bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(3)));
            Assert.Equal([At(3)], new RunLogs(Output).Dead);
            Assert.Equal(1, bench.Process.Stop().Counts.Dead);
        }
        using var next = new LearnerBench(_made, Output);
        Assert.True(next.Open().Settled.Contains(At(3)));
    }

    [Fact]
    public void A_batch_that_is_all_empty_is_an_update_that_changes_nothing_and_is_logged_as_one()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        foreach (var block in bench.Ask(8))
        {
            for (var i = 0; i < 2; i++)
                bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(block.Block.First + i), block.Block.First + i));
            bench.Compute(block with { Pools = [null, null] }, 0);
        }
        using (var policy = bench.Policy(version: 1))
            Assert.Equal(_made.Start.ComputeHash(), policy.Hash);
        var outcome = bench.Process.Stop();
        Assert.Equal((1, 0, 4), (outcome.Version, outcome.Counts.Applied, outcome.Counts.Dead));
        var logs = new RunLogs(Output);
        var update = Assert.Single(logs.Updates);
        Assert.Equal((null, 0), (update.Loss, update.Applied));
        Assert.Equal(4, update.Positions.Count);
        Assert.Equal(JsonValueKind.Null, Assert.Single(logs.Metrics).GetProperty("loss").ValueKind);
        Assert.Equal(4, logs.DeadLetters.Count);
        using var checkpoint = new CheckpointStore(Path.Combine(Output, "checkpoints"), new FaultyFiles(), 2).LoadNewest((_, _) => { });
        Assert.Equal((1, 0, 4), (checkpoint!.State.Version, checkpoint.State.OptimizerSteps, checkpoint.State.Settled.Count));
    }

    [Fact]
    public void A_record_that_gives_no_finite_loss_goes_to_dead_letters_and_its_batch_is_computed_without_it()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(8);
        bench.Compute(blocks[1], 0);
        using (var policy = bench.Policy())
        {
            var computed = _made.Compute(blocks[0], policy, "s");
            computed.Selections[1]!.ReferenceLogps[0] = float.NaN;
            bench.Send(computed);
        }
        Assert.Equal([0L, 2, 3], bench.Process.Applied.Select(e => e.Slot));
        var outcome = bench.Process.Stop();
        var logs = new RunLogs(Output);
        Assert.Equal([At(0), null, At(2), At(3)], Assert.Single(logs.Updates).Positions);
        var letter = Assert.Single(logs.DeadLetters);
        Assert.Equal((At(1).ToString(), DeadLetterCodes.NotFinite), (letter.GetProperty("position").GetString(), letter.GetProperty("code").GetString()));
        Assert.Contains("not finite", letter.GetProperty("reason").GetString());
        Assert.Equal(outcome.PolicyHash, _made.Replay(logs.Updates, logs.Selections));
    }

    [Fact]
    public void A_policy_that_is_not_finite_ends_the_run_and_is_never_published()
    {
        // The first step goes by the rate in each direction: to where two weights have no sum any more.
        _made.Training = _made.Training with { Schedule = new LearningRateSchedule(3.3e38, ScheduleShape.Constant, 0, 0, 1), Adam = new AdamOptions(0, 0.99, 1e-8, 0, 0) };
        using (var bench = new LearnerBench(_made, Output))
        {
            bench.Open();
            var blocks = bench.Ask(8);
            bench.Compute(blocks[0], 0);
            var failure = Assert.Throws<TrainingDivergedException>(() => bench.Compute(blocks[1], 0));
            Assert.Contains("learner.learning-rate", failure.Message);
            using var subscription = bench.Process.Snapshots.Subscribe(() => { });
            using var newest = subscription.TryAcquire();
            Assert.Equal(0, newest!.Version);
            Assert.Equal(0, bench.Process.Host.Restarts);
        }
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Output, "checkpoints")));
    }

    [Fact]
    public void Checkpoints_come_after_every_so_many_updates_and_at_the_end()
    {
        _made.Options = _made.Options with { CheckpointUpdates = 3, CheckpointsKept = 10 };
        using var process = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 1).WithIntake().WithSelectors(1);
        process.RunToEnd();
        Assert.Equal(["v000000000003-e000001-s000000000012", "v000000000005-e000001-s000000000018"],
            Directory.EnumerateDirectories(Path.Combine(Output, "checkpoints")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_interval_between_checkpoints_counts_from_the_one_that_the_run_went_on_from()
    {
        _made.Options = _made.Options with { CheckpointUpdates = 3, CheckpointsKept = 10 };
        using (var first = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 1).WithIntake().WithSelectors(1))
        {
            first.Host.RunUntil(() => first.Progress.Count == 1);
            first.Stop();
        }
        using var second = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 1).WithIntake().WithSelectors(1);
        second.RunToEnd();
        Assert.Equal([1L, 4, 5], Directory.EnumerateDirectories(Path.Combine(Output, "checkpoints")).Select(path => long.Parse(Path.GetFileName(path)[1..13])).Order());
    }

    [Fact]
    public void Stopping_drops_the_open_batch_commits_and_writes_the_policy()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        foreach (var block in bench.Ask(18))
            bench.Compute(block, 0);
        var open = bench.Granted();
        bench.Compute(open[0], 1);
        var outcome = bench.Process.Stop();
        Assert.Equal((true, 1, 4), (outcome.Stopped, outcome.Version, outcome.Counts.Applied));
        var stopped = Assert.IsType<LearnerStopped>(Assert.Single(bench.Heard(), notice => notice is not CheckpointWritten));
        Assert.Contains("asked to stop", stopped.Reason);
        Assert.Equal(outcome.PolicyHash, WholeRun.HashOf(_made, Path.Combine(Output, "policy")));
        foreach (var file in new[] { "config.json", "tokenizer.json" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(_made.PolicyPath, file)), File.ReadAllBytes(Path.Combine(Output, "policy", file)));
        Assert.Equal(4, new RunLogs(Output).Selections.Count);
        // Whatever still comes is for nobody.
        bench.Compute(open[1], 1);
        bench.Tell(new SlotRequest(LearnerBench.Intake, bench.Epoch, 18, [], true, InputShare.All(LearnerBench.Intake)));
        bench.Tell(new LearnerMessage.Stop());
        Assert.Empty(bench.Heard());
        Assert.Equal(4, new RunLogs(Output).Selections.Count);
    }

    [Fact]
    public void Stopping_before_any_selector_is_there_commits_what_the_run_had()
    {
        string hash;
        using (var first = new LearnerBench(_made, Output))
        {
            first.Policy().Dispose();
            var outcome = first.Process.Stop();
            Assert.Equal((true, 0), (outcome.Stopped, outcome.Version));
            hash = outcome.PolicyHash;
        }
        Assert.Equal(_made.Start.ComputeHash(), hash);
        using var next = new LearnerBench(_made, Output);
        Assert.Equal((2, 0), (next.Open().Epoch, next.Process.Progress.Count));
    }

    [Fact]
    public void At_the_end_of_the_input_a_short_batch_is_trained_on_and_the_run_ends_by_itself()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var blocks = bench.Ask(3, ended: true);
        Assert.Equal([2, 1], blocks.Select(block => block.Pools.Count));
        foreach (var block in blocks)
            bench.Compute(block, 0);
        var outcome = bench.Process.RunToEnd();
        Assert.Equal((false, 1, 3), (outcome.Stopped, outcome.Version, outcome.Counts.Applied));
        Assert.Contains("input has ended", bench.Heard().OfType<LearnerStopped>().Single().Reason);
        Assert.Equal(3, Assert.Single(new RunLogs(Output).Updates).Positions.Count);
    }

    [Fact]
    public void An_input_without_records_ends_at_once()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        Assert.Empty(bench.Ask(0, ended: true));
        Assert.Equal((false, 0), (bench.Process.Outcome!.Stopped, bench.Process.Outcome.Version));
    }

    [Fact]
    public void The_length_of_a_pass_is_kept_so_that_it_need_not_be_read_again()
    {
        using (var process = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 1).WithIntake().WithSelectors(1))
            process.RunToEnd();
        using var bench = new LearnerBench(_made, Output);
        Assert.Equal(new Position(MadeRun.Source, 1, 0), bench.Open(version: 5).Settled.Watermark(MadeRun.Source));
    }

    [Fact]
    public void A_newer_claim_of_the_epoch_fences_the_learner_with_the_reason()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        var claim = bench.Process.Control.ClaimAsync(new EpochClaim(9, 0, "other"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        Assert.True(claim.IsCompletedSuccessfully);
        var failure = Assert.Throws<FatalActorException>(() => bench.Process.Host.RunUntil(() => false));
        Assert.Contains("fenced", failure.Message);
        Assert.Contains("epoch 9", failure.Message);
    }

    [Fact]
    public void A_claim_that_is_refused_ends_the_run_and_is_not_forced_by_a_restart()
    {
        using var bench = new LearnerBench(_made, Output);
        // Another learner was there before, and further.
        var other = bench.Process.Control.ClaimAsync(new EpochClaim(7, 100, "other"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        Assert.True(other.IsCompletedSuccessfully);
        var failure = Assert.Throws<FatalActorException>(() => bench.Process.Host.RunUntil(() => false));
        Assert.IsType<ClaimRefusedException>(failure.InnerException);
        Assert.Contains("epoch 7", failure.Message);
    }

    [Fact]
    public void Every_start_claims_a_higher_epoch_even_where_the_file_that_keeps_it_is_gone()
    {
        for (var start = 1; start <= 3; start++)
        {
            using var bench = new LearnerBench(_made, Output);
            Assert.Equal(start, bench.Open().Epoch);
            bench.Process.Stop();
        }
        File.Delete(Path.Combine(Output, "epoch"));
        using var next = new LearnerBench(_made, Output);
        Assert.Equal(4, next.Open().Epoch);
    }

    [Fact]
    public void Going_on_with_other_settings_is_refused_naming_them()
    {
        RunOneUpdate();
        _made.Options = _made.Options with { Identity = new RunIdentity(new Dictionary<string, string> { ["learner.beta"] = "0.6", ["data"] = "x" }) };
        using var bench = new LearnerBench(_made, Output);
        var failure = Assert.Throws<FatalActorException>(() => bench.Policy(1));
        Assert.IsType<ResumeRefusedException>(failure.InnerException);
        Assert.Contains(Output, failure.Message);
        Assert.Contains("learner.beta was 0.5 and is 0.6", failure.Message);
        Assert.Contains("data was not set and is x", failure.Message);
        Assert.Contains("--continue-with-changes", failure.Message);
    }

    [Fact]
    public void Going_on_with_other_settings_is_let_through_on_request_and_noted_and_from_then_on_they_count()
    {
        RunOneUpdate();
        var changed = new RunIdentity(new Dictionary<string, string> { ["learner.beta"] = "0.6" });
        _made.Options = _made.Options with { Identity = changed, ContinueWithChanges = true };
        using (var process = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 1).WithIntake().WithSelectors(1))
        {
            process.Host.RunUntil(() => process.Progress.Count == 1);
            var outcome = process.Stop();
            Assert.Equal(2, outcome.Version);
            Assert.Contains("continued with a change: learner.beta was 0.5 and is 0.6", outcome.Notes);
        }
        _made.Options = _made.Options with { ContinueWithChanges = false };
        using var next = new LearnerBench(_made, Output);
        next.Open(version: 2);
    }

    [Fact]
    public void A_damaged_checkpoint_is_noted_and_the_run_comes_to_the_same_bits_from_the_one_before()
    {
        var (whole, expected) = WholeRun.Uninterrupted(_made);
        using (var process = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 1).WithIntake().WithSelectors(2))
            process.Host.RunUntil(() => process.Progress.Count == 4);
        var newest = Directory.EnumerateDirectories(Path.Combine(Output, "checkpoints")).Max()!;
        var state = Path.Combine(newest, "state.json");
        File.WriteAllText(state, File.ReadAllText(state).Replace("\"version\": 4", "\"version\": 5"));
        var (outcome, logs) = WholeRun.Finish(_made, _folder, new FaultyFiles(), seed: 2);
        Assert.Equal(whole.PolicyHash, outcome.PolicyHash);
        WholeRun.AssertSame(expected, logs);
        Assert.Contains(outcome.Notes, note => note.Contains(Path.GetFileName(newest)) && note.Contains("damaged") && note.Contains("state.json"));
        Assert.Contains(outcome.Notes, note => note.Contains("went on from checkpoint v000000000002"));
    }

    [Theory]
    [InlineData("selections.jsonl")]
    [InlineData("updates.jsonl")]
    [InlineData("metrics.jsonl")]
    [InlineData("dead-letters.jsonl")]
    public void A_log_that_was_edited_or_cut_ends_the_run_with_the_remedy(string log)
    {
        using (var bench = new LearnerBench(_made, Output))
        {
            bench.Open();
            bench.Tell(new PositionDead(LearnerBench.Intake, bench.Epoch, Letter(9)));
            foreach (var block in bench.Ask(4))
                bench.Compute(block, 0);
            bench.Process.Stop();
        }
        var path = Path.Combine(Output, log);
        var whole = File.ReadAllBytes(path);
        var edited = whole.ToArray();
        edited[whole.Length / 2] ^= 1;
        foreach (var broken in new[] { edited, whole[..^1], [] })
        {
            File.WriteAllBytes(path, broken);
            using var bench = new LearnerBench(_made, Output);
            var failure = Assert.Throws<FatalActorException>(() => bench.Policy(1));
            Assert.Contains(path, failure.Message);
            Assert.Contains("Put the log of this run back", failure.Message);
        }
        File.WriteAllBytes(path, whole);
        using var mended = new LearnerBench(_made, Output);
        mended.Open(version: 1);
    }

    [Fact]
    public void Where_all_checkpoints_are_damaged_the_run_ends_with_the_remedy_and_its_logs_are_left_alone()
    {
        RunOneUpdate();
        foreach (var checkpoint in Directory.EnumerateDirectories(Path.Combine(Output, "checkpoints")))
            File.Delete(Path.Combine(checkpoint, "manifest.json"));
        var updates = File.ReadAllBytes(Path.Combine(Output, "updates.jsonl"));
        using var bench = new LearnerBench(_made, Output);
        Assert.Contains("empty output directory", Assert.Throws<FatalActorException>(() => bench.Policy(1)).Message);
        Assert.Equal(updates, File.ReadAllBytes(Path.Combine(Output, "updates.jsonl")));
        Assert.NotEmpty(updates);
    }

    [Fact]
    public void Counts_and_lags_go_on_over_all_starts_of_a_run()
    {
        RunOneUpdate();
        using var process = new LearnerProcess(_made, Output, new FaultyFiles(), seed: 2).WithIntake(new IntakeScript(pool => pool.Position.Index == 17, _ => false)).WithSelectors(1);
        var outcome = process.RunToEnd();
        Assert.Equal((4, 0), (outcome.CountsAtStart.Applied, outcome.CountsAtStart.Dead));
        Assert.Equal((17, 1, 18), (outcome.Counts.Applied, outcome.Counts.Dead, outcome.Counts.Read));
        Assert.Equal([KeyValuePair.Create(0L, 17L)], outcome.Lags);
    }

    [Fact]
    public void What_was_dropped_and_cut_before_is_counted_with_the_records_that_were_applied()
    {
        _made.Records = [.. _made.Records.Select((pool, i) => pool with { Duplicates = i, UnknownItems = 2 * i, CutTokens = 10 * i })];
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        foreach (var block in bench.Ask(4))
            bench.Compute(block, 0);
        var counts = bench.Process.Stop().Counts;
        Assert.Equal((6, 12), (counts.Duplicates, counts.Unknown));
        // Of four records three were cut.
        Assert.Equal((3, 60), (counts.Truncated, counts.CutTokens));
    }

    public void Dispose()
    {
        _made.Dispose();
        _folder.Dispose();
    }

    private void RunOneUpdate()
    {
        using var bench = new LearnerBench(_made, Output);
        bench.Open();
        foreach (var block in bench.Ask(4))
            bench.Compute(block, 0);
        Assert.Equal(1, bench.Process.Stop().Version);
    }

    private static Position At(long index) => new(MadeRun.Source, 0, index);

    private DeadLetter Letter(long index) => new(At(index), DeadLetterCodes.Selector, "scripted", _made.Records[(int)index].Origin);
}
