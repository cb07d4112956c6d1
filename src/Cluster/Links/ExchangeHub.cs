using Akka.Actor;
using Akka.Event;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using MassDpo.Wire;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Joins the ends of links: for each link it has a room, and each end does there what its calls say. Calls and pushes have numbers, so that each is done once and they begin in order. What
/// one side lacks of the other comes again when the end asks what the hub has. What was pushed to an end that is lost, or that has no use for it any more, goes to
/// another. Claims wait until all nodes have told what they have heard of a hub before this one. It persists nothing: the hub that follows is told by the ends what they want.
/// </summary>
/// <param name="rollCall">makes the actor that asks the nodes (<see cref="RollCall"/>); null: there is none to ask</param>
internal sealed class ExchangeHub(Props? rollCall) : UntypedActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Frames _frames = Frames.Of(Context.System);
    private readonly string _hub = Guid.NewGuid().ToString("N");
    private readonly Dictionary<string, Room> _rooms = new(StringComparer.Ordinal);
    private readonly Dictionary<string, End> _ends = new(StringComparer.Ordinal);
    // Claims that wait; null: they are decided as they come.
    private List<(Call Call, End End)>? _held = rollCall is null ? null : [];

    protected override void PreStart()
    {
        if (rollCall is not null)
            Context.ActorOf(rollCall);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Call call:
                Take(call);
                break;
            case Part part:
                TakePart(part);
                break;
            case Pushed pushed:
                if (pushed.Hub == _hub && _ends.TryGetValue(pushed.End, out var end))
                    end.Pushes.Remove(pushed.Number)?.Done(!pushed.Refused);
                break;
            case Known known:
                foreach (var (link, epoch, committed) in known.Orders)
                    RoomOf(link).Learn(epoch, committed);
                break;
            case RollCall.Complete:
                DecideHeld();
                break;
            case Terminated terminated:
                foreach (var (name, lost) in _ends.Where(one => one.Value.Ref.Equals(terminated.ActorRef)).ToList())
                {
                    _ends.Remove(name);
                    Lose(lost);
                }
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private void TakePart(Part part)
    {
        // An end that this hub does not know yet sends it again.
        if (!_ends.TryGetValue(part.Source, out var end))
            return;
        try
        {
            if (end.Parts.Add(part) is not { } whole)
                return;
            if (whole is Call call && call.End == part.Source)
                Take(call);
            else
                throw new WireFormatException($"a {whole.GetType().Name} in parts, where a call of '{part.Source}' is expected");
        }
        catch (WireFormatException e)
        {
            _log.Error(e, "parts of a call of {0} are dropped: {1}", part.Source, e.Message);
        }
    }

    private void Take(Call call)
    {
        if (!_ends.TryGetValue(call.End, out var end))
        {
            _ends[call.End] = end = new End(Sender, RoomOf(call.Link), _frames.Largest);
            Context.Watch(Sender);
        }
        // What the end had answered by a hub before this one, and what it need not be told again.
        end.Calls.Settle(call.Oldest);
        if (call.Number == 0)
            Greet(call, end);
        else if (end.Calls.Come(call.Number, call) is { } answer)
            end.Ref.Tell(answer);
        while (end.Calls.Begin() is { } next)
            Start(next, end);
    }

    // What was pushed since the end was here the last time may be on its way.
    private void Greet(Call call, End end)
    {
        end.Ref.Tell(new Return(_hub, 0) { NextCall = end.Calls.Next });
        var next = call.Hub == _hub || call.NextPush is null ? call.NextPush : 1;
        foreach (var (number, push) in end.Pushes.Between(1, end.PushedBefore))
            // What the end has is only asked for. An older build does not say what it has.
            Send(end, number, push.Asked, number < next ? null : push.Content);
        end.PushedBefore = end.Pushes.Last;
    }

    private void Start(Call call, End end)
    {
        var room = end.Room;
        try
        {
            switch (call.Operation)
            {
                case Operation.Hello:
                    break;
                case Operation.SendSelections:
                    HandOver(room.Selections, new Sent(end, call.Number, ContentOf(call)));
                    return;
                case Operation.SendMessage:
                    HandOver(room.Messages, new Sent(end, call.Number, ContentOf(call)));
                    return;
                case Operation.Claim when _held is not null:
                    _held.Add((call, end));
                    return;
                case Operation.Claim:
                    Answer(end, call.Number, Claim(call, end));
                    return;
                case Operation.Release:
                    if (_held?.Find(held => held.End == end && held.Call.Number == call.Claim) is { Call: not null } given)
                    {
                        _held.Remove(given);
                        Answer(end, call.Claim);
                    }
                    if (room.Messages.Receiver == (end, call.Claim))
                        room.Messages.Receiver = null;
                    break;
                case Operation.Announce:
                    if (room.Messages.Receiver == (end, call.Claim) && room.Order.Hear(ContentOf(call).Read<ControlNotice>()))
                        foreach (var (name, (hears, asked)) in room.Members)
                            if (call.Who.Length == 0 || call.Who == name)
                                Push(hears, asked, call.Content!);
                    break;
                case Operation.Join:
                    room.Learn(call.KnownEpoch, call.KnownCommitted);
                    room.Members[call.Who] = (end, call.Number);
                    if (room.Order.Epoch is { } epoch)
                        Push(end, call.Number, new Content(epoch));
                    // Nobody would tell it again.
                    if (room.Order.Stopped is { } stopped)
                        Push(end, call.Number, new Content(stopped));
                    break;
                case Operation.Leave:
                    if (room.Members.TryGetValue(call.Who, out var member) && member.End == end)
                        room.Members.Remove(call.Who);
                    break;
                case Operation.ReceiveSelections:
                    room.Receivers.RemoveAll(receiver => receiver.End == end);
                    room.Receivers.Add((end, call.Number));
                    Receive(room);
                    break;
                case Operation.LeaveSelections:
                    room.Receivers.RemoveAll(receiver => receiver.End == end);
                    Receive(room);
                    break;
                case Operation.OfferPools:
                    Offer(room, ContentOf(call));
                    break;
                case Operation.RequestPools:
                    room.Requests[call.Who] = end;
                    room.Pools.Request(call.Who, block =>
                    {
                        Push(end, call.Number, block, isTaken =>
                        {
                            if (!isTaken)
                                Offer(room, block);
                        });
                    }, call.IsAhead);
                    break;
                case Operation.WithdrawPools:
                    if (room.Requests.GetValueOrDefault(call.Who) == end)
                        Withdraw(room, call.Who);
                    break;
                case Operation.PublishSnapshot:
                    room.Offers.Publish(end, ContentOf(call).Read<SnapshotOffer>());
                    break;
                case Operation.WithdrawSnapshot:
                    room.Offers.Withdraw(end);
                    break;
                case Operation.FollowSnapshots:
                    room.Offers.Follow(end, call.Number);
                    break;
                case Operation.LeaveSnapshots:
                    room.Offers.Leave(end);
                    break;
                default:
                    // Not answered: it waits for a hub that knows it.
                    _log.Error("operation {0} of link {1} is of a newer build: it waits until the hub is of that build, too", call.Operation, call.Link);
                    return;
            }
        }
        catch (WireFormatException e)
        {
            // It is as if it were lost, and comes again as what is lost does: when its lease has run out.
            _log.Error(e, "{0} of {1} is dropped: {2}", call.Operation, call.End, e.Message);
        }
        Answer(end, call.Number);
    }

    private Room RoomOf(string link) => _rooms.TryGetValue(link, out var known) ? known
        : _rooms[link] = new Room(new OfferCell((end, asked, offer, done) => Push((End)end, asked, new Content(offer), _ => done())));

    private static Content ContentOf(Call call) => call.Content ?? throw new WireFormatException($"operation {call.Operation} without a content");

    private void Answer(End end, long number, ClaimRefusedException? refusal = null)
    {
        var answer = new Return(_hub, number, refusal?.Message ?? "", refusal?.NewestEpoch);
        end.Calls.Answer(number, answer);
        end.Ref.Tell(answer);
    }

    private static void Offer(Room room, Content block) => room.Pools.Offer(block.Known<PoolBlock>()?.Block ?? PoolCodec.DecodeHead(block.Bytes.Span), block);

    private static void Withdraw(Room room, string selector)
    {
        room.Requests.Remove(selector);
        room.Pools.Withdraw(selector);
    }

    // To who receives, or as soon as somebody does; until somebody has taken it.
    private void HandOver(Handover to, Sent sent)
    {
        if (sent.From.IsLost)
            return;
        if (to.Receiver is not var (end, asked))
            to.Waiting.Enqueue(sent);
        else
            Push(end, asked, sent.Content, isTaken =>
            {
                if (isTaken)
                    Answer(sent.From, sent.Number);
                else
                    HandOver(to, sent);
            });
    }

    private void Receive(Handover to, (End, long)? receiver)
    {
        to.Receiver = receiver;
        for (var waiting = receiver is null ? 0 : to.Waiting.Count; waiting > 0; waiting--)
            HandOver(to, to.Waiting.Dequeue());
    }

    // When the newest leaves, the one before it receives again: what two ends tell comes in no order, and one that came and went must not take with it one that is there.
    private void Receive(Room room) => Receive(room.Selections, room.Receivers.Count > 0 ? room.Receivers[^1] : null);

    // Why it does not count; null: it does.
    private ClaimRefusedException? Claim(Call call, End end)
    {
        var (room, claim) = (end.Room, ContentOf(call).Read<EpochClaim>());
        if ((room.Objection(claim) ?? room.Order.Objection(claim)) is { } objection)
            return objection;
        room.Order.Claim(claim);
        room.Claimed = claim.Epoch;
        if (room.Messages.Receiver is var (older, asked))
            Push(older, asked, new Content(new Fenced($"epoch {claim.Epoch} was claimed by another learner")));
        Receive(room.Messages, (end, call.Number));
        return null;
    }

    private void DecideHeld()
    {
        var held = _held ?? [];
        _held = null;
        foreach (var (call, end) in held.Where(one => !one.End.IsLost))
            Start(call, end);
    }

    private void Push(End end, long asked, Content content, Action<bool>? done = null)
    {
        if (end.IsLost)
        {
            done?.Invoke(false);
            return;
        }
        if (_frames.Objection(end.Ref, content) is { } objection)
        {
            _log.Error(objection, "what is for an end at {0} is dropped: {1}", end.Ref.Path.Address, objection.Message);
            done?.Invoke(true);
            return;
        }
        Send(end, end.Pushes.Add(new PendingPush(asked, content, done)), asked, content);
    }

    private void Send(End end, long number, long asked, Content? content) => _frames.Tell(end.Ref, new Push(_hub, number, end.Pushes.Oldest, asked, content), content, _hub, number, Self);

    private void Lose(End end)
    {
        end.IsLost = true;
        var room = end.Room;
        if (room.Messages.Receiver is var (learner, _) && learner == end)
            room.Messages.Receiver = null;
        room.Offers.Withdraw(end);
        room.Offers.Leave(end);
        room.Selections.Forget(end);
        room.Messages.Forget(end);
        room.Receivers.RemoveAll(receiver => receiver.End == end);
        Receive(room);
        foreach (var (member, _) in room.Members.Where(member => member.Value.End == end).ToList())
            room.Members.Remove(member);
        foreach (var (selector, _) in room.Requests.Where(request => request.Value == end).ToList())
            Withdraw(room, selector);
        foreach (var push in end.Pushes.RemoveAll())
            push.Done(false);
    }

    /// <summary>A link.</summary>
    private sealed class Room(OfferCell offers)
    {
        private long? _epoch;
        private long? _committed;

        /// <summary>The epoch that was claimed at this hub; null: none was.</summary>
        public long? Claimed { get; set; }

        public Handover Selections { get; } = new();

        /// <summary>Who would receive selections, each with the number of its call. The newest last: it receives.</summary>
        public List<(End End, long Asked)> Receivers { get; } = [];

        public PoolQueue<Content> Pools { get; } = new();

        /// <summary>By selector: the end that it asked at last.</summary>
        public Dictionary<string, End> Requests { get; } = new(StringComparer.Ordinal);

        /// <summary>To the learner that owns the epoch: it receives, with the number of its claim.</summary>
        public Handover Messages { get; } = new();

        public OfferCell Offers => offers;

        public ControlOrder Order { get; } = new();

        /// <summary>By name, each with the number of its call.</summary>
        public Dictionary<string, (End End, long Asked)> Members { get; } = new(StringComparer.Ordinal);

        /// <summary>What was heard from the hub before this one.</summary>
        public void Learn(long? epoch, long? committed) => (_epoch, _committed) = (Newer(_epoch, epoch), Newer(_committed, committed));

        /// <summary>Why a claim cannot count after what was heard; null: it may.</summary>
        public ClaimRefusedException? Objection(EpochClaim claim)
        {
            // From there on the order has it all, and what was forced may have gone back.
            if (Claimed >= _epoch)
                return null;
            if (claim.Epoch <= _epoch)
                return ClaimRefusedException.NotNewer(claim, _epoch.Value);
            return claim.Version < _committed && !claim.Forced ? ClaimRefusedException.Behind(claim, _committed.Value) : null;
        }

        private static long? Newer(long? known, long? told) => known is null || told > known ? told : known;
    }

    /// <summary>What goes to one end at a time, and waits while there is none.</summary>
    private sealed class Handover
    {
        public (End End, long Asked)? Receiver { get; set; }

        public Queue<Sent> Waiting { get; private set; } = [];

        /// <summary>What an end sent that is lost goes nowhere.</summary>
        public void Forget(End end)
        {
            if (Waiting.Count > 0)
                Waiting = new Queue<Sent>(Waiting.Where(sent => sent.From != end));
        }
    }

    /// <summary>What an end sent with a call, which is answered when somebody has taken it.</summary>
    private sealed record Sent(End From, long Number, Content Content);

    /// <summary>An end, and what goes on with it.</summary>
    private sealed class End(IActorRef place, Room room, long largest)
    {
        public IActorRef Ref => place;

        public Room Room => room;

        public bool IsLost { get; set; }

        public InOrder<Call, Return> Calls { get; } = new();

        public Parts Parts { get; } = new(largest);

        public Unanswered<PendingPush> Pushes { get; } = new();

        /// <summary>The last push when the end was here the last time.</summary>
        public long PushedBefore { get; set; }
    }

    /// <param name="Asked">the number of the call that asked for it</param>
    /// <param name="Content">what is pushed</param>
    /// <param name="WhenDone">told whether the end took it</param>
    private sealed record PendingPush(long Asked, Content Content, Action<bool>? WhenDone)
    {
        public void Done(bool isTaken) => WhenDone?.Invoke(isTaken);
    }
}
