using MassDpo.Shared.Telemetry;

namespace MassDpo.Shared.Actors;

/// <summary>
/// One actor through all its incarnations: makes it, hands it messages, ends it, and counts how often in a row it failed. Every host's actors live so; the host
/// decides where, and calls one method at a time.
/// </summary>
public sealed class ActorLife<TMessage>
{
    private readonly ActorHost _host;
    private readonly IActorRef<TMessage> _self;
    private readonly Func<IActorContext<TMessage>, Actor<TMessage>> _create;
    private readonly ActorOptions _options;
    private Context? _context;
    private Actor<TMessage>? _actor;
    private int _incarnation;
    private int _failuresInARow;

    internal ActorLife(ActorHost host, IActorRef<TMessage> self, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions options)
    {
        (_host, _self, _create, _options) = (host, self, create, options);
        host.Lacks(self.Name, ActorHost.Starts);
    }

    /// <summary>Begins the next incarnation.</summary>
    public async ValueTask StartAsync()
    {
        _host.Lacks(_self.Name, ActorHost.Starts);
        _context = new Context(_self, _host, ++_incarnation);
        _actor = _create(_context);
        await _actor.StartAsync(_host.Stopping);
        _host.Started(_self.Name);
    }

    /// <summary>Hands the actor a message; one that it handles forgives the failures before.</summary>
    public async ValueTask ReceiveAsync(TMessage message)
    {
        await _actor!.ReceiveAsync(message, _host.Stopping);
        _failuresInARow = 0;
    }

    /// <summary>Ends the incarnation that failed.</summary>
    /// <returns>the pause before the next one; null: the actor is given up, and the host with it</returns>
    public async ValueTask<TimeSpan?> FailAsync(Exception reason)
    {
        await EndAsync();
        _host.Lacks(_self.Name, $"it failed: {reason.Message}");
        _failuresInARow++;
        if (reason is FatalActorException || _failuresInARow > _options.MaxRestarts)
        {
            _host.Fail(reason is FatalActorException ? reason : new ActorFailedException(_self.Name, _failuresInARow, reason));
            return null;
        }
        var pause = Backoff(_failuresInARow);
        _host.Restarting(_self.Name, pause, reason);
        return pause;
    }

    /// <summary>Ends the actor for good: its host stops.</summary>
    public async ValueTask StopAsync()
    {
        await EndAsync();
        _host.Lacks(_self.Name, "it has stopped");
    }

    private async ValueTask EndAsync()
    {
        var (context, actor) = (_context, _actor);
        (_context, _actor) = (null, null);
        context?.Dispose();
        if (actor is not null)
            await actor.StopAsync();
    }

    private TimeSpan Backoff(int failures)
    {
        var factor = Math.Pow(2, Math.Min(failures - 1, 30));
        return TimeSpan.FromTicks((long)Math.Min(_options.MinBackoff.Ticks * factor, _options.MaxBackoff.Ticks));
    }

    private sealed class Context(IActorRef<TMessage> self, ActorHost host, int incarnation) : IActorContext<TMessage>, IDisposable
    {
        private readonly Lock _lock = new();
        private readonly HashSet<Scheduled> _timers = [];
        private bool _ended;

        public IActorRef<TMessage> Self => self;

        public int Incarnation => incarnation;

        public TimeProvider Clock => host.Clock;

        public Instruments Instruments => host.Instruments;

        public void Lacks(string? what) => host.Lacks(self.Name, what);

        public IDisposable Schedule(TimeSpan due, TMessage message)
        {
            var scheduled = new Scheduled(this);
            // Made stopped: the callback needs to find it in the set.
            var timer = host.Clock.CreateTimer(_ => Fire(scheduled, message), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            scheduled.Timer = timer;
            lock (_lock)
            {
                if (!_ended)
                    _timers.Add(scheduled);
            }
            timer.Change(due, Timeout.InfiniteTimeSpan);
            return scheduled;
        }

        private void Fire(Scheduled scheduled, TMessage message)
        {
            // One that was disposed of in between, or whose actor has ended, does not fire.
            if (!Forget(scheduled))
                return;
            self.Post(message);
        }

        private bool Forget(Scheduled scheduled)
        {
            bool isKnown;
            lock (_lock)
                isKnown = _timers.Remove(scheduled);
            scheduled.Timer?.Dispose();
            return isKnown;
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _ended = true;
                foreach (var scheduled in _timers)
                    scheduled.Timer?.Dispose();
                _timers.Clear();
            }
        }

        /// <summary>A timer of the actor's: whoever disposes of it lets the actor forget it, too.</summary>
        private sealed class Scheduled(Context context) : IDisposable
        {
            public ITimer? Timer { get; set; }

            public void Dispose() => context.Forget(this);
        }
    }
}
