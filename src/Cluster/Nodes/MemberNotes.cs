using Akka.Actor;
using Akka.Cluster;

namespace MassDpo.Cluster.Nodes;

/// <summary>Tells who reads the terminal which nodes come, go, and cannot be reached. It has no other state.</summary>
/// <param name="note">gets a sentence each</param>
internal sealed class MemberNotes(Action<string> note) : UntypedActor
{
    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);

    protected override void PreStart() =>
        _cluster.Subscribe(Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));

    protected override void PostStop() => _cluster.Unsubscribe(Self);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ClusterEvent.MemberUp up when up.Member.Address != _cluster.SelfAddress:
                Tell(up.Member, $"is there, with {string.Join(", ", up.Member.Roles.Order(StringComparer.Ordinal))}");
                break;
            case ClusterEvent.MemberRemoved removed when removed.Member.Address != _cluster.SelfAddress:
                Tell(removed.Member, removed.PreviousStatus == MemberStatus.Down ? "was put out" : "has left");
                break;
            case ClusterEvent.UnreachableMember lost:
                Tell(lost.Member, "cannot be reached");
                break;
            case ClusterEvent.ReachableMember back:
                Tell(back.Member, "can be reached again");
                break;
        }
    }

    private void Tell(Member member, string what) => note($"{member.Address} {what}: {_cluster.State.Members.Count(other => other.Status == MemberStatus.Up)} nodes are up");
}
