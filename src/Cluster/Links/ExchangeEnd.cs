using Akka.Actor;
using Akka.Event;
using MassDpo.Shared.Links;
using MassDpo.Wire;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// One end of a link: makes calls to the hub and hands on what the hub pushes. Where the hub is it asks again and again, by way of the proxy, and says what it has; to the hub that
/// answers it talks itself. What that one lacks it sends again, and each new one it tells what it wants and what is not done. It persists nothing.
/// </summary>
/// <param name="proxy">the way to the hub, wherever it is</param>
/// <param name="link">of which this is an end</param>
/// <param name="end">its name, which no other has</param>
internal sealed class ExchangeEnd(IActorRef proxy, string link, string end) : UntypedActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Frames _frames = Frames.Of(Context.System);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Unanswered<Made> _calls = new();
    // By the call that asked for it.
    private readonly Dictionary<long, Want> _wants = [];
    private readonly HashSet<string> _left = new(StringComparer.Ordinal);
    private InOrder<Push, Pushed> _pushes = new();
    private Parts _parts = new(0);
    private string _hub = "";
    private IActorRef? _there;
    // The last call when the hub was asked what it has; 0: what it lacked was sent since.
    private long _askedOf;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(nameof(Greet), Greet.Instance, Exchange.ResendOf(Context.System));
        Say();
    }

    protected override void PostStop()
    {
        _stopping.Cancel();
        foreach (var made in _calls.RemoveAll())
            made.Done?.TrySetCanceled();
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Send send:
                Make(new Call(link, end, 0, 0, send.Operation, "", new Content(send.Content)), send.Done);
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
                    Make(new Call(link, end, 0, 0, Operation.Announce, notice.Addressee ?? "", new Content(notice)) { Claim = claim });
                break;
            case Return answer:
                if (!Meet(answer.Hub))
                    break;
                if (answer.Number == 0)
                    SendAgain(answer.NextCall);
                else if (_calls.Remove(answer.Number) is { } made)
                    Finish(answer, made.Done);
                break;
            case Push push:
                if (Meet(push.Hub))
                    Take(push);
                break;
            case Part part:
                if (Meet(part.Source))
                    TakePart(part);
                break;
            case Handled handled when handled.Hub == _hub:
                Answer(handled.Number, handled.Taken);
                break;
            case Handled:
                break;
            case Greet:
                Say();
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private void Say()
    {
        _askedOf = _calls.Last;
        proxy.Tell(new Call(link, end, 0, _calls.Oldest, Operation.Hello) { Hub = _hub, NextPush = _pushes.Next });
    }

    private long Make(Call call, TaskCompletionSource? done = null)
    {
        var made = new Made(call, done);
        var number = _calls.Add(made);
        if (_there is not null)
            Tell(number, made, call.Content);
        return number;
    }

    private void Tell(long number, Made made, Content? content)
    {
        if (_frames.Objection(_there!, content) is { } objection)
        {
            made.Done?.TrySetException(objection);
            _log.Error(objection, "{0} of link {1} is not sent: {2}", made.Call.Operation, link, objection.Message);
            // Its number is gone through all the same.
            (made.Call, content) = (new Call(link, end, 0, 0, Operation.Hello), null);
        }
        _frames.Tell(_there!, made.Call with { Number = number, Oldest = _calls.Oldest, Content = content }, content, end, number, Self);
    }

    // Once for each time that the hub was asked: answers that come late, all at once, tell of calls that are on their way.
    private void SendAgain(long? next)
    {
        foreach (var (number, made) in _calls.Between(1, _askedOf))
            // What the hub has is only asked for. An older build does not say what it has.
            Tell(number, made, number < next ? null : made.Call.Content);
        _askedOf = 0;
    }

    private void Finish(Return answer, TaskCompletionSource? done)
    {
        if (answer.Refusal.Length > 0)
        {
            _wants.Remove(answer.Number);
            done?.TrySetException(ClaimRefusedException.Told(answer.Refusal, answer.Newest));
        }
        else
            done?.TrySetResult();
    }

    private void Ask(Want want)
    {
        var (epoch, committed) = want.Known?.Newest ?? default;
        var content = want.Content is { } message ? new Content(message) : null;
        _wants[Make(new Call(link, end, 0, 0, want.Operation, want.Who, content) { KnownEpoch = epoch, KnownCommitted = committed, IsAhead = want.IsAhead }, want.Done)] = want;
    }

    private long? NumberOf(Want want)
    {
        foreach (var (number, other) in _wants)
            if (ReferenceEquals(other, want))
                return number;
        return null;
    }

    // Whether it is the hub that this end is at. Of a new one nothing is known yet: it is told all that is wanted and not done, with numbers that leave no gap, and what was pushed by
    // the one before is over.
    private bool Meet(string name)
    {
        if (name == _hub)
        {
            _there = Sender;
            return true;
        }
        if (_left.Contains(name))
            return false;
        var isFirst = _hub.Length == 0;
        _left.Add(_hub);
        (_hub, _there, _pushes, _parts, _askedOf) = (name, Sender, new InOrder<Push, Pushed>(), new Parts(_frames.Largest), 0);
        if (isFirst)
        {
            foreach (var (number, made) in _calls.Between(1, _calls.Last))
                Tell(number, made, made.Call.Content);
            return true;
        }
        var wants = _wants.Values.ToList();
        _wants.Clear();
        foreach (var made in _calls.RemoveAll())
            // What was asked for is asked for again below; what was announced was so under a claim that is lost.
            if (made.Done is not null && made.Call.Operation != Operation.Claim)
                Make(made.Call, made.Done);
        foreach (var want in wants)
            // A claim that the hub before did not decide may be decided by this one.
            if (want is { Lost: { } lost, Done: null or { Task.IsCompleted: true } })
                lost();
            else
                Ask(want);
        return true;
    }

    private void TakePart(Part part)
    {
        try
        {
            if (_parts.Add(part) is not { } whole)
                return;
            if (whole is Push push && push.Hub == part.Source)
                Take(push);
            else
                throw new WireFormatException($"a {whole.GetType().Name} in parts, where a push is expected");
        }
        catch (WireFormatException e)
        {
            _log.Error(e, "parts of a push of link {0} are dropped: {1}", link, e.Message);
        }
    }

    private void Take(Push push)
    {
        _pushes.Settle(push.Oldest);
        if (_pushes.Come(push.Number, push.Content is null ? null : push) is { } known)
            _there!.Tell(known);
        while (_pushes.Begin() is { } next)
        {
            if (!_wants.TryGetValue(next.Asked, out var want))
            {
                Answer(next.Number, taken: false);
                continue;
            }
            if (want.IsOnce)
                _wants.Remove(next.Asked);
            _ = HandOnAsync(want, next, Self, _log, link, _stopping.Token);
        }
    }

    private static async Task HandOnAsync(Want want, Push push, IActorRef self, ILoggingAdapter log, string link, CancellationToken stopping)
    {
        var taken = true;
        try
        {
            await want.Deliver(push.Content!.Read<object>(), stopping);
        }
        catch (OperationCanceledException)
        {
            taken = false;
        }
        catch (Exception e)
        {
            // Another would not know what to do with it either. It is as if it were lost, and comes again as what is lost does: when its lease has run out.
            log.Error(e, "what was pushed for {0} of link {1} is dropped: {2}", want.Operation, link, e.Message);
        }
        self.Tell(new Handled(push.Hub, push.Number, taken), ActorRefs.NoSender);
    }

    private void Answer(long number, bool taken)
    {
        var answer = new Pushed(link, end, _hub, number, !taken);
        _pushes.Answer(number, answer);
        _there!.Tell(answer);
    }

    // What it takes the place of, for the same purpose.
    private void Forget(Want want)
    {
        foreach (var (number, _) in _wants.Where(other => other.Value.Operation == want.Operation && other.Value.Who == want.Who && other.Value.IsAhead == want.IsAhead).ToList())
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

        /// <summary>Whether those who ask for the same and not ahead come first.</summary>
        public bool IsAhead { get; init; }

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

    private sealed class Made(Call call, TaskCompletionSource? done)
    {
        /// <summary>But for its number.</summary>
        public Call Call { get; set; } = call;

        public TaskCompletionSource? Done => done;
    }

    private sealed record Handled(string Hub, long Number, bool Taken);

    private sealed class Greet
    {
        public static Greet Instance { get; } = new();
    }
}
