using Akka.Actor;
using Akka.Configuration;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging;

namespace MassDpo.Cluster.Actors;

/// <summary>
/// Runs actors inside an actor system: each in a shell with a mailbox, a supervisor and a stash of Akka's. When the system shuts down in order, roles drain first, then the
/// actors end. An actor system that ends them without that is a failure of the host.
/// </summary>
public sealed class AkkaHost : ActorHost
{
    private const string OwnThread = "massdpo.own-thread-dispatcher";
    private static readonly TimeSpan SupervisorEnds = TimeSpan.FromSeconds(10);

    private readonly ActorSystem _system;
    private readonly Akka.Actor.IActorRef _supervisor;

    /// <param name="system">made with <see cref="Defaults"/> beneath its own configuration; it outlives the host</param>
    /// <param name="clock">of all actors</param>
    /// <param name="logger">of their failures</param>
    /// <param name="name">of the actor above them, which no other of the system has</param>
    /// <param name="instruments">of a process that has several hosts, which outlive this one; null: its own</param>
    /// <exception cref="ConfigurationException">the system was made without the defaults</exception>
    public AkkaHost(ActorSystem system, TimeProvider clock, ILogger logger, string name = "massdpo", Instruments? instruments = null) : base(clock, logger, instruments)
    {
        if (!system.Dispatchers.HasDispatcher(OwnThread))
            throw new ConfigurationException($"the actor system '{system.Name}' has no dispatcher '{OwnThread}': make it with its configuration .WithFallback({nameof(AkkaHost)}.{nameof(Defaults)})");
        _system = system;
        _supervisor = system.ActorOf(Props.Create<ShellSupervisor>(), name);
        // Those who wait for a message would not see it.
        Stopping.Register(() => _supervisor.Tell(ShellSupervisor.Wake.Instance, ActorRefs.NoSender));
        BeforeEnd(CoordinatedShutdown.PhaseServiceStop, "massdpo-actors", () => StopAsync().AsTask());
    }

    /// <summary>What a system that runs such hosts must have beneath its own configuration.</summary>
    public static Config Defaults { get; } = ConfigurationFactory.FromResource("MassDpo.Cluster.defaults.conf", typeof(AkkaHost).Assembly);

    /// <inheritdoc/>
    /// <exception cref="InvalidActorNameException">there is one of this name</exception>
    public override IActorRef<TMessage> Spawn<TMessage>(string name, Func<IActorContext<TMessage>, Actor<TMessage>> create, ActorOptions? options = null)
    {
        options ??= new ActorOptions();
        var cell = new AkkaCell<TMessage>(name, options.MailboxCapacity, self => LifeOf(self, create, options));
        var props = Props.Create(() => new Shell<TMessage>(cell, Clock, Stopping, () => Killed(name)));
        if (options.Dispatch == Dispatch.OwnThread)
            props = props.WithDispatcher(OwnThread);
        cell.SendTo(_supervisor.Ask<Akka.Actor.IActorRef>(new ShellSupervisor.Make(props, name)).GetAwaiter().GetResult());
        AwaitAtStop(cell.Ended);
        return cell;
    }

    /// <summary>Has the system, when it shuts down in order, wait for this before the actors end: a role gives back what it holds, or writes a checkpoint.</summary>
    /// <param name="role">in logs</param>
    /// <param name="drain">completes when the role has nothing left to do, or cannot do it; the system waits as long as <c>akka.coordinated-shutdown</c> says</param>
    public void DrainBeforeEnd(string role, Func<Task> drain) => BeforeEnd(CoordinatedShutdown.PhaseServiceRequestsDone, $"massdpo-{role}", drain);

    /// <inheritdoc/>
    public override async ValueTask StopAsync()
    {
        await base.StopAsync();
        await _supervisor.GracefulStop(SupervisorEnds);
    }

    private void BeforeEnd(string phase, string task, Func<Task> act) => CoordinatedShutdown.Get(_system).AddTask(phase, task, async () =>
    {
        await act();
        return Akka.Done.Instance;
    });

    private void Killed(string actor) => Fail(new InvalidOperationException($"the actor system '{_system.Name}' has ended actor '{actor}' without shutting down in order"));
}
