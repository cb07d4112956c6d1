using System.Diagnostics;
using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging;

namespace MassDpo.Shared.Actors;

/// <summary>A host whose actors are loops, each of which takes from a mailbox of its own. What differs between such hosts is where the loops run.</summary>
public abstract class LoopHost(TimeProvider clock, ILogger logger, Instruments? instruments = null) : ActorHost(clock, logger, instruments)
{
    public override IActorRef<TMessage> Spawn<TMessage>(string name, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions? options = null)
    {
        options ??= new ActorOptions();
        var cell = new Cell<TMessage>(this, name, create, options);
        AwaitAtStop(Run(name, options.Dispatch, cell.RunAsync));
        return cell;
    }

    /// <summary>Runs an actor's loop where this host runs such loops.</summary>
    protected abstract Task Run(string name, Dispatch dispatch, Func<Task> loop);

    private sealed class Cell<TMessage> : IActorRef<TMessage>
    {
        private readonly LoopHost _host;
        private readonly ActorLife<TMessage> _life;
        private readonly Mailbox<TMessage> _mailbox;

        public Cell(LoopHost host, string name, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions options)
        {
            (_host, Name, _mailbox) = (host, name, new Mailbox<TMessage>(options.MailboxCapacity));
            _life = host.LifeOf(this, create, options);
        }

        public string Name { get; }

        public ValueTask Tell(TMessage message, CancellationToken cancellation = default) => _mailbox.Tell(message, cancellation);

        public void Post(TMessage message) => _mailbox.Post(message);

        public async Task RunAsync()
        {
            var stopping = _host.Stopping;
            // What an actor does belongs to none of the activities that its host was made in.
            Activity.Current = null;
            while (true)
            {
                try
                {
                    await _life.StartAsync();
                    while (true)
                    {
                        stopping.ThrowIfCancellationRequested();
                        await _life.ReceiveAsync(await _mailbox.Take(stopping));
                    }
                }
                catch (OperationCanceledException) when (stopping.IsCancellationRequested)
                {
                    await _life.StopAsync();
                    break;
                }
                catch (Exception e)
                {
                    if (await _life.FailAsync(e) is not { } pause)
                        break;
                    try
                    {
                        await Task.Delay(pause, _host.Clock, stopping);
                    }
                    catch (OperationCanceledException)
                    {
                        break;
                    }
                }
            }
            _mailbox.Close();
        }
    }
}
