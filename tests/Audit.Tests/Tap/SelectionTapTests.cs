using MassDpo.Audit.Tap;
using MassDpo.Shared.Contracts;

namespace MassDpo.Audit.Tests.Tap;

public sealed class SelectionTapTests
{
    [Fact]
    public async Task Every_listener_gets_every_event_in_order()
    {
        var tap = new SelectionTap();
        var (one, two) = (tap.Listen(), tap.Listen());
        Publish(tap, 0, 100);
        tap.Close();
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), await Slots(one));
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), await Slots(two));
        Assert.Equal(0, tap.Dropped);
    }

    [Fact]
    public async Task A_listener_hears_what_is_published_while_it_waits()
    {
        var tap = new SelectionTap();
        await using var events = tap.Listen().GetAsyncEnumerator();
        var next = events.MoveNextAsync();
        Assert.False(next.IsCompleted);
        Publish(tap, 5, 1);
        Assert.True(await next);
        Assert.Equal(5, events.Current.Slot);
    }

    [Fact]
    public async Task A_listener_hears_only_what_comes_after_it()
    {
        var tap = new SelectionTap();
        Publish(tap, 0, 3);
        var events = tap.Listen();
        Publish(tap, 3, 2);
        tap.Close();
        Assert.Equal([3, 4], await Slots(events));
    }

    [Fact]
    public async Task A_slow_listener_loses_the_oldest_which_is_counted_and_no_other_one_loses_any()
    {
        var tap = new SelectionTap(buffer: 4);
        var slow = tap.Listen();
        await using var quick = tap.Listen().GetAsyncEnumerator();
        for (var i = 0; i < 10; i++)
        {
            Publish(tap, i, 1);
            Assert.True(await quick.MoveNextAsync());
            Assert.Equal(i, quick.Current.Slot);
        }
        tap.Close();
        Assert.Equal([6, 7, 8, 9], await Slots(slow));
        Assert.Equal(6, tap.Dropped);
    }

    [Fact]
    public async Task Who_listens_after_the_end_hears_nothing_and_does_not_wait()
    {
        var tap = new SelectionTap();
        tap.Close();
        Publish(tap, 0, 1);
        Assert.Empty(await Slots(tap.Listen()));
    }

    [Fact]
    public async Task The_end_reaches_a_listener_that_waits()
    {
        var tap = new SelectionTap();
        await using var events = tap.Listen().GetAsyncEnumerator();
        var next = events.MoveNextAsync();
        tap.Close();
        Assert.False(await next);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_listener_that_is_cancelled_ends_and_the_others_go_on(bool byEnumerator)
    {
        var tap = new SelectionTap(buffer: 2);
        using var cancellation = new CancellationTokenSource();
        var other = tap.Listen();
        await using var events = byEnumerator ? tap.Listen().GetAsyncEnumerator(cancellation.Token) : tap.Listen(cancellation.Token).GetAsyncEnumerator();
        var next = events.MoveNextAsync();
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.AsTask());
        Publish(tap, 0, 2);
        tap.Close();
        Assert.Equal([0, 1], await Slots(other));
    }

    [Fact]
    public async Task A_listener_that_has_gone_loses_nothing()
    {
        var tap = new SelectionTap(buffer: 2);
        await foreach (var _ in Started(tap))
            break;
        Publish(tap, 1, 10);
        Assert.Equal(0, tap.Dropped);

        static IAsyncEnumerable<SelectionEvent> Started(SelectionTap tap)
        {
            var events = tap.Listen();
            Publish(tap, 0, 1);
            return events;
        }
    }

    private static void Publish(SelectionTap tap, int first, int count)
    {
        for (var i = 0; i < count; i++)
            tap.Publish(new SelectionEvent
            {
                Id = "", Position = new Position("made", 0, first + i), Slot = first + i, Version = 0, PolicyHash = "", Method = "made", K = 1, Beta = 1, Candidates = [], Picks = [],
            });
    }

    private static async Task<List<long>> Slots(IAsyncEnumerable<SelectionEvent> events)
    {
        var slots = new List<long>();
        await foreach (var e in events)
            slots.Add(e.Slot);
        return slots;
    }
}
