using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging;

namespace MassDpo.Shared.Actors;

/// <summary>
/// Runs actors: gives each a mailbox and a place to run, restarts one that throws after a growing pause, and stops all with the reason when one fails
/// too often. How an actor lives is the same in all hosts (<see cref="ActorLife{TMessage}"/>); what differs is where it does and whose clock it sees.
/// </summary>
/// <param name="clock">of its actors</param>
/// <param name="logger">of their failures</param>
/// <param name="instruments">of a process that has several hosts, which outlive this one; null: its own</param>
public abstract class ActorHost(TimeProvider clock, ILogger logger, Instruments? instruments = null) : IAsyncDisposable
{
    internal const string Starts = "it has not started";

    // It has no timer, so that nothing is lost without disposing it, and who asks late still hears that the host stops.
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> _ends = [];
    private readonly SortedDictionary<string, string?> _lacks = new(StringComparer.Ordinal);
    private int _restarts;

    public TimeProvider Clock { get; } = clock;

    /// <summary>What is measured of its actors; where they are its own they end with it.</summary>
    public Instruments Instruments { get; } = instruments ?? new Instruments(clock);

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

    /// <summary>Told when the host stops.</summary>
    protected internal CancellationToken Stopping => _stopping.Token;

    /// <summary>Starts an actor. <paramref name="create"/> runs again for each restart.</summary>
    public abstract IActorRef<TMessage> Spawn<TMessage>(string name, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions? options = null);

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
    public virtual async ValueTask StopAsync()
    {
        _stopping.Cancel();
        Task[] ends;
        lock (_ends)
            ends = [.. _ends];
        await Task.WhenAll(ends);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (instruments is null)
            Instruments.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The life of an actor that this host runs.</summary>
    /// <param name="self">where its messages go</param>
    /// <param name="create">makes each incarnation</param>
    /// <param name="options">how it is run</param>
    protected ActorLife<TMessage> LifeOf<TMessage>(IActorRef<TMessage> self, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions options) => new(this, self, create, options);

    /// <summary>Has <see cref="StopAsync"/> wait for the end of an actor.</summary>
    protected void AwaitAtStop(Task end)
    {
        lock (_ends)
            _ends.Add(end);
    }

    internal void Started(string actor)
    {
        lock (_lacks)
            if (_lacks[actor] == Starts)
                _lacks[actor] = null;
    }

    internal void Restarting(string actor, TimeSpan pause, Exception reason)
    {
        logger.LogWarning(reason, "actor {Actor} failed and restarts in {Pause}: {Reason}", actor, pause, reason.Message);
        Interlocked.Increment(ref _restarts);
        Instruments.Restarted(actor);
    }
}
