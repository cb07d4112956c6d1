using Akka.Actor;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// One end of a link: makes calls to the hub, wherever it is, and hands on what the hub pushes. It keeps what it wants of the hub, and tells it to each new one; a call that is not
/// answered is made again. It persists nothing.
/// </summary>
/// <param name="hub">the way to the hub</param>
/// <param name="link">of which this is an end</param>
/// <param name="end">its name, which no other has</param>
internal sealed class ExchangeEnd(IActorRef hub, string link, string end) : UntypedActor, IWithTimers
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly SortedDictionary<long, (Call Call, TaskCompletionSource? Done)> _calls = [];
    // By the call that asked for it.
    private readonly Dictionary<long, Want> _wants = [];
    private readonly SortedDictionary<long, Push> _early = [];
    // Whether each was taken; null: that is not known yet.
    private readonly Dictionary<long, bool?> _begun = [];
    private long _nextPush = 1;
    private string _hub = "";
    private long _number;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartPeriodicTimer(nameof(Resend), Resend.Instance, Exchange.ResendOf(Context.System));

    protected override void PostStop()
    {
        _stopping.Cancel();
        foreach (var (_, done) in _calls.Values)
            done?.TrySetCanceled();
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Send send:
                Make(new Call(link, end, 0, 0, send.Operation, "", send.Content), send.Done);
                break;
            case Want want:
                Forget(want);
                Ask(want);
                break;
            case NoLonger(var want):
                // One that was replaced leaves what replaced it alone.
                if (NumberOf(want) is { } asked)
                {
                    _wants.Remove(asked);
                    Make(new Call(link, end, 0, 0, want.Leaving, want.Who) { Claim = asked });
                }
                break;
            case Announce(var want, var notice):
                if (NumberOf(want) is { } claim)
                    Make(new Call(link, end, 0, 0, Operation.Announce, "", notice) { Claim = claim });
                break;
            case Return answer:
                Meet(answer.Hub);
                if (!_calls.Remove(answer.Number, out var made))
                    break;
                if (answer.Refusal.Length > 0)
                {
                    _wants.Remove(answer.Number);
                    made.Done?.TrySetException(ClaimRefusedException.Told(answer.Refusal, answer.Newest));
                }
                else
                    made.Done?.TrySetResult();
                break;
            case Push push:
                Meet(push.Hub);
                Take(push);
                break;
            case Handled handled when handled.Hub == _hub:
                _begun[handled.Number] = handled.Taken;
                Answer(handled.Number, handled.Taken);
                break;
            case Handled:
                break;
            case Resend:
                foreach (var (call, _) in _calls.Values)
                    hub.Tell(call with { Oldest = Oldest });
                hub.Tell(new Call(link, end, 0, Oldest, Operation.Hello));
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private long Oldest => _calls.Count > 0 ? _calls.Keys.First() : _number + 1;

    private long Make(Call call, TaskCompletionSource? done = null)
    {
        call = call with { Number = ++_number };
        _calls[_number] = (call, done);
        hub.Tell(call with { Oldest = Oldest });
        return _number;
    }

    private void Ask(Want want) => _wants[Make(new Call(link, end, 0, 0, want.Operation, want.Who, want.Content)
    {
        KnownEpoch = want.Known?.Epoch,
        KnownCommitted = want.Known?.Committed,
    }, want.Done)] = want;

    private long? NumberOf(Want want)
    {
        foreach (var (number, other) in _wants)
            if (ReferenceEquals(other, want))
                return number;
        return null;
    }

    // Of a new hub nothing is known yet: it is told all that is wanted, and what was pushed by the one before is over.
    private void Meet(string name)
    {
        if (name == _hub)
            return;
        var isFirst = _hub.Length == 0;
        _hub = name;
        if (isFirst)
            return;
        _nextPush = 1;
        _early.Clear();
        _begun.Clear();
        // What was asked for is asked for again below, with another number; what was announced was so under a claim that is lost.
        foreach (var number in _calls.Where(call => call.Value.Done is null).Select(call => call.Key).ToList())
            _calls[number] = (new Call(link, end, number, 0, Operation.Hello), null);
        // A claim that the hub before did not answer is decided by this one, by the call that is there.
        foreach (var (number, want) in _wants.Where(want => !_calls.TryGetValue(want.Key, out var made) || made.Call.Operation != Operation.Claim).ToList())
        {
            _wants.Remove(number);
            if (want.Lost is { } lost)
                lost();
            else
                Ask(want);
        }
    }

    private void Take(Push push)
    {
        foreach (var number in _begun.Keys.Where(number => number < push.Oldest).ToList())
            _begun.Remove(number);
        if (push.Number < _nextPush)
        {
            if (_begun.GetValueOrDefault(push.Number) is { } taken)
                Answer(push.Number, taken);
            return;
        }
        _early[push.Number] = push;
        // In order, also where one was lost on the way and came again.
        while (_early.Remove(_nextPush, out var next))
        {
            _nextPush++;
            _begun[next.Number] = null;
            if (!_wants.TryGetValue(next.Asked, out var want))
            {
                Self.Tell(new Handled(next.Hub, next.Number, false));
                continue;
            }
            if (want.IsOnce)
                _wants.Remove(next.Asked);
            _ = HandOnAsync(want, next, Self);
        }
    }

    private async Task HandOnAsync(Want want, Push push, IActorRef self)
    {
        var taken = true;
        try
        {
            await want.Deliver(push.Content, _stopping.Token);
        }
        catch (OperationCanceledException)
        {
            taken = false;
        }
        self.Tell(new Handled(push.Hub, push.Number, taken), ActorRefs.NoSender);
    }

    private void Answer(long number, bool taken) => hub.Tell(new Pushed(link, end, _hub, number, !taken));

    // What it takes the place of, for the same purpose.
    private void Forget(Want want)
    {
        foreach (var (number, _) in _wants.Where(other => other.Value.Operation == want.Operation && other.Value.Who == want.Who).ToList())
            _wants.Remove(number);
    }

    /// <summary>Sends something; <paramref name="Done"/> completes when the hub has done with it, and is cancelled when the end is closed.</summary>
    public sealed record Send(Operation Operation, object Content, TaskCompletionSource Done);

    /// <summary>Tells all members something, under a claim.</summary>
    public sealed record Announce(Want Claim, ControlNotice Notice);

    /// <summary>Asks for something that the hub pushes, once or until it is left; takes the place of an older one for the same by the same.</summary>
    public sealed class Want(Operation operation, Operation leaving, string who, bool isOnce, Func<object, CancellationToken, ValueTask> deliver)
    {
        public Operation Operation => operation;

        public Operation Leaving => leaving;

        public string Who => who;

        public bool IsOnce => isOnce;

        public Func<object, CancellationToken, ValueTask> Deliver => deliver;

        /// <summary>What is sent with it.</summary>
        public object? Content { get; init; }

        /// <summary>Completes when the hub knows; null: nobody waits for that.</summary>
        public TaskCompletionSource? Done { get; init; }

        /// <summary>Called where the hub is lost and cannot be asked again; null: the next one is asked.</summary>
        public Action? Lost { get; init; }

        /// <summary>What a new hub must be told that this process has heard.</summary>
        public KnownOrder? Known { get; init; }
    }

    /// <summary>It is not wanted any more.</summary>
    public sealed record NoLonger(Want Want);

    private sealed record Handled(string Hub, long Number, bool Taken);

    private sealed class Resend
    {
        public static Resend Instance { get; } = new();
    }
}
