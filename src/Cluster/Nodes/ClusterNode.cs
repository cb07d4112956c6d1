using System.Globalization;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Microsoft.Extensions.Logging;

namespace MassDpo.Cluster.Nodes;

/// <summary>A node: its actor system, from the first knock at the cluster to the orderly end.</summary>
internal sealed class ClusterNode : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Akka.Cluster.Cluster _cluster;
    private readonly TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ClusterNode(ActorSystem system)
    {
        System = system;
        _cluster = Akka.Cluster.Cluster.Get(system);
        View = new ClusterView(_cluster);
        _cluster.RegisterOnMemberUp(() => _up.TrySetResult());
    }

    public ActorSystem System { get; }

    public ClusterView View { get; }

    /// <summary>That others reach it at.</summary>
    public Address Address => _cluster.SelfAddress;

    /// <summary>Whether it is up.</summary>
    public bool IsUp => _up.Task.IsCompletedSuccessfully;

    /// <summary>Whether the cluster has put this node out: it is on the side of a partition that does not go on, or was not reached for too long.</summary>
    public bool IsRemoved => CoordinatedShutdown.Get(System).ShutdownReason is CoordinatedShutdown.ClusterDowningReason;

    /// <summary>Completes when the actor system has ended, whoever ended it.</summary>
    public Task Ended => System.WhenTerminated;

    /// <summary>Makes the actor system, which begins to knock at its seed nodes.</summary>
    /// <param name="name">of the actor system, the same on all nodes</param>
    /// <param name="config">see <see cref="NodeConfig"/></param>
    /// <param name="join">whom it joins instead of its seed nodes, given its own address; null: the seed nodes</param>
    /// <param name="logger">of warnings and errors</param>
    /// <exception cref="IOException">it cannot listen where it is told to</exception>
    /// <exception cref="InvalidDataException">its settings are no good</exception>
    public static ClusterNode Start(string name, Config config, Func<Address, Address>? join, ILogger logger)
    {
        const string tcp = "akka.remote.dot-netty.tcp";
        if (join is null && config.GetStringList("akka.cluster.seed-nodes", []).Count == 0)
            throw new InvalidDataException("akka.cluster.seed-nodes is empty: name the nodes by which this one joins, akka.tcp://NAME@HOST:PORT each, or give --join HOST:PORT; the first of them begins the cluster");
        // Who is told whom to join must not knock elsewhere besides.
        if (join is not null)
            config = ConfigurationFactory.ParseString("akka.cluster.seed-nodes = []").WithFallback(config);
        try
        {
            var node = new ClusterNode(ActorSystem.Create(name, ActorSystemSetup.Empty.And(BootstrapSetup.Create().WithConfig(config)).And(new LoggerSetup(logger))));
            if (join is not null)
                node._cluster.Join(join(node.Address));
            return node;
        }
        catch (Exception e) when (Innermost(e) is global::System.Net.Sockets.SocketException socket)
        {
            throw new IOException($"{tcp}: nothing can listen at {config.GetString($"{tcp}.hostname")}:{config.GetString($"{tcp}.port")} ({socket.Message}): give another --hostname and --port; port 0 is any that is free", e);
        }
        catch (Exception e) when (Innermost(e) is ConfigurationException or FormatException)
        {
            throw new InvalidDataException($"the block akka of the settings is no good: {Innermost(e).Message}", e);
        }

        static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
    }

    /// <summary>Waits until the cluster has taken it in.</summary>
    /// <param name="note">told now and then that it still waits</param>
    /// <param name="stop">ends the wait</param>
    /// <exception cref="IOException">the actor system has ended</exception>
    public async Task JoinAsync(Action<string> note, CancellationToken stop)
    {
        while (await Task.WhenAny(_up.Task, Ended, Task.Delay(Patience, stop)) is var first && first != _up.Task)
        {
            stop.ThrowIfCancellationRequested();
            if (first == Ended)
                throw new IOException("the actor system ended before the cluster had taken this node in");
            note(string.Create(CultureInfo.InvariantCulture, $"{Address} waits to be taken into the cluster: it knocks at {string.Join(", ", _cluster.Settings.SeedNodes)} and sees {_cluster.State.Members.Count} nodes"));
        }
    }

    /// <summary>Tells of nodes that come, go, and cannot be reached, from now on.</summary>
    public void TellOfMembers(Action<string> note) => System.ActorOf(Props.Create(() => new MemberNotes(note)), "massdpo-members");

    /// <summary>Has a task done before the actors end, whatever ends this node.</summary>
    public void BeforeEnd(string name, Func<Task> act) => CoordinatedShutdown.Get(System).AddTask(CoordinatedShutdown.PhaseServiceRequestsDone, name, async () =>
    {
        await act();
        return Akka.Done.Instance;
    });

    /// <summary>Ends in order: roles drain, actors end, singletons move, the node leaves.</summary>
    public async Task LeaveAsync()
    {
        await CoordinatedShutdown.Get(System).Run(CoordinatedShutdown.ClrExitReason.Instance);
        await Ended;
    }

    /// <summary>Waits until the others have left; not for ever.</summary>
    public async Task AwaitOthersAsync(TimeSpan atMost)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!View.IsAlone && TimeProvider.System.GetElapsedTime(began) < atMost && !Ended.IsCompleted)
            await Task.Delay(TimeSpan.FromMilliseconds(50));
    }

    public async ValueTask DisposeAsync() => await LeaveAsync();
}
