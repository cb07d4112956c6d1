using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.LinkKit;

/// <summary>What every selections link has to do.</summary>
public abstract class SelectionsLinkContract
{
    /// <summary>One end of a link; all ends that a test asks for belong to the same link, each as if it were in a process of its own.</summary>
    protected abstract ISelectionsLink End();

    protected static SelectionBlock Block(string selector, long first) => new(new SlotBlock(1, 0, first, 1, 1), selector, 0, new Selection?[1]);

    [Fact]
    public async Task Blocks_sent_before_there_is_a_receiver_reach_it()
    {
        var sending = End().SendAsync(Block("s", 0), default).AsTask();
        var inbox = new Inbox<long>();
        using var receiver = End().Receive(Add(inbox));
        await sending;
        Assert.Equal([0], await inbox.Take(1));
    }

    [Fact]
    public async Task Every_block_arrives_at_least_once_in_order_per_sender()
    {
        var inbox = new Inbox<(string Selector, long First)>();
        using var receiver = End().Receive((block, _) =>
        {
            inbox.Add((block.Selector, block.Block.First));
            return ValueTask.CompletedTask;
        });
        ISelectionsLink[] senders = [End(), End()];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(s => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++)
                await senders[s % 2].SendAsync(Block("s" + s, i), default);
        })));
        var got = await inbox.Take(200);
        foreach (var sender in got.GroupBy(b => b.Selector))
            Assert.Equal(Enumerable.Range(0, 50).Select(i => (long)i), sender.Select(b => b.First).Distinct());
    }

    [Fact]
    public async Task What_the_learner_trains_on_arrives_as_it_was_sent()
    {
        var pool = MadeSelection.Pool(new EncodedPool([1, 2], [[3, 4], [5], [6, 7, 8]]), new Position("s", 2, 7)) with { Id = "seven", Duplicates = 3, UnknownItems = 1, CutTokens = 5 };
        var sent = MadeSelection.Of(pool, [2], [-1.5f, -2.25f]);
        var inbox = new Inbox<SelectionBlock>();
        using var receiver = End().Receive((block, _) =>
        {
            inbox.Add(block);
            return ValueTask.CompletedTask;
        });
        await End().SendAsync(new SelectionBlock(new SlotBlock(4, 3, 24, 2, 2), "s", 2, [sent, null]), default);
        var block = (await inbox.Take(1))[0];
        Assert.Equal((new SlotBlock(4, 3, 24, 2, 2), "s", 2L), (block.Block, block.Selector, block.Version));
        Assert.Null(block.Selections[1]);
        var got = block.Selections[0]!;
        Assert.Equal((pool.Id, pool.Position, pool.Duplicates, pool.UnknownItems, pool.CutTokens), (got.Pool.Id, got.Pool.Position, got.Pool.Duplicates, got.Pool.UnknownItems, got.Pool.CutTokens));
        Assert.Equal(pool.Tokens.Of(sent.Picks).Responses, got.Pool.Tokens.Of(got.Picks).Responses);
        Assert.Equal(pool.Tokens.Prompt, got.Pool.Tokens.Prompt);
        Assert.Equal(sent.ReferenceLogps, got.ReferenceLogps);
        Assert.Equal(sent.Line.Hash, got.Line.Hash);
        Assert.Equal(sent.Line.Bytes.ToArray(), got.Line.Bytes.ToArray());
        Assert.Equal(EventLine.Of(sent.Event).Bytes.ToArray(), EventLine.Of(got.Event).Bytes.ToArray());
        Assert.Equal(sent.Measures, got.Measures);
        Assert.Equal((pool.Origin.File, pool.Origin.Line, pool.Origin.RawHash), (got.Pool.Origin.File, got.Pool.Origin.Line, got.Pool.Origin.RawHash));
    }

    [Fact]
    public async Task A_receiver_without_room_gets_the_next_block_when_it_has_some()
    {
        var (room, inbox) = (new TaskCompletionSource(), new Inbox<long>());
        using var receiver = End().Receive(async (block, cancellation) =>
        {
            inbox.Add(block.Block.First);
            await room.Task;
        });
        var sender = End();
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 3; i++)
                await sender.SendAsync(Block("s", i), default);
        });
        Assert.Equal([0], await inbox.Take(1));
        Assert.Equal(0, inbox.Count);
        room.SetResult();
        Assert.Equal([1, 2], await inbox.Take(2));
        await sending;
    }

    [Fact]
    public async Task After_a_receiver_has_gone_blocks_wait_for_the_next()
    {
        End().Receive(Add(new Inbox<long>())).Dispose();
        var sending = End().SendAsync(Block("s", 7), default).AsTask();
        var inbox = new Inbox<long>();
        using var next = End().Receive(Add(inbox));
        await sending;
        Assert.Equal([7], await inbox.Take(1));
    }

    protected static Func<SelectionBlock, CancellationToken, ValueTask> Add(Inbox<long> inbox) => (block, _) =>
    {
        inbox.Add(block.Block.First);
        return ValueTask.CompletedTask;
    };
}
