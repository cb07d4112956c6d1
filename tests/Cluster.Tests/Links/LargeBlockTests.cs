using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Wire;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>Blocks that remoting would drop for their size, to and from a hub on another node.</summary>
public sealed class LargeBlockTests(TwoNodes nodes) : IClassFixture<TwoNodes>
{
    [Fact]
    public async Task Blocks_above_the_frame_limit_arrive_whole_and_in_order_with_small_ones()
    {
        var link = nodes.NewLink();
        using var pools = new AkkaPoolsLink(nodes.Nodes[1], link);
        using var selections = new AkkaSelectionsLink(nodes.Nodes[1], link);
        var (blocks, received) = (new Inbox<PoolBlock>(), new Inbox<SelectionBlock>());
        using var receiver = selections.Receive((block, _) =>
        {
            received.Add(block);
            return ValueTask.CompletedTask;
        });
        foreach (var bytes in new[] { 1_000_000, 10, 3_000_000, 127_000, 120_000 })
        {
            var pool = Pool(bytes);
            pools.Request("selector", blocks.Add);
            await pools.OfferAsync(pool, default);
            Assert.Equal(PoolCodec.Encode(pool), PoolCodec.Encode((await blocks.Take(1))[0]));
            var selection = Samples.Selections() with { Selector = new string('s', bytes) };
            await selections.SendAsync(selection, default);
            Assert.Equal(SelectionCodec.Encode(selection), SelectionCodec.Encode((await received.Take(1))[0]));
        }
    }

    [Fact]
    public async Task A_block_that_no_node_would_take_is_refused_with_the_remedy_and_the_next_one_goes()
    {
        var link = nodes.NewLink();
        using var pools = new AkkaPoolsLink(nodes.Nodes[1], link);
        var blocks = new Inbox<PoolBlock>();
        pools.Request("selector", blocks.Add);
        var refusal = await Assert.ThrowsAsync<WireFormatException>(async () => await pools.OfferAsync(Pool(5_000_000), default));
        Assert.Contains("massdpo.links.largest above 4194304 bytes", refusal.Message);
        var small = Pool(10);
        await pools.OfferAsync(small, default);
        Assert.Equal(PoolCodec.Encode(small), PoolCodec.Encode((await blocks.Take(1))[0]));
    }

    private static PoolBlock Pool(int bytes)
    {
        var block = Samples.Pools();
        return block with { Pools = [block.Pools[0]! with { Id = new string('i', bytes) }, .. block.Pools.Skip(1)] };
    }
}
