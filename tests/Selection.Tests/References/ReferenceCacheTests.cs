using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;

namespace MassDpo.Selection.Tests.References;

public sealed class ReferenceCacheTests
{
    private static EncodedPool Pack(int token) => new([1, 2], [[token], [3]]);

    [Fact]
    public void What_is_missing_is_computed_in_one_call_each_pack_once_and_comes_back_in_order()
    {
        var cache = new ReferenceCache(1 << 20, "scoring");
        var calls = new List<int[]>();
        IReadOnlyList<float[]> Get(params int[] tokens) => cache.Get("reference", [.. tokens.Select(Pack)], packs =>
        {
            calls.Add([.. packs.Select(pack => pack.Responses[0][0])]);
            return [.. packs.Select(pack => new float[] { pack.Responses[0][0], 0 })];
        });
        Assert.Equal([5f, 6f, 5f], Get(5, 6, 5).Select(logps => logps[0]));
        Assert.Equal([7f, 5f, 8f, 6f], Get(7, 5, 8, 6).Select(logps => logps[0]));
        Assert.Equal([8f], Get(8).Select(logps => logps[0]));
        Assert.Empty(Get());
        Assert.Equal([[5, 6], [7, 8]], calls);
        Assert.Equal((4L, 4L), (cache.Use.FromMemory, cache.Use.Computed));
    }

    [Fact]
    public void A_cache_without_room_still_answers()
    {
        var cache = new ReferenceCache(0, "scoring");
        for (var i = 0; i < 2; i++)
            Assert.Equal([4f, 9f, 4f], cache.Get("reference", [Pack(4), Pack(9), Pack(4)], packs => [.. packs.Select(pack => new float[] { pack.Responses[0][0] })]).Select(logps => logps[0]));
        Assert.Equal(4L, cache.Use.Computed);
    }

    [Fact]
    public void A_failure_leaves_nothing_behind()
    {
        var cache = new ReferenceCache(1 << 20, "scoring");
        Assert.Throws<InvalidOperationException>(() => cache.Get("reference", [Pack(4)], _ => throw new InvalidOperationException("no")));
        Assert.Equal([4f], cache.Get("reference", [Pack(4)], _ => [[4]])[0]);
    }
}
