using Akka.Actor;
using Akka.Configuration;
using MassDpo.Cluster.Actors;
using MassDpo.Cluster.Links;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>A cluster on the loopback, of two nodes unless a test says otherwise; the first has the hub.</summary>
public sealed class TwoNodes : IAsyncLifetime
{
    private readonly List<ActorSystem> _systems = [];
    private int _links;

    /// <summary>Of the nodes: those of role learner may have the hub, and the oldest has it.</summary>
    public string[] Roles { get; init; } = ["learner", "selector"];

    /// <summary>How often the ends of the last node greet the hub.</summary>
    public string ResendOfLast { get; init; } = "200 ms";

    /// <summary>The nodes' ways to the hub.</summary>
    public List<Exchange> Nodes { get; } = [];

    /// <summary>A name that no other link has.</summary>
    public string NewLink() => $"link-{Interlocked.Increment(ref _links)}";

    public async Task InitializeAsync()
    {
        foreach (var role in Roles)
        {
            var system = ActorSystem.Create("nodes", ConfigurationFactory.ParseString($$"""
                massdpo.links { resend = {{(Nodes.Count == Roles.Length - 1 ? ResendOfLast : "200 ms")}}, largest = 4 MiB }
                akka {
                  # Nodes that end cut each other off, which is told as an error.
                  loglevel = OFF
                  stdout-loglevel = OFF
                  actor.provider = cluster
                  remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0 }
                  cluster {
                    roles = [{{role}}]
                    # A node is lost when a test says so, at once.
                    downing-provider-class = ""
                    gossip-interval = 100 ms
                    leader-actions-interval = 100 ms
                    singleton-proxy.singleton-identification-interval = 100 ms
                  }
                }
                """).WithFallback(AkkaHost.Defaults));
            _systems.Add(system);
            var cluster = Akka.Cluster.Cluster.Get(system);
            await cluster.JoinAsync(Akka.Cluster.Cluster.Get(_systems[0]).SelfAddress);
            Nodes.Add(new Exchange(system, "learner"));
        }
    }

    /// <summary>Cuts the first node off without a word, and has the other one know it for lost.</summary>
    public async Task LoseFirstAsync()
    {
        var address = Akka.Cluster.Cluster.Get(_systems[0]).SelfAddress;
        ((ExtendedActorSystem)_systems[0]).Abort();
        await _systems[0].WhenTerminated;
        Akka.Cluster.Cluster.Get(_systems[1]).Down(address);
    }

    public async Task DisposeAsync()
    {
        foreach (var system in Enumerable.Reverse(_systems))
            await system.Terminate();
    }
}
