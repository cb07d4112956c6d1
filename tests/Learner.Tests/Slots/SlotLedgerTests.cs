using MassDpo.Learner.Slots;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.Learner.Tests.Slots;

public sealed class SlotLedgerTests
{
    private const long Epoch = 3;
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly SlotOptions Options = new(BatchSize: 4, BlockSize: 2, MaxStaleness: 0, MaxAttempts: 2, Lease: TimeSpan.FromSeconds(10));

    [Fact]
    public void Nothing_is_granted_without_a_whole_block_of_records_in_hand()
    {
        var ledger = New(Options);
        Assert.Empty(ledger.Grant(Noon));
        Ask(ledger, 1);
        Assert.Empty(ledger.Grant(Noon));
        Ask(ledger, 2);
        Assert.Equal([("in", new SlotBlock(Epoch, 0, 0, 2, 1))], ledger.Grant(Noon));
        Assert.Empty(ledger.Grant(Noon));
    }

    [Fact]
    public void Slots_follow_one_another_and_stop_at_the_last_open_batch()
    {
        foreach (var staleness in new[] { 0, 1, 3 })
        {
            var ledger = New(Options with { MaxStaleness = staleness }, version: 5);
            Ask(ledger, 1000);
            var blocks = ledger.Grant(Noon).Select(grant => grant.Block).ToList();
            Assert.Equal(Enumerable.Range(0, 2 * (staleness + 1)).Select(i => new SlotBlock(Epoch, 5 + i / 2, 20 + 2 * i, 2, 1)), blocks);
            Assert.Equal(blocks.Count, ledger.OpenBlocks);
        }
    }

    [Fact]
    public void A_batch_with_the_next_reference_opens_once_that_one_is_there()
    {
        // Versions 4 and 8 bring one.
        var ledger = New(Options with { MaxStaleness = 3, Reference = new ReferenceSchedule(4) }, version: 2);
        Ask(ledger, 1000);
        var blocks = ledger.Grant(Noon).Select(grant => grant.Block).ToList();
        Assert.Equal([2, 2, 3, 3], blocks.Select(block => block.Batch));
        foreach (var block in blocks)
            Assert.True(ledger.Accept(Computed(block, version: 2)));
        Assert.NotNull(ledger.TryClose());
        Assert.Empty(ledger.Grant(Noon));
        Assert.NotNull(ledger.TryClose());
        Assert.Equal([4, 4, 5, 5, 6, 6, 7, 7], ledger.Grant(Noon).Select(grant => grant.Block.Batch));
    }

    [Theory]
    [InlineData(5, 2, new[] { 2, 2, 1 })]
    [InlineData(3, 8, new[] { 3 })]
    [InlineData(4, 3, new[] { 3, 1 })]
    [InlineData(1, 1, new[] { 1 })]
    public void Blocks_end_with_their_batch(int batch, int block, int[] counts)
    {
        var ledger = New(Options with { BatchSize = batch, BlockSize = block, MaxStaleness = 1 });
        Ask(ledger, 100);
        var blocks = ledger.Grant(Noon).Select(grant => grant.Block).ToList();
        Assert.Equal([.. counts, .. counts], blocks.Select(b => b.Count));
        Assert.Equal(counts.Select(_ => 0L).Concat(counts.Select(_ => 1L)), blocks.Select(b => b.Batch));
        foreach (var granted in blocks)
            Assert.True(ledger.Accept(Computed(granted, version: 0)));
        Assert.Equal(counts, ledger.TryClose()!.BlockCounts);
    }

    [Fact]
    public void A_shorter_block_is_granted_only_at_the_end_of_an_intakes_input()
    {
        var ledger = New(Options);
        Ask(ledger, 3);
        Assert.Equal(2, Assert.Single(ledger.Grant(Noon)).Block.Count);
        Ask(ledger, 3, ended: true);
        Assert.Equal(new SlotBlock(Epoch, 0, 2, 1, 1), Assert.Single(ledger.Grant(Noon)).Block);
    }

    [Fact]
    public void A_batch_closes_once_all_its_blocks_are_back_and_the_version_goes_up()
    {
        var ledger = New(Options, version: 2);
        Ask(ledger, 100);
        var blocks = ledger.Grant(Noon).Select(grant => grant.Block).ToList();
        Assert.Null(ledger.TryClose());
        Assert.True(ledger.Accept(Computed(blocks[1], 2, "b")));
        Assert.Null(ledger.TryClose());
        Assert.True(ledger.Accept(Computed(blocks[0], 2, "a")));
        var closed = ledger.TryClose()!;
        Assert.Equal((2, 8, 2), (closed.Batch, closed.FirstSlot, closed.OldestVersion));
        Assert.Equal(["a:0", "a:1", "b:0", "b:1"], closed.Selections.Select(selection => selection!.Pool.Id));
        Assert.Equal(3, ledger.Version);
        Assert.Null(ledger.TryClose());
        Assert.Equal(new SlotBlock(Epoch, 3, 12, 2, 1), ledger.Grant(Noon)[0].Block);
    }

    [Fact]
    public void Batches_close_in_their_order_though_a_later_one_is_complete()
    {
        var ledger = New(Options with { MaxStaleness = 1 });
        Ask(ledger, 8);
        var blocks = ledger.Grant(Noon).Select(grant => grant.Block).ToList();
        foreach (var block in blocks.Skip(1))
            Assert.True(ledger.Accept(Computed(block, 0)));
        Assert.Null(ledger.TryClose());
        Assert.True(ledger.Accept(Computed(blocks[0], 0)));
        Assert.Equal([0L, 1], new[] { ledger.TryClose()!, ledger.TryClose()! }.Select(closed => closed.Batch));
    }

    [Fact]
    public void The_oldest_version_of_a_batch_is_the_least_of_its_blocks()
    {
        var ledger = New(Options with { MaxStaleness = 2 }, version: 5);
        Ask(ledger, 12);
        var blocks = ledger.Grant(Noon).Select(grant => grant.Block).ToList();
        foreach (var (block, version) in blocks.Zip([5L, 5, 5, 6, 7, 6]))
            ledger.Accept(Computed(block, version));
        Assert.Equal([5L, 5, 6], Enumerable.Range(0, 3).Select(_ => ledger.TryClose()!.OldestVersion));
    }

    [Fact]
    public void A_short_batch_closes_only_when_every_intake_has_ended()
    {
        var ledger = New(Options);
        Ask(ledger, 2, ended: true, intake: "a", parts: 2);
        ledger.Accept(Computed(Assert.Single(ledger.Grant(Noon)).Block, 0));
        Assert.Null(ledger.TryClose());
        Assert.False(ledger.IsDrained);
        Ask(ledger, 1, intake: "b", parts: 2);
        Assert.Empty(ledger.Grant(Noon));
        Assert.Null(ledger.TryClose());
        Ask(ledger, 1, ended: true, intake: "b", parts: 2);
        ledger.Accept(Computed(Assert.Single(ledger.Grant(Noon)).Block, 0));
        Assert.Equal([2, 1], ledger.TryClose()!.BlockCounts);
        Assert.True(ledger.IsDrained);
    }

    [Fact]
    public void It_is_drained_when_all_intakes_have_ended_and_all_they_had_is_closed()
    {
        var ledger = New(Options);
        Assert.False(ledger.IsDrained);
        Ask(ledger, 4, ended: true);
        Assert.False(ledger.IsDrained);
        foreach (var (_, block) in ledger.Grant(Noon))
        {
            Assert.False(ledger.IsDrained);
            ledger.Accept(Computed(block, 0));
        }
        Assert.False(ledger.IsDrained);
        Assert.NotNull(ledger.TryClose());
        Assert.True(ledger.IsDrained);

        var empty = New(Options);
        Ask(empty, 0, ended: true);
        Assert.True(empty.IsDrained);
        Assert.Null(empty.TryClose());
    }

    [Fact]
    public void Requests_that_are_doubled_late_or_of_another_epoch_change_nothing()
    {
        var ledger = New(Options);
        Ask(ledger, 2);
        Ask(ledger, 2);
        Ask(ledger, 1);
        ledger.Request(new SlotRequest("in", Epoch - 1, 100, [], true, InputShare.All("in")));
        ledger.Request(new SlotRequest("in", Epoch + 1, 100, [], true, InputShare.All("in")));
        Assert.Equal(2, Assert.Single(ledger.Grant(Noon)).Block.Count);
        Ask(ledger, 3, ended: true);
        Ask(ledger, 2);
        Assert.Equal(1, Assert.Single(ledger.Grant(Noon)).Block.Count);
    }

    [Fact]
    public void A_block_is_taken_once_and_only_in_its_newest_attempt()
    {
        var ledger = New(Options);
        var first = Granted(ledger, 4)[0];
        ledger.Held("s1", first, Noon);
        var second = Assert.Single(ledger.Lost("s1", Noon)).Block;
        Assert.Equal(first with { Attempt = 2 }, second);
        Assert.False(ledger.Accept(Computed(first, 0)));
        Assert.True(ledger.Accept(Computed(second, 0)));
        Assert.False(ledger.Accept(Computed(second, 0)));
        Assert.False(ledger.Accept(Computed(first with { Attempt = 3 }, 0)));
        Assert.False(ledger.Accept(Computed(first with { Epoch = Epoch - 1 }, 0)));
        Assert.False(ledger.Accept(Computed(first with { First = 1 }, 0)));
        Assert.False(ledger.Accept(Computed(first with { Batch = 7 }, 0)));
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(0, 6)]
    [InlineData(2, 2)]
    [InlineData(2, 6)]
    public void A_selection_with_a_version_that_its_slots_do_not_allow_is_a_defect(int staleness, long version)
    {
        var ledger = New(Options with { MaxStaleness = staleness }, version: 5);
        var block = Granted(ledger, 4)[0];
        var computed = Computed(block, version, "in", "selector-7");
        var objection = ledger.Objection(computed)!;
        Assert.Equal(objection, Assert.Throws<InvalidOperationException>(() => ledger.Accept(computed)).Message);
        Assert.Contains("selector-7", objection);
        Assert.Contains($"a lag of {5 - version} is outside 0..{staleness}", objection);
        Assert.True(ledger.Accept(Computed(block, 5)));
    }

    [Fact]
    public void A_block_without_a_selection_for_each_slot_is_a_defect()
    {
        var ledger = New(Options);
        var block = Granted(ledger, 4)[0];
        foreach (var count in new[] { 0, 1, 3 })
            Assert.Throws<InvalidOperationException>(() => ledger.Accept(Computed(block with { Count = count }, 0)));
        Assert.True(ledger.Accept(Computed(block, 0)));
    }

    [Fact]
    public void A_block_whose_holder_is_silent_is_handed_out_again_when_its_lease_has_run_out()
    {
        var ledger = New(Options);
        var blocks = Granted(ledger, 4);
        ledger.Held("s1", blocks[0], Noon.AddSeconds(1));
        ledger.Held("s2", blocks[1], Noon.AddSeconds(3));
        Assert.Equal(Noon.AddSeconds(11), ledger.NextExpiry);
        Assert.Empty(ledger.Expire(Noon.AddSeconds(10.999)));
        var reissued = Assert.Single(ledger.Expire(Noon.AddSeconds(11)));
        Assert.Equal((Epoch, "in", blocks[0] with { Attempt = 2 }), (reissued.Epoch, reissued.Intake, reissued.Block));
        Assert.Empty(reissued.Deaths);
        Assert.Equal(Noon.AddSeconds(13), ledger.NextExpiry);
        Assert.Empty(ledger.Expire(Noon.AddSeconds(12)));
    }

    [Fact]
    public void A_block_that_nobody_has_told_of_is_handed_out_again_after_ever_longer_leases_and_costs_no_attempt()
    {
        var ledger = New(Options with { MaxAttempts = 1 });
        var blocks = Granted(ledger, 4);
        Assert.Equal(Noon.AddSeconds(10), ledger.NextExpiry);
        Assert.Empty(ledger.Expire(Noon.AddSeconds(9.999)));
        int[] ends = [10, 30, 70, 150];
        for (var lost = 1; lost <= 3; lost++)
        {
            var reissued = ledger.Expire(Noon.AddSeconds(ends[lost - 1]));
            Assert.Equal(blocks.Select(block => block with { Attempt = 1 + lost }), reissued.Select(block => block.Block));
            Assert.All(reissued, block => Assert.Empty(block.Deaths));
            Assert.Equal(Noon.AddSeconds(ends[lost]), ledger.NextExpiry);
        }
        Assert.False(ledger.Accept(Computed(blocks[0], 0)));
        Assert.True(ledger.Accept(Computed(blocks[0] with { Attempt = 4 }, 0)));
    }

    [Fact]
    public void A_heartbeat_begins_the_lease_anew_and_one_of_an_older_attempt_does_nothing()
    {
        var ledger = New(Options);
        var block = Granted(ledger, 2)[0];
        ledger.Held("s1", block, Noon);
        ledger.Held("s1", block, Noon.AddSeconds(8));
        Assert.Empty(ledger.Expire(Noon.AddSeconds(17)));
        var second = Assert.Single(ledger.Expire(Noon.AddSeconds(18))).Block;
        ledger.Held("s1", block, Noon.AddSeconds(19));
        Assert.Equal(Noon.AddSeconds(28), ledger.NextExpiry);
        Assert.Empty(ledger.Lost("s1", Noon));
        ledger.Held("s2", second, Noon.AddSeconds(20));
        ledger.Accept(Computed(second, 0));
        Assert.Null(ledger.NextExpiry);
        ledger.Held("s2", second, Noon.AddSeconds(20));
        Assert.Null(ledger.NextExpiry);
    }

    [Fact]
    public void A_lost_holder_gives_back_all_its_blocks_and_nobody_elses()
    {
        var ledger = New(Options with { MaxStaleness = 1 });
        var blocks = Granted(ledger, 8);
        ledger.Held("s1", blocks[0], Noon);
        ledger.Held("s2", blocks[1], Noon);
        ledger.Held("s1", blocks[3], Noon);
        Assert.Equal([blocks[0].First, blocks[3].First], ledger.Lost("s1", Noon).Select(reissued => reissued.Block.First));
        Assert.Empty(ledger.Lost("s1", Noon));
        Assert.Empty(ledger.Lost("unknown", Noon));
        Assert.Equal(blocks[1] with { Attempt = 2 }, Assert.Single(ledger.Lost("s2", Noon)).Block);
    }

    [Fact]
    public void A_block_that_is_given_back_costs_its_records_no_attempt()
    {
        var ledger = New(Options with { MaxAttempts = 2 });
        var block = Granted(ledger, 4)[0];
        for (var time = 0; time < 5; time++)
        {
            ledger.Held($"s{time}", block, Noon);
            var back = ledger.Failed(block, [], Noon)!;
            Assert.Equal(block with { Attempt = block.Attempt + 1 }, back.Block);
            Assert.Empty(back.Deaths);
            // Whoever gave it back has it no more.
            Assert.Empty(ledger.Lost($"s{time}", Noon));
            block = back.Block;
        }
    }

    [Fact]
    public void A_record_on_which_selectors_fail_dies_after_its_attempts_and_the_others_of_its_block_live()
    {
        var ledger = New(Options with { MaxAttempts = 2 });
        var block = Granted(ledger, 4)[1];
        var first = ledger.Failed(block, [new SlotFailure(3, "bad")], Noon)!;
        Assert.Empty(first.Deaths);
        Assert.Equal(block with { Attempt = 2 }, first.Block);
        Assert.Null(ledger.Failed(block, [new SlotFailure(3, "late")], Noon));
        var second = ledger.Failed(first.Block, [new SlotFailure(3, "bad again"), new SlotFailure(2, "too")], Noon)!;
        Assert.Equal([new SlotDeath(3, DeadLetterCodes.Selector, "bad again")], second.Deaths);
        var third = ledger.Failed(second.Block, [new SlotFailure(2, "still")], Noon)!;
        Assert.Equal([new SlotDeath(2, DeadLetterCodes.Selector, "still")], third.Deaths);
        Assert.True(ledger.Accept(Computed(third.Block, 0) with { Selections = [null, null] }));
    }

    [Fact]
    public void Records_whose_holders_are_lost_die_after_their_attempts_and_are_told_dead_once()
    {
        var ledger = New(Options with { MaxAttempts = 3 });
        var block = Granted(ledger, 2)[0];
        for (var attempt = 1; attempt <= 5; attempt++)
        {
            ledger.Held("s", block, Noon);
            var reissued = Assert.Single(attempt % 2 == 0 ? ledger.Expire(Noon.AddMinutes(1)) : ledger.Lost("s", Noon));
            Assert.Equal(attempt == 3 ? [0L, 1] : Array.Empty<long>(), reissued.Deaths.Select(death => death.Slot));
            Assert.All(reissued.Deaths, death => Assert.Equal(DeadLetterCodes.HolderLost, death.Code));
            Assert.All(reissued.Deaths, death => Assert.Contains("3 attempts", death.Reason));
            block = reissued.Block;
        }
    }

    [Fact]
    public void Losses_and_failures_count_together()
    {
        var ledger = New(Options with { MaxAttempts = 2 });
        var block = Granted(ledger, 4)[0];
        ledger.Held("s", block, Noon);
        block = Assert.Single(ledger.Lost("s", Noon)).Block;
        Assert.Equal([1L], ledger.Failed(block, [new SlotFailure(1, "bad")], Noon)!.Deaths.Select(death => death.Slot));
    }

    [Fact]
    public void Attempts_of_one_record_do_not_count_for_the_next_in_a_later_slot()
    {
        var ledger = New(Options with { MaxAttempts = 2 });
        for (var round = 0; round < 3; round++)
        {
            Ask(ledger, 4 * (round + 1));
            foreach (var block in ledger.Grant(Noon).Select(grant => grant.Block))
            {
                var reissued = ledger.Failed(block, [new SlotFailure(block.First, "once")], Noon)!;
                Assert.Empty(reissued.Deaths);
                Assert.True(ledger.Accept(Computed(reissued.Block, round)));
            }
            Assert.NotNull(ledger.TryClose());
        }
    }

    [Fact]
    public void Intakes_that_all_have_records_all_get_slots()
    {
        // One batch is one block: were the fullest intake always served, "b" would wait for the end of "a".
        var ledger = New(Options with { BatchSize = 2, BlockSize = 2 });
        var granted = new Dictionary<string, long> { ["a"] = 0, ["b"] = 0, ["c"] = 0 };
        for (var round = 0; round < 30; round++)
        {
            foreach (var intake in granted.Keys)
                Ask(ledger, granted[intake] + 10, intake: intake, parts: 3);
            foreach (var (intake, block) in ledger.Grant(Noon))
            {
                granted[intake] += block.Count;
                ledger.Accept(Computed(block, ledger.Version));
            }
            Assert.NotNull(ledger.TryClose());
        }
        Assert.Equal([20L, 20, 20], granted.Values);
    }

    private static SlotLedger New(SlotOptions options, long version = 0) => new(options, Epoch, version);

    private static void Ask(SlotLedger ledger, long offered, bool ended = false, string intake = "in", int parts = 1) =>
        ledger.Request(new SlotRequest(intake, Epoch, offered, [], ended, new InputShare([intake], parts)));

    private static List<SlotBlock> Granted(SlotLedger ledger, int records)
    {
        Ask(ledger, records);
        return [.. ledger.Grant(Noon).Select(grant => grant.Block)];
    }

    private static SelectionBlock Computed(SlotBlock block, long version, string name = "in", string selector = "s") =>
        new(block, selector, version, [.. Enumerable.Range(0, block.Count).Select(i =>
            MadeSelection.Of(MadeSelection.Pool(new EncodedPool([1], [[2], [3]]), new Position(name, 0, i)) with { Id = $"{name}:{i}" }, [1], [0, 0]))]);
}
