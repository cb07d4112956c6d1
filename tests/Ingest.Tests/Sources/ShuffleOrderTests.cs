using MassDpo.Ingest.Sources;

namespace MassDpo.Ingest.Tests.Sources;

public sealed class ShuffleOrderTests
{
    [Theory]
    [InlineData("none", false, 0)]
    [InlineData("all", true, 0)]
    [InlineData("2", false, 2)]
    [InlineData("1000000", false, 1_000_000)]
    public void An_order_is_read_and_written_alike(string text, bool all, int buffer)
    {
        var order = ShuffleOrder.Parse(text);
        Assert.Equal((all, buffer, text), (order.All, order.Buffer, order.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("1")]
    [InlineData("-5")]
    [InlineData("2.5")]
    [InlineData("ALL")]
    [InlineData("99999999999")]
    public void Anything_else_is_refused_with_what_may_stand_there(string text)
    {
        var refusal = Assert.Throws<FormatException>(() => ShuffleOrder.Parse(text));
        Assert.Contains($"'{text}'", refusal.Message);
        Assert.Contains("all, none, or", refusal.Message);
    }

    [Fact]
    public void The_order_is_frozen_as_a_function_of_seed_and_pass()
    {
        // A checkpoint made by one release is read on by the next: these numbers never change.
        Assert.Equal([1, 8, 5, 0, 9, 2, 7, 4, 6, 3], ShuffleOrder.Permutation(10, seed: 1, pass: 0));
        Assert.Equal([1, 0, 7, 5, 4, 3, 2, 6, 9, 8], ShuffleOrder.Permutation(10, seed: 1, pass: 1));
        Assert.Equal([4, 3, 7, 2, 8, 5, 0, 1, 6, 9], ShuffleOrder.Permutation(10, seed: 2, pass: 0));
        Assert.Equal([1, 2, 5, 6, 4, 7, 0, 3, 9, 11, 10, 8], ShuffleOrder.Buffered(Enumerable.Range(0, 12), 4, seed: 1, pass: 0));
        Assert.Equal([3, 4, 5, 1, 2, 6, 9, 10, 11, 7, 8, 0], ShuffleOrder.Buffered(Enumerable.Range(0, 12), 4, seed: 1, pass: 1));
    }

    [Fact]
    public void A_whole_shuffle_is_a_permutation_and_every_seed_and_pass_has_its_own()
    {
        var seen = new HashSet<string>();
        for (var seed = 0; seed < 20; seed++)
        {
            for (var pass = 0; pass < 20; pass++)
            {
                var order = ShuffleOrder.Permutation(100, seed, pass);
                Assert.Equal(Enumerable.Range(0, 100), order.Order());
                Assert.True(seen.Add(string.Join(",", order)));
            }
        }
        Assert.Empty(ShuffleOrder.Permutation(0, 1, 0));
        Assert.Equal([0], ShuffleOrder.Permutation(1, 1, 0));
    }

    [Fact]
    public void A_whole_shuffle_puts_each_item_anywhere()
    {
        const int items = 10, trials = 20_000;
        var counts = new int[items, items];
        for (var seed = 0; seed < trials; seed++)
        {
            var order = ShuffleOrder.Permutation(items, seed, 0);
            for (var i = 0; i < items; i++)
                counts[order[i], i]++;
        }
        // Twenty thousand draws at one in ten: five standard deviations are 212.
        foreach (var count in counts)
            Assert.InRange(count, trials / items - 212, trials / items + 212);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(16)]
    [InlineData(500)]
    [InlineData(5000)]
    public void Through_a_buffer_everything_comes_once_and_nothing_earlier_than_the_buffer_is_long(int buffer)
    {
        const int count = 500;
        var earliest = 0;
        for (var seed = 0; seed < 50; seed++)
        {
            var order = ShuffleOrder.Buffered(Enumerable.Range(0, count), buffer, seed, pass: 0).ToArray();
            Assert.Equal(Enumerable.Range(0, count), order.Order());
            Assert.NotEqual(Enumerable.Range(0, count), order);
            earliest = Math.Max(earliest, order.Select((item, place) => item - place).Max());
        }
        // Nor is the buffer shorter than it says.
        Assert.InRange(earliest, Math.Min(buffer, count) * 9 / 10 - 1, buffer - 1);
    }

    [Fact]
    public void A_buffer_takes_no_more_from_its_input_than_it_holds()
    {
        var taken = 0;
        using var items = ShuffleOrder.Buffered(Enumerable.Range(0, 1000).Select(i => taken = i + 1), 10, seed: 1, pass: 0).GetEnumerator();
        for (var given = 1; given <= 990; given++)
        {
            Assert.True(items.MoveNext());
            Assert.Equal(given + 10, taken);
        }
    }

    [Fact]
    public void A_buffer_far_larger_than_its_input_takes_no_memory_for_it()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(3, ShuffleOrder.Buffered([1, 2, 3], int.MaxValue, seed: 1, pass: 0).Count());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000);
    }
}
