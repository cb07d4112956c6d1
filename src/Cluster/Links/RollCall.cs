using Akka.Actor;
using Akka.Cluster;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Asks each node of the cluster, for a new hub, what it has heard of the hubs before: tells its parent what each says, then that it has heard all. Whoever is in the cluster when the hub
/// begins is waited for until it answers, is unreachable, or has left. A node that has no exchange yet has heard nothing, nor has one that joins later. It persists nothing.
/// </summary>
internal sealed class RollCall : UntypedActor, IWithTimers
{
    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);
    private readonly HashSet<Address> _nodes = [];
    private readonly HashSet<Address> _awaited = [];

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot, typeof(ClusterEvent.IReachabilityEvent), typeof(ClusterEvent.MemberDowned),
            typeof(ClusterEvent.MemberRemoved));
        Timers.StartPeriodicTimer(nameof(Again), Again.Instance, Exchange.ResendOf(Context.System));
    }

    protected override void PostStop() => _cluster.Unsubscribe(Self);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ClusterEvent.CurrentClusterState state:
                _nodes.UnionWith(state.Members.Where(member => member.Status is not (MemberStatus.Down or MemberStatus.Removed)).Select(member => member.Address));
                _awaited.UnionWith(_nodes);
                _awaited.ExceptWith(state.Unreachable.Select(member => member.Address));
                AskAll();
                break;
            case ClusterEvent.ReachableMember back:
                // Whoever has answered says the same again.
                if (_nodes.Contains(back.Member.Address) && _awaited.Add(back.Member.Address))
                    Ask(back.Member.Address);
                break;
            case ClusterEvent.UnreachableMember lost:
                Spare(lost.Member.Address);
                break;
            case ClusterEvent.MemberDowned down:
                Leave(down.Member.Address);
                break;
            case ClusterEvent.MemberRemoved removed:
                Leave(removed.Member.Address);
                break;
            case ActorIdentity { Subject: null, MessageId: string node }:
                Spare(Address.Parse(node));
                break;
            case ActorIdentity identity:
                identity.Subject.Tell(new KnownRequest());
                break;
            case Known known:
                Context.Parent.Tell(known);
                Spare(Address.Parse(known.Node));
                break;
            case Again:
                AskAll();
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private void AskAll()
    {
        foreach (var node in _awaited)
            Ask(node);
    }

    // Of a node that has no such actor that is the answer.
    private void Ask(Address node) => Context.ActorSelection(new RootActorPath(node) / "user" / KnownKeeper.Name).Tell(new Identify(node.ToString()));

    private void Leave(Address node)
    {
        _nodes.Remove(node);
        Spare(node);
    }

    private void Spare(Address node)
    {
        if (!_awaited.Remove(node) || _awaited.Count > 0)
            return;
        Context.Parent.Tell(Complete.Instance);
        Context.Stop(Self);
    }

    /// <summary>All have been heard that had to be.</summary>
    public sealed class Complete
    {
        public static Complete Instance { get; } = new();
    }

    private sealed class Again
    {
        public static Again Instance { get; } = new();
    }
}
