using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Cluster.Tools.Singleton;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Where the links of a run meet: one hub in the cluster, on the oldest of the nodes with a role, and the way to it from each node. When that node goes another takes its place,
/// and the ends go on there.
/// </summary>
public sealed class Exchange
{
    private const string Hub = "massdpo-exchange";

    private readonly ActorSystem _system;
    private readonly IActorRef _hub;
    private readonly ConcurrentDictionary<string, KnownOrder> _known = new(StringComparer.Ordinal);

    /// <param name="system">a node of a cluster; once for each</param>
    /// <param name="role">of the nodes that may have the hub</param>
    public Exchange(ActorSystem system, string role)
    {
        _system = system;
        system.ActorOf(Props.Create(() => new KnownKeeper(_known)), KnownKeeper.Name);
        if (Akka.Cluster.Cluster.Get(system).SelfRoles.Contains(role))
            system.ActorOf(ClusterSingletonManager.Props(Props.Create(() => new ExchangeHub(Props.Create<RollCall>())), ClusterSingletonManagerSettings.Create(system).WithRole(role)), Hub);
        _hub = system.ActorOf(ClusterSingletonProxy.Props($"/user/{Hub}", ClusterSingletonProxySettings.Create(system).WithRole(role)), Hub + "-proxy");
    }

    /// <summary>The node that this is the way from.</summary>
    internal ActorSystem System => _system;

    /// <summary>An end of a link of this name.</summary>
    internal IActorRef Open(string link)
    {
        var end = $"{Akka.Cluster.Cluster.Get(_system).SelfAddress}/{Guid.NewGuid():N}";
        return _system.ActorOf(Props.Create(() => new ExchangeEnd(_hub, link, end)));
    }

    /// <summary>What the ends of a link on this node have heard.</summary>
    internal KnownOrder KnownOf(string link) => _known.GetOrAdd(link, _ => new KnownOrder());

    /// <summary>Makes a call through an end, and waits until it is done.</summary>
    internal static async ValueTask SendAsync(IActorRef end, Operation operation, object content, CancellationToken cancellation)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        end.Tell(new ExchangeEnd.Send(operation, content, done), ActorRefs.NoSender);
        using var _ = cancellation.Register(() => done.TrySetCanceled(cancellation));
        await done.Task;
    }

    /// <summary>Closes an end after what it was given to send.</summary>
    internal void Close(IActorRef end) => end.Tell(PoisonPill.Instance, ActorRefs.NoSender);

    internal static TimeSpan ResendOf(ActorSystem system) => system.Settings.Config.GetTimeSpan("massdpo.links.resend", null, allowInfinite: false);
}
