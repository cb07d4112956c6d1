using MassDpo.Shared.Telemetry;

namespace MassDpo.Shared.Actors;

/// <summary>
/// A class with a mailbox and one thing going on at a time. It does not know where it runs: <see cref="LocalHost"/> runs it in this process. Time,
/// randomness and timers come from its context, never from the system, so that a whole pipeline can run under a seeded scheduler with a fake clock.
/// After an exception the host makes a new one through the same factory and starts that; the message that failed is not given again.
/// </summary>
public abstract class Actor<TMessage>
{
    /// <summary>Runs before the first message, also after each restart.</summary>
    public virtual ValueTask StartAsync(CancellationToken cancellation) => ValueTask.CompletedTask;

    /// <summary>Handles one message; the next waits until this one is done.</summary>
    public abstract ValueTask ReceiveAsync(TMessage message, CancellationToken cancellation);

    /// <summary>Runs once after the last message, before a restart too. It frees what the actor owns and must not throw.</summary>
    public virtual ValueTask StopAsync() => ValueTask.CompletedTask;
}

/// <summary>Where messages to an actor go.</summary>
public interface IActorRef<in TMessage>
{
    string Name { get; }

    /// <summary>Puts a message into the mailbox, waiting while it is full: this is the back-pressure.</summary>
    /// <exception cref="OperationCanceledException">cancelled, or the actor has stopped</exception>
    ValueTask Tell(TMessage message, CancellationToken cancellation = default);

    /// <summary>Puts a message into the mailbox at once, however full it is. For what never comes in numbers: timers, notices, signals. Dropped once the actor has stopped.</summary>
    void Post(TMessage message);
}

/// <summary>What an actor gets from its host.</summary>
public interface IActorContext<TMessage>
{
    /// <summary>This actor's own mailbox.</summary>
    IActorRef<TMessage> Self { get; }

    /// <summary>1 for the first, one more after each restart.</summary>
    int Incarnation { get; }

    TimeProvider Clock { get; }

    /// <summary>What is measured of the host's actors.</summary>
    Instruments Instruments { get; }

    /// <summary>Says what this actor still lacks to do its work, half a sentence for who watches the process; null: nothing. One that never says counts as ready once it has started.</summary>
    void Lacks(string? what);

    /// <summary>Posts a message to this actor after a while. It is dropped when the actor restarts or the timer is disposed before.</summary>
    IDisposable Schedule(TimeSpan due, TMessage message);
}

/// <summary>On which threads an actor runs.</summary>
public enum Dispatch
{
    /// <summary>On the thread pool: for actors that wait.</summary>
    Pool,
    /// <summary>On a thread of its own: for tensor work and anything that blocks.</summary>
    OwnThread,
}

/// <summary>How a host runs an actor.</summary>
public sealed record ActorOptions
{
    /// <summary>Messages that <see cref="IActorRef{TMessage}.Tell"/> lets wait.</summary>
    public int MailboxCapacity { get; init; } = 256;

    public Dispatch Dispatch { get; init; } = Dispatch.Pool;

    /// <summary>Restarts in a row, without a message handled in between, after which the host stops with the reason.</summary>
    public int MaxRestarts { get; init; } = 5;

    /// <summary>Waited before the first restart; doubled for each further one, up to <see cref="MaxBackoff"/>.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>An actor failed more often than it may; the host has stopped.</summary>
public sealed class ActorFailedException(string actor, int failures, Exception inner)
    : Exception($"actor '{actor}' failed {failures} times in a row and is given up: {inner.Message}", inner)
{
    public string Actor { get; } = actor;
}

/// <summary>Thrown by an actor when no restart could help: the host stops at once with this reason.</summary>
public class FatalActorException(string message, Exception? inner = null) : Exception(message, inner);
