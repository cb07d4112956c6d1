using Akka.Actor;
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
    private readonly HashSet<long> _pushes = [];
    private readonly HashSet<long> _taken = [];
    private readonly HashSet<long> _refused = [];
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
                Make(send.Operation, send.Who, send.Content, send.Done);
                break;
            case Want want:
                Forget(want);
                _wants[Make(want.Operation, want.Who)] = want;
                break;
            case NoLonger(var want):
                // One that was replaced leaves what replaced it alone.
                if (_wants.ContainsValue(want))
                {
                    Forget(want);
                    Make(want.Leaving, want.Who);
                }
                break;
            case Return answer:
                Meet(answer.Hub);
                if (_calls.Remove(answer.Number, out var made))
                    made.Done?.TrySetResult();
                break;
            case Push push:
                Meet(push.Hub);
                Take(push);
                break;
            case Handled handled:
                _pushes.Remove(handled.Number);
                (handled.Taken ? _taken : _refused).Add(handled.Number);
                if (handled.Hub == _hub)
                    Answer(handled.Number);
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

    private long Make(Operation operation, string who = "", object? content = null, TaskCompletionSource? done = null)
    {
        var call = new Call(link, end, ++_number, 0, operation, who, content);
        _calls[_number] = (call, done);
        hub.Tell(call with { Oldest = Oldest });
        return _number;
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
        foreach (var numbers in new[] { _pushes, _taken, _refused })
            numbers.Clear();
        foreach (var number in _calls.Where(call => call.Value.Done is null).Select(call => call.Key).ToList())
            _calls.Remove(number);
        foreach (var (number, want) in _wants.ToList())
        {
            _wants.Remove(number);
            _wants[Make(want.Operation, want.Who)] = want;
        }
    }

    private void Take(Push push)
    {
        _taken.RemoveWhere(number => number < push.Oldest);
        _refused.RemoveWhere(number => number < push.Oldest);
        if (_pushes.Contains(push.Number))
            return;
        if (_taken.Contains(push.Number) || _refused.Contains(push.Number))
        {
            Answer(push.Number);
            return;
        }
        _pushes.Add(push.Number);
        if (!_wants.TryGetValue(push.Asked, out var want))
        {
            Self.Tell(new Handled(push.Hub, push.Number, false));
            return;
        }
        if (want.IsOnce)
            _wants.Remove(push.Asked);
        _ = HandOnAsync(want, push, Self);
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

    private void Answer(long number) => hub.Tell(new Pushed(link, end, _hub, number, _refused.Contains(number)));

    // What it takes the place of, for the same purpose.
    private void Forget(Want want)
    {
        foreach (var (number, _) in _wants.Where(other => other.Value.Operation == want.Operation && other.Value.Who == want.Who).ToList())
            _wants.Remove(number);
    }

    /// <summary>Sends something; <paramref name="Done"/> completes when the hub has done with it, and is cancelled when the end is closed.</summary>
    public sealed record Send(Operation Operation, object Content, TaskCompletionSource Done, string Who = "");

    /// <summary>Asks for something that the hub pushes, once or until it is left; takes the place of the want before it.</summary>
    public sealed record Want(Operation Operation, Operation Leaving, string Who, bool IsOnce, Func<object, CancellationToken, ValueTask> Deliver)
    {
        // Each is another one.
        public bool Equals(Want? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }

    /// <summary>It is not wanted any more.</summary>
    public sealed record NoLonger(Want Want);

    private sealed record Handled(string Hub, long Number, bool Taken);

    private sealed class Resend
    {
        public static Resend Instance { get; } = new();
    }
}
