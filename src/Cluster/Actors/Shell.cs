using System.Diagnostics;
using Akka.Actor;
using Akka.Event;

namespace MassDpo.Cluster.Actors;

/// <summary>
/// The actor of Akka's around one incarnation of an actor. It stashes what comes while the actor pauses and starts. When the actor fails, so does the shell:
/// its supervisor has Akka make another, with the same mailbox, which begins after the pause. An actor that is given up, or whose host stops, ends its shell.
/// It persists nothing.
/// </summary>
/// <param name="cell">what outlives the shell</param>
/// <param name="clock">of the host</param>
/// <param name="stopping">told when the host stops</param>
/// <param name="killed">told when the actor system ends the shell though nobody asked for it</param>
internal sealed class Shell<TMessage>(AkkaCell<TMessage> cell, TimeProvider clock, CancellationToken stopping, Action killed) : UntypedActor, IWithUnboundedStash
{
    private ITimer? _pause;
    private bool _begun;
    private bool _busy;

    public IStash Stash { get; set; } = null!;

    protected override void PreStart() => Self.Tell(Begin.Instance);

    protected override void PreRestart(Exception reason, object message)
    {
        // What PostStop does is for the end of all incarnations.
    }

    protected override void PostRestart(Exception reason)
    {
        if (stopping.IsCancellationRequested)
        {
            Context.Stop(Self);
            return;
        }
        var self = Self;
        _pause = clock.CreateTimer(_ => self.Tell(Begin.Instance, ActorRefs.NoSender), null, cell.Pause, Timeout.InfiniteTimeSpan);
    }

    protected override void PostStop()
    {
        _pause?.Dispose();
        // Before anybody hears why: who knows that it has ended tells it nothing more.
        cell.Admission.Close();
        if (!stopping.IsCancellationRequested)
        {
            // What it was at, if anything, goes no further: Akka runs nothing any more that it waits for, on the thread that alone may end it. Its host has failed: what it held goes with
            // the process.
            if (!_busy)
                _ = cell.Life.StopAsync().AsTask();
            killed();
        }
        cell.End();
    }

    protected override void OnReceive(object message)
    {
        // One that has not begun yet begins all the same, so that it ends as any other; after a failure there is nothing left to end.
        if (message is Begin && (_pause is null || !stopping.IsCancellationRequested))
            Do(BeginAsync);
        else if (stopping.IsCancellationRequested && _begun)
            Do(EndAsync);
        else if (stopping.IsCancellationRequested && _pause is not null)
            Context.Stop(Self);
        else if (!_begun)
            Stash.Stash();
        else if (message is Told<TMessage>(var told))
        {
            cell.Admission.Leave();
            Do(() => cell.Life.ReceiveAsync(told));
        }
        else
            Unhandled(message);
    }

    // Until the step is over the mailbox gives out nothing more, and whatever follows a wait in it runs here again.
    private void Do(Func<ValueTask> step) => RunTask(async () =>
    {
        // What an actor does belongs to none of the activities of whoever made its host or tells it.
        Activity.Current = null;
        _busy = true;
        try
        {
            await step();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await EndAsync();
        }
        catch (Exception e)
        {
            if (await cell.Life.FailAsync(e) is { } pause)
            {
                cell.Pause = pause;
                throw;
            }
            Context.Stop(Self);
        }
        finally
        {
            _busy = false;
        }
    });

    private async ValueTask BeginAsync()
    {
        _pause?.Dispose();
        _pause = null;
        await cell.Life.StartAsync();
        _begun = true;
        stopping.ThrowIfCancellationRequested();
        Stash.UnstashAll();
    }

    private async ValueTask EndAsync()
    {
        await cell.Life.StopAsync();
        Context.Stop(Self);
    }

    /// <summary>The incarnation is to begin.</summary>
    private sealed class Begin : IDeadLetterSuppression
    {
        public static Begin Instance { get; } = new();
    }
}
