using Akka.Actor;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links.Local;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Joins the ends of links: for each link it holds the form that works within one process, and each end does on it what its calls say. A call comes again until it is answered,
/// a push goes again until it is; both have numbers, so that each is done once by a hub. What was pushed to an end that is lost, or that has no use for it any more, goes to
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
                    caller.Calls[finished.Number] = true;
                    caller.Ref.Tell(new Return(_hub, finished.Number));
                }
                break;
            case NotTaken(var room, var block):
                _ = room.Pools.OfferAsync(block, CancellationToken.None);
                break;
            case Outgoing outgoing:
                Send(outgoing);
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
            _ends[call.End] = end = new End(Sender);
            Context.Watch(Sender);
        }
        foreach (var settled in end.Calls.Keys.Where(number => number < call.Oldest).ToList())
            end.Calls.Remove(settled);
        if (call.Operation == Operation.Hello || end.Calls.GetValueOrDefault(call.Number))
        {
            Sender.Tell(new Return(_hub, call.Number));
            return;
        }
        if (!end.Calls.TryAdd(call.Number, false))
            return;
        var room = _rooms.TryGetValue(call.Link, out var known) ? known : _rooms[call.Link] = new Room();
        var self = Self;
        switch (call.Operation)
        {
            case Operation.SendSelections:
                _ = SendAsync(room, (SelectionBlock)call.Content!, end.Lost.Token, () => self.Tell(new Finished(call.End, call.Number)));
                return;
            case Operation.ReceiveSelections:
                end.Receiver?.Dispose();
                end.Receiver = room.Selections.Receive(async (block, cancellation) =>
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
        }
        self.Tell(new Finished(call.End, call.Number));
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
        foreach (var (selector, room) in end.Requests)
            room.Pools.Withdraw(selector);
        foreach (var push in end.Pushes.Values)
            push.Done.TrySetResult(false);
    }

    // Until a receiver has taken it: one that went away meanwhile has not.
    private static async Task SendAsync(Room room, SelectionBlock block, CancellationToken lost, Action sent)
    {
        while (true)
        {
            try
            {
                await room.Selections.SendAsync(block, lost);
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
    private sealed class Room
    {
        public LocalSelectionsLink Selections { get; } = new();

        public LocalPoolsLink Pools { get; } = new();
    }

    /// <summary>An end, and what goes on with it.</summary>
    private sealed class End(IActorRef place)
    {
        public IActorRef Ref => place;

        public CancellationTokenSource Lost { get; } = new();

        // Whether each is done.
        public Dictionary<long, bool> Calls { get; } = [];

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

    private sealed record NotTaken(Room Room, PoolBlock Block);

    private sealed record Finished(string End, long Number);

    private sealed class Resend
    {
        public static Resend Instance { get; } = new();
    }

    private sealed class NotTakenException : Exception;
}
