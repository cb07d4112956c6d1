using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.LinkKit;

/// <summary>What every pools link has to do.</summary>
public abstract class PoolsLinkContract
{
    protected abstract IPoolsLink Create();

    private static PoolBlock Block(long epoch, long first, int attempt = 1) => new(new SlotBlock(epoch, first / 8, first, 4, attempt), new CandidatePool?[4]);

    [Fact]
    public async Task Each_block_goes_to_one_selector_that_asked()
    {
        var link = Create();
        var inbox = new Inbox<(string Selector, long First)>();
        for (var i = 0; i < 10; i++)
            await link.OfferAsync(Block(1, i * 4), default);
        for (var i = 0; i < 10; i++)
        {
            var selector = "s" + i % 3;
            link.Request(selector, block => inbox.Add((selector, block.Block.First)));
            var got = await inbox.Take(1);
            Assert.Equal((selector, i * 4), got[0]);
        }
    }

    [Fact]
    public async Task Nothing_comes_unasked_and_one_request_brings_one_block()
    {
        var link = Create();
        var inbox = new Inbox<long>();
        link.Request("s", block => inbox.Add(block.Block.First));
        await link.OfferAsync(Block(1, 0), default);
        await link.OfferAsync(Block(1, 4), default);
        Assert.Equal([0], await inbox.Take(1));
        Assert.Equal(0, inbox.Count);
        link.Request("s", block => inbox.Add(block.Block.First));
        Assert.Equal([4], await inbox.Take(1));
    }

    [Fact]
    public async Task Who_asks_ahead_gets_a_block_when_nobody_else_waits()
    {
        var link = Create();
        var inbox = new Inbox<string>();
        foreach (var (selector, isAhead) in new[] { ("a", true), ("b", true), ("a", false), ("c", false) })
            link.Request(selector, block => inbox.Add($"{selector}{(isAhead ? " ahead" : "")} {block.Block.First}"), isAhead);
        for (var first = 0L; first < 16; first += 4)
            await link.OfferAsync(Block(1, first), default);
        Assert.Equal(["a 0", "a ahead 8", "b ahead 12", "c 4"], (await inbox.Take(4)).Order());
        // Both are taken back together.
        link.Request("d", _ => inbox.Add("withdrawn"), isAhead: true);
        link.Request("d", _ => inbox.Add("withdrawn"));
        link.Withdraw("d");
        await link.OfferAsync(Block(1, 16), default);
        link.Request("e", block => inbox.Add($"e {block.Block.First}"));
        Assert.Equal(["e 16"], await inbox.Take(1));
    }

    [Fact]
    public async Task The_oldest_slots_come_first_whatever_the_order_of_offering()
    {
        var link = Create();
        foreach (var first in new long[] { 8, 0, 4 })
            await link.OfferAsync(Block(1, first), default);
        var inbox = new Inbox<long>();
        for (var i = 0; i < 3; i++)
            link.Request("s" + i, block => inbox.Add(block.Block.First));
        Assert.Equal([0, 4, 8], (await inbox.Take(3)).Order());
    }

    [Fact]
    public async Task A_higher_attempt_replaces_the_waiting_one_and_a_lower_one_does_not()
    {
        var link = Create();
        await link.OfferAsync(Block(1, 0, attempt: 2), default);
        await link.OfferAsync(Block(1, 0, attempt: 3), default);
        await link.OfferAsync(Block(1, 0, attempt: 1), default);
        var inbox = new Inbox<int>();
        link.Request("a", block => inbox.Add(block.Block.Attempt));
        link.Request("b", block => inbox.Add(block.Block.Attempt));
        Assert.Equal([3], await inbox.Take(1));
        Assert.Equal(0, inbox.Count);
    }

    [Fact]
    public async Task A_block_can_be_handed_out_again_to_another_selector()
    {
        var link = Create();
        var inbox = new Inbox<(string, int)>();
        link.Request("lost", block => inbox.Add(("lost", block.Block.Attempt)));
        await link.OfferAsync(Block(1, 0), default);
        link.Request("other", block => inbox.Add(("other", block.Block.Attempt)));
        await link.OfferAsync(Block(1, 0, attempt: 2), default);
        Assert.Equal([("lost", 1), ("other", 2)], await inbox.Take(2));
    }

    [Fact]
    public async Task A_newer_epoch_sweeps_out_the_blocks_of_older_ones()
    {
        var link = Create();
        await link.OfferAsync(Block(1, 0), default);
        await link.OfferAsync(Block(1, 4), default);
        await link.OfferAsync(Block(2, 4), default);
        await link.OfferAsync(Block(1, 8), default);
        var inbox = new Inbox<SlotBlock>();
        link.Request("a", block => inbox.Add(block.Block));
        link.Request("b", block => inbox.Add(block.Block));
        Assert.Equal([(2, 4)], (await inbox.Take(1)).Select(b => (b.Epoch, b.First)));
        Assert.Equal(0, inbox.Count);
    }

    [Fact]
    public async Task A_request_taken_back_or_replaced_brings_nothing()
    {
        var link = Create();
        var inbox = new Inbox<string>();
        link.Request("a", _ => inbox.Add("withdrawn"));
        link.Withdraw("a");
        link.Request("b", _ => inbox.Add("replaced"));
        link.Request("b", _ => inbox.Add("kept"));
        await link.OfferAsync(Block(1, 0), default);
        await link.OfferAsync(Block(1, 4), default);
        Assert.Equal(["kept"], await inbox.Take(1));
        Assert.Equal(0, inbox.Count);
    }
}
