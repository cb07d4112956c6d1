using System.Diagnostics;
using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging;

namespace MassDpo.Shared.Actors;

/// <summary>
/// Runs actors: gives each a mailbox and a place to run, restarts one that throws after a growing pause, and stops all with the reason when one fails
/// too often. What differs between hosts is where the loops run and whose clock they see.
/// </summary>
public abstract class ActorHost(TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    private const string Starts = "it has not started";

    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> _loops = [];
    private readonly SortedDictionary<string, string?> _lacks = new(StringComparer.Ordinal);
    private readonly ILogger _logger = logger;
    private int _restarts;

    public TimeProvider Clock { get; } = clock;

    /// <summary>What is measured of its actors; it ends with the host.</summary>
    public Instruments Instruments { get; } = new(clock);

    /// <summary>Whether it works, and what its actors still lack.</summary>
    public HostHealth Health
    {
        get
        {
            lock (_lacks)
                return new HostHealth(_failure.Task.Exception?.InnerException, _lacks.Count > 0, _lacks.Where(part => part.Value is not null).ToDictionary(part => part.Key, part => part.Value!));
        }
    }

    /// <summary>Never completes but with the exception of the actor that was given up.</summary>
    public Task Failure => _failure.Task;

    /// <summary>How often an actor was restarted.</summary>
    public int Restarts => Volatile.Read(ref _restarts);

    /// <summary>Starts an actor. <paramref name="create"/> runs again for each restart.</summary>
    public IActorRef<TMessage> Spawn<TMessage>(string name, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions? options = null)
    {
        options ??= new ActorOptions();
        var cell = new Cell<TMessage>(this, name, create, options);
        lock (_loops)
            _loops.Add(Run(name, options.Dispatch, cell.RunAsync));
        return cell;
    }

    /// <summary>Gives up with a reason that lies outside its actors, in what they cannot do without.</summary>
    public void Fail(Exception reason)
    {
        _failure.TrySetException(reason);
        // Who only stops the host must not be told of an unobserved exception.
        _ = _failure.Task.Exception;
        _stopping.Cancel();
    }

    /// <summary>Says what a part of this process that is no actor lacks to do its work, for who watches the process; null: nothing.</summary>
    public void Lacks(string part, string? what)
    {
        lock (_lacks)
            _lacks[part] = what;
    }

    /// <summary>Stops all actors, each after the message it is at, and waits for them.</summary>
    public async ValueTask StopAsync()
    {
        _stopping.Cancel();
        Task[] loops;
        lock (_loops)
            loops = [.. _loops];
        await Task.WhenAll(loops);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
        Instruments.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Runs an actor's loop where this host runs such loops.</summary>
    protected abstract Task Run(string name, Dispatch dispatch, Func<Task> loop);

    private void Started(string actor)
    {
        lock (_lacks)
            if (_lacks[actor] == Starts)
                _lacks[actor] = null;
    }

    private sealed class Cell<TMessage>(ActorHost host, string name, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions options)
        : IActorRef<TMessage>
    {
        private readonly Mailbox<TMessage> _mailbox = new(options.MailboxCapacity);

        public string Name => name;

        public ValueTask Tell(TMessage message, CancellationToken cancellation = default) => _mailbox.Tell(message, cancellation);

        public void Post(TMessage message) => _mailbox.Post(message);

        public async Task RunAsync()
        {
            var stopping = host._stopping.Token;
            var failuresInARow = 0;
            // What an actor does belongs to none of the activities that its host was made in.
            Activity.Current = null;
            for (var incarnation = 1; ; incarnation++)
            {
                Context? context = null;
                Actor<TMessage>? actor = null;
                try
                {
                    host.Lacks(name, Starts);
                    context = new Context(this, host, incarnation);
                    actor = create(context);
                    await actor.StartAsync(stopping);
                    host.Started(name);
                    while (true)
                    {
                        stopping.ThrowIfCancellationRequested();
                        await actor.ReceiveAsync(await _mailbox.Take(stopping), stopping);
                        failuresInARow = 0;
                    }
                }
                catch (OperationCanceledException) when (stopping.IsCancellationRequested)
                {
                    await EndAsync(actor, context);
                    host.Lacks(name, "it has stopped");
                    break;
                }
                catch (Exception e)
                {
                    await EndAsync(actor, context);
                    host.Lacks(name, $"it failed: {e.Message}");
                    failuresInARow++;
                    if (e is FatalActorException || failuresInARow > options.MaxRestarts)
                    {
                        host.Fail(e is FatalActorException ? e : new ActorFailedException(name, failuresInARow, e));
                        break;
                    }
                    var pause = Backoff(failuresInARow);
                    host._logger.LogWarning(e, "actor {Actor} failed and restarts in {Pause}: {Reason}", name, pause, e.Message);
                    Interlocked.Increment(ref host._restarts);
                    host.Instruments.Restarted(name);
                    try
                    {
                        await Task.Delay(pause, host.Clock, stopping);
                    }
                    catch (OperationCanceledException)
                    {
                        break;
                    }
                }
            }
            _mailbox.Close();
        }

        private static async ValueTask EndAsync(Actor<TMessage>? actor, Context? context)
        {
            context?.Dispose();
            if (actor is not null)
                await actor.StopAsync();
        }

        private TimeSpan Backoff(int failures)
        {
            var factor = Math.Pow(2, Math.Min(failures - 1, 30));
            return TimeSpan.FromTicks((long)Math.Min(options.MinBackoff.Ticks * factor, options.MaxBackoff.Ticks));
        }

        private sealed class Context(Cell<TMessage> cell, ActorHost host, int incarnation) : IActorContext<TMessage>, IDisposable
        {
            private readonly Lock _lock = new();
            private readonly HashSet<Scheduled> _timers = [];
            private bool _ended;

            public IActorRef<TMessage> Self => cell;

            public int Incarnation => incarnation;

            public TimeProvider Clock => host.Clock;

            public Instruments Instruments => host.Instruments;

            public void Lacks(string? what) => host.Lacks(cell.Name, what);

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
                cell.Post(message);
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
}
