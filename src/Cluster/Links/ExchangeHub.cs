using Akka.Actor;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Joins the ends of links: for each link it holds the form that works within one process, and each end does on it what its calls say. A call comes again until it is answered,
/// a push goes again until it is; both have numbers, so that a hub does each once, and begins them in order. What was pushed to an end that is lost, or that has no use for it any more, goes to
/// another. It persists nothing: the hub that follows is told by the ends what they want.
/// </summary>
internal sealed class ExchangeHub : UntypedActor, IWithTimers
{
    private readonly string _hub = Guid.NewGuid().ToString("N");
    private readonly Dictionary<string, Room> _rooms = new(StringComparer.Ordinal);
    private readonly Dictionary<string, End> _ends = new(StringComparer.Ordinal);
    private readonly TimeSpan _resend = Exchange.ResendOf(Context.System);

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer(nameof(Resend), Resend.Instance, _resend);

    protected override void PostStop()
    {
        foreach (var end in _ends.Values)
            Lose(end);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Call call:
                Take(call);
                break;
            case Pushed pushed when pushed.Hub == _hub && _ends.TryGetValue(pushed.End, out var end) && end.Pushes.Remove(pushed.Number, out var push):
                push.Done.TrySetResult(!pushed.Refused);
                break;
            case Pushed:
                break;
            case Finished finished:
                if (_ends.TryGetValue(finished.End, out var caller) && caller.Calls.ContainsKey(finished.Number))
                {
                    var answer = new Return(_hub, finished.Number, finished.Refusal?.Message ?? "", finished.Refusal?.NewestEpoch);
                    caller.Calls[finished.Number] = answer;
                    caller.Ref.Tell(answer);
                }
                break;
            case NotTaken(var room, var block):
                _ = room.Pools.OfferAsync(block, CancellationToken.None);
                break;
            case Outgoing outgoing:
                Send(outgoing);
                break;
            case InTurn(var act):
                act();
                break;
            case Resend:
                foreach (var one in _ends.Values)
                    foreach (var (number, push) in one.Pushes)
                        one.Ref.Tell(push.ToMessage(_hub, number, one.Pushes.Keys.First()));
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

    private void Take(Call call)
    {
        if (!_ends.TryGetValue(call.End, out var end))
        {
            _ends[call.End] = end = new End(call.End, Sender);
            Context.Watch(Sender);
        }
        // What the end had answered by a hub before this one, and what it need not be told again.
        end.Next = Math.Max(end.Next, call.Oldest);
        foreach (var settled in end.Calls.Keys.Where(number => number < call.Oldest).ToList())
            end.Calls.Remove(settled);
        if (call.Number == 0)
            end.Ref.Tell(new Return(_hub, 0));
        else if (call.Number >= end.Next)
            end.Early[call.Number] = call;
        else if (end.Calls.GetValueOrDefault(call.Number) is { } answer)
            end.Ref.Tell(answer);
        // In the order in which they were made, also where one was lost on the way and came again.
        while (end.Early.Count > 0 && end.Early.Keys.First() <= end.Next)
        {
            end.Early.Remove(end.Early.Keys.First(), out var next);
            if (next!.Number < end.Next)
                continue;
            end.Next++;
            end.Calls[next.Number] = null;
            Start(next, end);
        }
    }

    private void Start(Call call, End end)
    {
        var room = _rooms.TryGetValue(call.Link, out var known) ? known : _rooms[call.Link] = NewRoom();
        var self = Self;
        switch (call.Operation)
        {
            case Operation.SendSelections:
                _ = SendAsync(() => room.Selections.SendAsync((SelectionBlock)call.Content!, end.Lost.Token), () => self.Tell(new Finished(call.End, call.Number)));
                return;
            case Operation.SendMessage:
                _ = SendAsync(() => room.Control.SendAsync((ControlMessage)call.Content!, end.Lost.Token), () => self.Tell(new Finished(call.End, call.Number)));
                return;
            case Operation.Claim:
                self.Tell(new Finished(call.End, call.Number, Claim(room, call, end)));
                return;
            case Operation.Release:
                if (end.Authorities.Remove(call.Claim, out var released))
                    released.Dispose();
                break;
            case Operation.Announce:
                end.Authorities.GetValueOrDefault(call.Claim)?.Announce((ControlNotice)call.Content!);
                break;
            case Operation.Join:
                room.Learn(call.KnownEpoch, call.KnownCommitted);
                if (end.Members.Remove(call.Who, out var before))
                    before.Dispose();
                end.Members[call.Who] = room.Control.Join(call.Who, notice => PushAsync(self, call.End, call.Number, notice));
                break;
            case Operation.Leave:
                if (end.Members.Remove(call.Who, out var left))
                    left.Dispose();
                break;
            case Operation.ReceiveSelections:
                end.Receiver?.Dispose();
                end.Receiver = room.Receive(async (block, cancellation) =>
                {
                    if (!await PushAsync(self, call.End, call.Number, block).WaitAsync(cancellation))
                        throw new NotTakenException();
                });
                break;
            case Operation.LeaveSelections:
                end.Receiver?.Dispose();
                end.Receiver = null;
                break;
            case Operation.OfferPools:
                _ = room.Pools.OfferAsync((PoolBlock)call.Content!, CancellationToken.None);
                break;
            case Operation.RequestPools:
                end.Requests[call.Who] = room;
                room.Pools.Request(call.Who, block =>
                {
                    end.Requests.Remove(call.Who);
                    _ = AwaitTakenAsync(PushAsync(self, call.End, call.Number, block), () => self.Tell(new NotTaken(room, block)));
                });
                break;
            case Operation.WithdrawPools:
                end.Requests.Remove(call.Who);
                room.Pools.Withdraw(call.Who);
                break;
            case Operation.PublishSnapshot:
                (end.Offers = room.Offers).Publish(end, (SnapshotOffer)call.Content!);
                break;
            case Operation.WithdrawSnapshot:
                room.Offers.Withdraw(end);
                break;
            case Operation.FollowSnapshots:
                (end.Offers = room.Offers).Follow(end, call.Number);
                break;
            case Operation.LeaveSnapshots:
                room.Offers.Leave(end);
                break;
        }
        self.Tell(new Finished(call.End, call.Number));
    }

    private Room NewRoom()
    {
        var self = Self;
        return new Room(new OfferCell((end, asked, offer) => PushAsync(self, ((End)end).Name, asked, offer), act => self.Tell(new InTurn(act), ActorRefs.NoSender)));
    }

    private void Send(Outgoing outgoing)
    {
        if (!_ends.TryGetValue(outgoing.End, out var end))
        {
            outgoing.Push.Done.TrySetResult(false);
            return;
        }
        end.Pushes[++end.LastPush] = outgoing.Push;
        end.Ref.Tell(outgoing.Push.ToMessage(_hub, end.LastPush, end.Pushes.Keys.First()));
    }

    private static void Lose(End end)
    {
        end.Lost.Cancel();
        end.Receiver?.Dispose();
        end.Offers?.Withdraw(end);
        end.Offers?.Leave(end);
        foreach (var joined in end.Authorities.Values.Concat<IDisposable>(end.Members.Values))
            joined.Dispose();
        foreach (var (selector, room) in end.Requests)
            room.Pools.Withdraw(selector);
        foreach (var push in end.Pushes.Values)
            push.Done.TrySetResult(false);
    }

    // Why it does not count; null: it does.
    private ClaimRefusedException? Claim(Room room, Call call, End end)
    {
        var (self, claim) = (Self, (EpochClaim)call.Content!);
        if (room.Objection(claim) is { } objection)
            return objection;
        try
        {
            // The local form decides at once.
            end.Authorities[call.Number] = room.Control.ClaimAsync(claim, async (message, cancellation) =>
            {
                if (!await PushAsync(self, call.End, call.Number, message).WaitAsync(cancellation))
                    throw new NotTakenException();
            }, reason => _ = PushAsync(self, call.End, call.Number, new Fenced(reason)), CancellationToken.None).AsTask().GetAwaiter().GetResult();
            return null;
        }
        catch (ClaimRefusedException refused)
        {
            return refused;
        }
    }

    // Until somebody has taken it: one that went away meanwhile has not.
    private static async Task SendAsync(Func<ValueTask> send, Action sent)
    {
        while (true)
        {
            try
            {
                await send();
                sent();
                return;
            }
            catch (NotTakenException)
            {
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private static async Task AwaitTakenAsync(Task<bool> taken, Action otherwise)
    {
        if (!await taken)
            otherwise();
    }

    private static Task<bool> PushAsync(IActorRef self, string end, long asked, object content)
    {
        var push = new PendingPush(asked, content);
        self.Tell(new Outgoing(end, push), ActorRefs.NoSender);
        return push.Done.Task;
    }

    /// <summary>A link, in the forms that work within one process.</summary>
    private sealed class Room(OfferCell offers)
    {
        // The newest last: it receives.
        private readonly List<Func<SelectionBlock, CancellationToken, ValueTask>> _receivers = [];
        private IDisposable? _receiving;

        public LocalSelectionsLink Selections { get; } = new();

        /// <summary>
        /// Receives in the place of those before. When the newest leaves, the one before it receives again: what two ends tell comes in no order, and one that came and went must
        /// not take with it one that is there.
        /// </summary>
        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver)
        {
            _receivers.Add(deliver);
            _receiving = Selections.Receive(deliver);
            return new Left(() =>
            {
                _receivers.Remove(deliver);
                _receiving.Dispose();
                if (_receivers.Count > 0)
                    _receiving = Selections.Receive(_receivers[^1]);
            });
        }

        public LocalPoolsLink Pools { get; } = new();

        public LocalControlLink Control { get; } = new();

        public OfferCell Offers => offers;

        private long? _epoch;
        private long? _committed;

        /// <summary>What members heard from the hub before this one.</summary>
        public void Learn(long? epoch, long? committed) => (_epoch, _committed) = (Newer(_epoch, epoch), Newer(_committed, committed));

        /// <summary>Why a claim cannot count after what members heard; null: it may.</summary>
        public ClaimRefusedException? Objection(EpochClaim claim)
        {
            if (claim.Epoch <= _epoch)
                return ClaimRefusedException.NotNewer(claim, _epoch.Value);
            return claim.Version < _committed && !claim.Forced ? ClaimRefusedException.Behind(claim, _committed.Value) : null;
        }

        private static long? Newer(long? known, long? told) => known is null || told > known ? told : known;
    }

    private sealed class Left(Action leave) : IDisposable
    {
        public void Dispose() => leave();
    }

    /// <summary>An end, and what goes on with it.</summary>
    private sealed class End(string name, IActorRef place)
    {
        public string Name => name;

        public IActorRef Ref => place;

        /// <summary>Where it publishes or follows; null: nowhere.</summary>
        public OfferCell? Offers { get; set; }

        public CancellationTokenSource Lost { get; } = new();

        /// <summary>The next call that begins; those that came before their turn wait.</summary>
        public long Next { get; set; } = 1;

        public SortedDictionary<long, Call> Early { get; } = [];

        /// <summary>The answers of those that have begun; null: not yet.</summary>
        public Dictionary<long, Return?> Calls { get; } = [];

        /// <summary>By the number of the claim.</summary>
        public Dictionary<long, IControlAuthority> Authorities { get; } = [];

        public Dictionary<string, IDisposable> Members { get; } = new(StringComparer.Ordinal);

        public SortedDictionary<long, PendingPush> Pushes { get; } = [];

        public long LastPush { get; set; }

        public IDisposable? Receiver { get; set; }

        public Dictionary<string, Room> Requests { get; } = new(StringComparer.Ordinal);
    }

    private sealed record PendingPush(long Asked, object Content)
    {
        /// <summary>Whether the end took it.</summary>
        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Push ToMessage(string hub, long number, long oldest) => new(hub, number, oldest, Asked, Content);
    }

    private sealed record Outgoing(string End, PendingPush Push);

    private sealed record InTurn(Action Act);

    private sealed record NotTaken(Room Room, PoolBlock Block);

    private sealed record Finished(string End, long Number, ClaimRefusedException? Refusal = null);

    private sealed class Resend
    {
        public static Resend Instance { get; } = new();
    }

    private sealed class NotTakenException : Exception;
}
