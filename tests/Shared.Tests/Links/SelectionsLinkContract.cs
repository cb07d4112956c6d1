using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.Shared.Tests.Links;

/// <summary>What every selections link has to do.</summary>
public abstract class SelectionsLinkContract
{
    protected abstract ISelectionsLink Create();

    private static SelectionBlock Block(string selector, long first) => new(new SlotBlock(1, 0, first, 1, 1), selector, 0, new Selection?[1]);

    [Fact]
    public async Task Blocks_sent_before_there_is_a_receiver_reach_it()
    {
        var link = Create();
        var sending = link.SendAsync(Block("s", 0), default).AsTask();
        var inbox = new Inbox<long>();
        using var receiver = link.Receive(Add(inbox));
        await sending;
        Assert.Equal([0], await inbox.Take(1));
    }

    [Fact]
    public async Task Every_block_arrives_at_least_once_in_order_per_sender()
    {
        var link = Create();
        var inbox = new Inbox<(string Selector, long First)>();
        using var receiver = link.Receive((block, _) =>
        {
            inbox.Add((block.Selector, block.Block.First));
            return ValueTask.CompletedTask;
        });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(s => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++)
                await link.SendAsync(Block("s" + s, i), default);
        })));
        var got = await inbox.Take(200);
        foreach (var sender in got.GroupBy(b => b.Selector))
            Assert.Equal(Enumerable.Range(0, 50).Select(i => (long)i), sender.Select(b => b.First).Distinct());
    }

    [Fact]
    public async Task A_receiver_without_room_holds_the_sender_back()
    {
        var link = Create();
        var room = new TaskCompletionSource();
        using var receiver = link.Receive(async (_, _) => await room.Task);
        var sending = link.SendAsync(Block("s", 0), default).AsTask();
        Assert.False(sending.IsCompleted);
        room.SetResult();
        await sending;
    }

    [Fact]
    public async Task After_a_receiver_has_gone_blocks_wait_for_the_next()
    {
        var link = Create();
        link.Receive(Add(new Inbox<long>())).Dispose();
        var sending = link.SendAsync(Block("s", 7), default).AsTask();
        Assert.False(sending.IsCompleted);
        var inbox = new Inbox<long>();
        using var next = link.Receive(Add(inbox));
        await sending;
        Assert.Equal([7], await inbox.Take(1));
    }

    private static Func<SelectionBlock, CancellationToken, ValueTask> Add(Inbox<long> inbox) => (block, _) =>
    {
        inbox.Add(block.Block.First);
        return ValueTask.CompletedTask;
    };
}

public sealed class LocalSelectionsLinkTests : SelectionsLinkContract
{
    protected override ISelectionsLink Create() => new LocalSelectionsLink();
}
