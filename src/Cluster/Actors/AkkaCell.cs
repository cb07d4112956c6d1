using MassDpo.Shared.Actors;

namespace MassDpo.Cluster.Actors;

/// <summary>What of an actor outlives its shells: where messages to it go, its life, and the pause before its next incarnation.</summary>
internal sealed class AkkaCell<TMessage> : IActorRef<TMessage>
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Akka.Actor.IActorRef? _shell;

    /// <param name="name">of the actor</param>
    /// <param name="mailboxCapacity">messages that telling lets wait</param>
    /// <param name="live">makes the life of the actor whose messages go here</param>
    public AkkaCell(string name, int mailboxCapacity, Func<IActorRef<TMessage>, ActorLife<TMessage>> live)
    {
        (Name, Admission) = (name, new Admission(mailboxCapacity));
        Life = live(this);
    }

    public string Name { get; }

    public Admission Admission { get; }

    public ActorLife<TMessage> Life { get; }

    /// <summary>Before the next incarnation begins.</summary>
    public TimeSpan Pause { get; set; }

    /// <summary>Completes when the last shell has ended.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Where messages go; told once, before anybody has this cell.</summary>
    public void SendTo(Akka.Actor.IActorRef shell) => _shell = shell;

    public async ValueTask Tell(TMessage message, CancellationToken cancellation = default)
    {
        await Admission.EnterAsync(cancellation);
        Send(message);
    }

    public void Post(TMessage message)
    {
        if (Admission.TryForce())
            Send(message);
    }

    /// <summary>Nothing more is taken.</summary>
    public void End()
    {
        Admission.Close();
        _ended.TrySetResult();
    }

    private void Send(TMessage message) => _shell!.Tell(new Told<TMessage>(message), Akka.Actor.ActorRefs.NoSender);
}

/// <summary>A message to the actor inside a shell.</summary>
internal sealed record Told<TMessage>(TMessage Message);
