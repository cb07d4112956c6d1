using Akka.Actor;
using Akka.Cluster.Tools.Singleton;

namespace MassDpo.Cluster.Nodes;

/// <summary>
/// Runs something on one node of the cluster at a time, the oldest with a role. When the node leaves, what runs is asked to stop, and the next node begins once it has ended.
/// What has ended by itself, or failed, is not begun again: whoever gave it sees to that.
/// </summary>
internal sealed class SingletonTask : UntypedActor
{
    private readonly Func<CancellationToken, Task> _run;
    private readonly CancellationTokenSource _stop = new();
    private bool _ended;
    private bool _leaving;

    public SingletonTask(Func<CancellationToken, Task> run) => _run = run;

    /// <summary>Has the nodes with a role run something, one at a time; each gives its own.</summary>
    /// <param name="system">a node</param>
    /// <param name="name">the same on all</param>
    /// <param name="role">that this node has</param>
    /// <param name="run">must not throw; ends when it is cancelled</param>
    public static void Begin(ActorSystem system, string name, string role, Func<CancellationToken, Task> run) => system.ActorOf(
        ClusterSingletonManager.Props(Props.Create(() => new SingletonTask(run)), Leave.Instance, ClusterSingletonManagerSettings.Create(system).WithRole(role)), name);

    protected override void PreStart() => _run(_stop.Token).ContinueWith(_ => Ended.Instance, TaskScheduler.Default).PipeTo(Self);

    protected override void PostStop() => _stop.Cancel();

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Leave:
                _leaving = true;
                _stop.Cancel();
                break;
            case Ended:
                _ended = true;
                break;
            default:
                Unhandled(message);
                break;
        }
        if (_ended && _leaving)
            Context.Stop(Self);
    }

    /// <summary>The node leaves.</summary>
    private sealed class Leave
    {
        public static Leave Instance { get; } = new();
    }

    private sealed class Ended
    {
        public static Ended Instance { get; } = new();
    }
}
