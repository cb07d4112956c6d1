using Akka.Actor;
using Akka.Event;

namespace MassDpo.Cluster.Actors;

/// <summary>The parent of a host's shells: it makes them, and has Akka make one anew that failed. How often and how soon, the life inside the shell decides. It has no other state.</summary>
internal sealed class ShellSupervisor : UntypedActor
{
    protected override SupervisorStrategy SupervisorStrategy() =>
        // The host logs each failure. One that somebody has Akka kill has not failed: it would begin again beside itself.
        new OneForOneStrategy(maxNrOfRetries: -1, withinTimeMilliseconds: -1, localOnlyDecider: e => e is ActorKilledException ? Directive.Stop : Directive.Restart, loggingEnabled: false);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Make make:
                try
                {
                    Sender.Tell(Context.ActorOf(make.Props, Uri.EscapeDataString(make.Name)));
                }
                catch (Exception e)
                {
                    Sender.Tell(new Status.Failure(e));
                }
                break;
            case Wake:
                foreach (var shell in Context.GetChildren())
                    shell.Tell(message);
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    /// <summary>Asks for a shell; the answer is where it is.</summary>
    public sealed record Make(Props Props, string Name);

    /// <summary>To each shell: the host stops, see to it.</summary>
    public sealed class Wake : IDeadLetterSuppression
    {
        public static Wake Instance { get; } = new();
    }
}
