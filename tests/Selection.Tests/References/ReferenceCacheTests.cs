using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.TestKit;

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

    [Fact]
    public void What_another_start_has_computed_is_read_from_disk_and_then_held_in_memory()
    {
        using var folder = new TempFolder();
        using (var first = Open())
            Assert.Equal([4f, 5f], Get(first, "reference", 4, 5));
        using (var second = Open())
        {
            Assert.Equal([5f, 6f, 4f, 5f], Get(second, "reference", 5, 6, 4, 5));
            Assert.Equal((1L, 2L, 1L), (second.Use.FromMemory, second.Use.FromDisk, second.Use.Computed));
            Assert.Equal([4f, 6f], Get(second, "reference", 4, 6));
            Assert.Equal((3L, 2L, 1L), (second.Use.FromMemory, second.Use.FromDisk, second.Use.Computed));
        }
        // Where nothing fits into memory the disk alone serves.
        using var third = Open(memory: 0);
        for (var i = 0; i < 2; i++)
            Assert.Equal([4f, 5f, 6f], Get(third, "reference", 4, 5, 6));
        Assert.Equal((0L, 6L, 0L, 0L), (third.Use.FromMemory, third.Use.FromDisk, third.Use.Computed, third.Use.MemoryBytes));
        Assert.NotEqual(0, third.Use.DiskBytes);

        ReferenceCache Open(long memory = 1 << 20) => new(memory, "scoring", ReferenceStore.Open(folder.Path, 1 << 20, PhysicalFiles.Instance, Assert.Fail));
    }

    [Theory]
    [InlineData("scoring", "another")]
    [InlineData("another", "reference")]
    [InlineData("scor", "ingreference")]
    public void Another_reference_or_another_way_of_scoring_is_another_entry(string scoring, string reference)
    {
        using var folder = new TempFolder();
        using (var first = Open("scoring"))
            Get(first, "reference", 4);
        using var second = Open(scoring);
        Get(second, reference, 4);
        Assert.Equal(1, second.Use.Computed);

        ReferenceCache Open(string how) => new(1 << 20, how, ReferenceStore.Open(folder.Path, 1 << 20, PhysicalFiles.Instance, Assert.Fail));
    }

    // The first number of each pack, which is its token.
    private static IEnumerable<float> Get(ReferenceCache cache, string reference, params int[] tokens) =>
        cache.Get(reference, [.. tokens.Select(Pack)], packs => [.. packs.Select(pack => new float[] { pack.Responses[0][0], 0 })]).Select(logps => logps[0]);
}
