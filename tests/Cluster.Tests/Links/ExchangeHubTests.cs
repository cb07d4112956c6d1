using Akka.Actor;
using Akka.TestKit;
using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>What the hub does with the calls of ends.</summary>
public sealed class ExchangeHubTests : VirtualTime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestProbe _sender;
    private readonly TestProbe _receiver;
    private readonly IActorRef _hub;
    private readonly string _name;

    public ExchangeHubTests()
    {
        (_sender, _receiver) = (CreateTestProbe("sender"), CreateTestProbe("receiver"));
        _hub = Sys.ActorOf(Props.Create(() => new ExchangeHub(null)));
        _name = Greet(_receiver, "", null).Hub;
        Send(_receiver, _hub, new Call("run", "receiver", 1, 1, Operation.ReceiveSelections));
        Assert.Equal(1, _receiver.ExpectMsg<Return>(Patience).Number);
    }

    [Fact]
    public void Calls_begin_in_order_and_once_and_what_was_answered_is_answered_again()
    {
        foreach (var number in new long[] { 2, 3, 1, 1, 3 })
            Offer(number);
        Assert.Equal([(1, 1L), (2, 2), (3, 3)], [Pushed(), Pushed(), Pushed()]);
        Take(3);
        Assert.Equal(3, Answered());
        // The first is asked for and not answered yet, the third is answered again.
        Ask(1);
        Ask(3);
        Assert.Equal(3, Answered());
        Assert.Equal(4, Greet(_sender, _name, 1).NextCall);
        Take(1);
        Assert.Equal(1, Answered());
        Offer(4);
        Assert.Equal((4, 4), Pushed());
    }

    [Fact]
    public void A_notice_for_one_member_goes_to_no_other_and_an_older_learners_goes_to_all()
    {
        Greet(_sender, "", null);
        Send(_receiver, _hub, new Call("run", "receiver", 2, 1, Operation.Join, "intake-1"));
        Send(_receiver, _hub, new Call("run", "receiver", 3, 1, Operation.Join, "intake-2"));
        Send(_sender, _hub, new Call("run", "sender", 1, 1, Operation.Claim, "", new Content(new EpochClaim(1, 0, "h"))));
        var granted = new Content(new SlotsGranted(1, "intake-1", new SlotBlock(1, 0, 0, 4, 1)));
        var number = 1;
        foreach (var (who, notice) in new[] { ("", new Content(new EpochOpened(1, 0, new SettledPositions()))), ("intake-1", granted), ("nobody", granted), ("intake-2", granted), ("", granted) })
            Send(_sender, _hub, new Call("run", "sender", ++number, 1, Operation.Announce, who, notice) { Claim = 1 });
        var told = Enumerable.Range(0, 6).Select(_ => _receiver.FishForMessage<Push>(_ => true, Patience)).Select(push => (push.Asked, push.Content!.Read<ControlNotice>().GetType().Name)).ToList();
        Assert.Equal([(2, "EpochOpened"), (3, "EpochOpened"), (2, "SlotsGranted"), (3, "SlotsGranted"), (2, "SlotsGranted"), (3, "SlotsGranted")], told);
    }

    [Fact]
    public void What_an_end_lacks_comes_again_and_what_it_has_is_asked_for()
    {
        Offer(1);
        Offer(2);
        Assert.Equal([(1, 1L), (2, 2)], [Pushed(), Pushed()]);
        // It may be on its way.
        Greet(_receiver, _name, 1);
        Offer(3);
        Assert.Equal((3, 3), Pushed());
        Greet(_receiver, _name, 2);
        Assert.Equal([(1, null), (2, 2L)], [Pushed(), Pushed()]);
        Take(1);
        Take(2);
        // Of another hub's pushes the numbers say nothing.
        Greet(_receiver, "another", 9);
        Assert.Equal((3, 3), Pushed());
    }

    [Fact]
    public void An_end_of_an_older_build_gets_all_again_that_is_not_answered()
    {
        Offer(1);
        Offer(2);
        Assert.Equal([(1, 1L), (2, 2)], [Pushed(), Pushed()]);
        Greet(_receiver, "", null);
        Greet(_receiver, "", null);
        Assert.Equal([(1, 1L), (2, 2)], [Pushed(), Pushed()]);
    }

    [Fact]
    public void What_was_pushed_to_an_end_that_is_lost_goes_to_the_one_before_it_in_order()
    {
        var second = CreateTestProbe("second");
        Greet(second, "", null, "second");
        Send(second, _hub, new Call("run", "second", 1, 1, Operation.ReceiveSelections));
        Assert.Equal(1, second.ExpectMsg<Return>(Patience).Number);
        Offer(1);
        Offer(2);
        Assert.Equal([1L, 2], [First(second.ExpectMsg<Push>(Patience).Content), First(second.ExpectMsg<Push>(Patience).Content)]);
        Sys.Stop(second.Ref);
        Assert.Equal([(1, 1L), (2, 2)], [Pushed(), Pushed()]);
    }

    [Fact]
    public async Task A_kind_or_an_operation_of_a_newer_build_is_logged_and_the_hub_goes_on()
    {
        await EventFilter.Error(contains: "'from-tomorrow'").ExpectOneAsync(() =>
        {
            Send(_sender, _hub, new Call("run", "sender", 1, 1, Operation.Claim, "", OfTomorrow));
            return Task.CompletedTask;
        });
        Assert.Equal(1, Answered());
        await EventFilter.Error(contains: "operation 99").ExpectOneAsync(() =>
        {
            Send(_sender, _hub, new Call("run", "sender", 2, 2, (Operation)99));
            return Task.CompletedTask;
        });
        // What is only handed on need not be known here.
        Send(_sender, _hub, new Call("run", "sender", 3, 2, Operation.SendSelections, "", OfTomorrow));
        Assert.Equal("from-tomorrow", _receiver.ExpectMsg<Push>(Patience).Content!.Manifest);
        Take(1);
        // The second waits for a hub that knows it.
        Assert.Equal(3, Answered());
    }

    [Fact]
    public async Task A_call_in_parts_is_put_together_and_what_no_sender_makes_is_refused_and_logged()
    {
        Greet(_sender, "", null);
        var parts = new Frames(200, 100_000).Cut(Call(1), "sender", 1).ToList();
        foreach (var hostile in new[] { parts[0] with { Size = long.MaxValue }, parts[0] with { Size = -1 }, parts[0] with { Index = -1 }, parts[0] with { Bytes = Google.Protobuf.ByteString.Empty },
            parts[0] with { Size = 100 }, parts[0] with { Size = 200, Manifest = "from-tomorrow" }, parts[0] with { Size = 200 } })
        {
            await EventFilter.Error(contains: "parts of a call of sender are dropped").ExpectOneAsync(() =>
            {
                Send(_sender, _hub, hostile);
                return Task.CompletedTask;
            });
        }
        foreach (var part in parts.Skip(1).Append(parts[0] with { Source = "nobody" }).Concat(parts))
            Send(_sender, _hub, part);
        Assert.Equal((1, 1), Pushed());
    }

    [Fact]
    public void Parts_of_two_ends_do_not_mix()
    {
        Greet(_sender, "", null);
        var (first, second) = (Cut("sender"), Cut("other"));
        Greet(_sender, "", null, "other");
        foreach (var part in first.Zip(second).SelectMany(both => new[] { both.First, both.Second }))
            Send(_sender, _hub, part);
        Assert.Equal([(1, 1L), (2, 1)], [Pushed(), Pushed()]);

        static List<Part> Cut(string end) => [.. new Frames(200, 100_000).Cut(Call(1) with { End = end }, end, 1)];
    }

    [Fact]
    public void A_claim_waits_until_all_were_heard_of_and_what_they_heard_holds()
    {
        var hub = Sys.ActorOf(Props.Create(() => new ExchangeHub(Props.Create(() => new NobodyAnswers()))));
        Claim(1, 5, 4);
        Claim(2, 6, 3);
        Claim(3, 6, 4);
        Send(_sender, hub, new Call("run", "sender", 4, 1, Operation.Join, "member"));
        Assert.Equal(4, Answered());
        hub.Tell(new Known("one", [("run", 5, 3), ("other", 9, 9)]));
        hub.Tell(new Known("two", [("run", 4, 4), ("run", null, null)]));
        hub.Tell(RollCall.Complete.Instance);
        Assert.Equal([(1, "5", 5L), (2, "version 4", null), (3, "", (long?)null)], [Refused("5"), Refused("version 4"), Refused("")]);
        // It may go back by force, and who joins now tells of what that has overruled.
        Claim(5, 7, 1, isForced: true);
        Assert.Equal((5, "", null), Refused(""));
        Send(_sender, hub, new Call("run", "sender", 6, 1, Operation.Join, "late") { KnownEpoch = 6, KnownCommitted = 4 });
        _sender.FishForMessage<Return>(answer => answer.Number == 6, Patience);
        Claim(7, 8, 1);
        _sender.FishForMessage<Return>(answer => answer.Number == 7 && answer.Refusal == "", Patience);

        void Claim(long number, long epoch, long version, bool isForced = false) =>
            Send(_sender, hub, new Call("run", "sender", number, 1, Operation.Claim, "", new Content(new EpochClaim(epoch, version, "h", isForced))));

        (long Number, string Why, long? Newest) Refused(string why)
        {
            var answer = (Return)_sender.FishForMessage(message => message is Return, Patience);
            Assert.Equal(why.Length > 0, answer.Refusal.Length > 0);
            Assert.Contains(why, answer.Refusal);
            return (answer.Number, why, answer.Newest);
        }
    }

    private Return Greet(TestProbe by, string hub, long? nextPush, string? end = null)
    {
        Send(by, _hub, new Call("run", end ?? (by == _sender ? "sender" : "receiver"), 0, 1, Operation.Hello) { Hub = hub, NextPush = nextPush });
        return by.ExpectMsg<Return>(Patience);
    }

    private static Call Call(long number) => new("run", "sender", number, 1, Operation.SendSelections, "", Block(number));

    private void Offer(long number) => Send(_sender, _hub, Call(number));

    private void Ask(long number) => Send(_sender, _hub, Call(number) with { Content = null });

    private long Answered() => _sender.ExpectMsg<Return>(Patience).Number;

    private (long Number, long? Block) Pushed()
    {
        var push = _receiver.ExpectMsg<Push>(Patience);
        return (push.Number, push.Content is null ? null : First(push.Content));
    }

    private void Take(long number) => Send(_receiver, _hub, new Pushed("run", "receiver", _name, number, Refused: false));

    private sealed class NobodyAnswers : UntypedActor
    {
        protected override void OnReceive(object message) => Unhandled(message);
    }
}
