using Akka.Actor;

namespace MassDpo.Cluster.Links;

/// <summary>Tells a new hub what the ends of this node have heard of each link. Its state is theirs; it persists nothing.</summary>
internal sealed class KnownKeeper(IReadOnlyDictionary<string, KnownOrder> known) : UntypedActor
{
    /// <summary>Of the actor, on each node.</summary>
    public const string Name = "massdpo-exchange-known";

    private readonly string _node = Akka.Cluster.Cluster.Get(Context.System).SelfAddress.ToString();

    protected override void OnReceive(object message)
    {
        if (message is KnownRequest)
            Sender.Tell(new Known(_node, [.. known.Select(one => one.Value.Of(one.Key))]));
        else
            Unhandled(message);
    }
}
