using Akka.Actor;
using Akka.TestKit;
using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>What an end says to the hub, and does with what the hub says.</summary>
public sealed class ExchangeEndTests : VirtualTime
{
    private readonly TestProbe _proxy;
    private readonly TestProbe _hub;
    private readonly IActorRef _end;
    private readonly Inbox<long> _received = new();

    public ExchangeEndTests()
    {
        (_proxy, _hub) = (CreateTestProbe("proxy"), CreateTestProbe("hub"));
        _end = Sys.ActorOf(Props.Create(() => new ExchangeEnd(_proxy.Ref, "run", "end")));
    }

    [Fact]
    public async Task Until_a_hub_answers_an_end_only_greets_and_then_it_talks_to_the_hub_itself()
    {
        Assert.Equal(("", 1), Greeted());
        var sent = Offer(1);
        Pass();
        // Had it sent the block it would have come before.
        Assert.Equal(("", 1), Greeted());
        Send(_hub, _end, new Return("h", 0) { NextCall = 1 });
        Assert.Equal((1, 1, 1), Called());
        Send(_hub, _end, new Return("h", 1));
        await sent;
        Pass();
        Assert.Equal(("h", 1), Greeted());
    }

    [Fact]
    public void What_the_hub_lacks_comes_again_what_it_has_is_asked_for_and_each_once_per_greeting()
    {
        MeetHub();
        foreach (var first in new long[] { 1, 2, 3, 4 })
            _ = Offer(first);
        Assert.Equal([(1, 1, 1L), (2, 1, 2), (3, 1, 3), (4, 1, 4)], [Called(), Called(), Called(), Called()]);
        Send(_hub, _end, new Return("h", 2));
        // Nobody asked: it tells of what is on its way.
        Send(_hub, _end, new Return("h", 0) { NextCall = 1 });
        Pass();
        Greeted();
        Send(_hub, _end, new Return("h", 0) { NextCall = 3 });
        Assert.Equal([(1, 1, (long?)null), (3, 1, 3), (4, 1, 4)], [Called(), Called(), Called()]);
        Send(_hub, _end, new Return("h", 0) { NextCall = 3 });
        _ = Offer(5);
        Assert.Equal((5, 1, 5), Called());
    }

    [Fact]
    public void A_hub_of_an_older_build_gets_all_again_that_is_not_answered()
    {
        MeetHub();
        _ = Offer(1);
        _ = Offer(2);
        Assert.Equal([(1, 1, 1L), (2, 1, 2)], [Called(), Called()]);
        Pass();
        Greeted();
        Send(_hub, _end, new Return("h", 0));
        Assert.Equal([(1, 1, 1L), (2, 1, 2)], [Called(), Called()]);
    }

    [Fact]
    public async Task Pushes_begin_in_order_and_once_and_what_was_answered_is_answered_again()
    {
        Receive();
        Send(_hub, _end, Pushed(2));
        Send(_hub, _end, Pushed(1));
        Assert.Equal([1, 2], await _received.Take(2));
        Assert.Equal([1, 2], new[] { Answered(), Answered() }.Select(answer => answer.Number).Order());
        Send(_hub, _end, Pushed(1));
        Assert.Equal(1, Answered().Number);
        Send(_hub, _end, new Push("h", 2, 2, 1, null));
        Assert.Equal(2, Answered().Number);
        // Nobody has it: nothing to answer.
        Send(_hub, _end, new Push("h", 3, 2, 1, null));
        Pass();
        Assert.Equal(("h", 3), Greeted());
        Send(_hub, _end, Pushed(3));
        Assert.Equal([3], await _received.Take(1));
    }

    [Fact]
    public async Task A_push_in_parts_is_put_together_and_where_one_is_missing_the_whole_comes_again()
    {
        Receive();
        var parts = new Frames(200, 100_000).Cut(Pushed(1), "h", 1).ToList();
        Assert.True(parts.Count > 3);
        foreach (var part in parts.Where(part => part.Index != 1))
            Send(_hub, _end, part);
        // All of it out of order.
        foreach (var part in Enumerable.Reverse(parts))
            Send(_hub, _end, part);
        Pass();
        Assert.Equal(("h", 1), Greeted());
        foreach (var part in parts.SelectMany(part => new[] { part, part }).Skip(1))
            Send(_hub, _end, part);
        Assert.Equal([1], await _received.Take(1));
        Assert.False(Answered().Refused);
    }

    [Fact]
    public async Task A_kind_of_a_newer_build_is_logged_and_what_follows_it_comes()
    {
        Receive();
        await EventFilter.Error(contains: "'from-tomorrow'").ExpectOneAsync(() =>
        {
            Send(_hub, _end, new Push("h", 1, 1, 1, OfTomorrow));
            return Task.CompletedTask;
        });
        Send(_hub, _end, Pushed(2));
        Assert.Equal([2], await _received.Take(1));
        Assert.Equal([(1, false), (2, false)], new[] { Answered(), Answered() }.Select(answer => (answer.Number, answer.Refused)).Order());
    }

    [Fact]
    public async Task A_new_hub_is_told_what_is_not_done_with_numbers_that_leave_no_gap_and_one_that_was_left_is_not_heard()
    {
        MeetHub();
        _ = Offer(1);
        _ = Offer(2);
        var last = Offer(3);
        Assert.Equal([(1, 1, 1L), (2, 1, 2), (3, 1, 3)], [Called(), Called(), Called()]);
        Send(_hub, _end, new Return("h", 2));
        var next = CreateTestProbe("next");
        Send(next, _end, new Return("n", 0) { NextCall = 1 });
        Assert.Equal([(4, 4, 1L), (5, 4, 3)], [Called(next), Called(next)]);
        Send(_hub, _end, new Return("h", 5));
        Send(_hub, _end, new Return("h", 0) { NextCall = 1 });
        Pass();
        Assert.Equal(("n", 1), Greeted());
        Assert.False(last.IsCompleted);
        Send(next, _end, new Return("n", 5));
        await last;
    }

    private void MeetHub()
    {
        Greeted();
        Send(_hub, _end, new Return("h", 0) { NextCall = 1 });
    }

    private void Receive()
    {
        MeetHub();
        _end.Tell(new ExchangeEnd.Want(Operation.ReceiveSelections, Operation.LeaveSelections, "", isOnce: false, (content, _) =>
        {
            _received.Add(((SelectionBlock)content).Block.First);
            return ValueTask.CompletedTask;
        }));
        _hub.ExpectMsg<Call>();
    }

    private Task Offer(long first)
    {
        var done = new TaskCompletionSource();
        _end.Tell(new ExchangeEnd.Send(Operation.SendSelections, Block(first).Read<SelectionBlock>(), done));
        return done.Task;
    }

    private static Push Pushed(long number) => new("h", number, 1, 1, Block(number));

    private (string Hub, long? NextPush) Greeted()
    {
        var hello = _proxy.ExpectMsg<Call>(TimeSpan.FromSeconds(30));
        Assert.Equal((Operation.Hello, 0), (hello.Operation, hello.Number));
        return (hello.Hub, hello.NextPush);
    }

    private (long Number, long Oldest, long? Block) Called(TestProbe? by = null)
    {
        var call = (by ?? _hub).ExpectMsg<Call>(TimeSpan.FromSeconds(30));
        return (call.Number, call.Oldest, call.Content is null ? null : First(call.Content));
    }

    private Pushed Answered() => _hub.ExpectMsg<Pushed>(TimeSpan.FromSeconds(30));
}
