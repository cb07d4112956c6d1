using Akka.Actor;
using Akka.Configuration;
using Akka.Remote;
using Akka.Remote.Transport;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Watching;
using MassDpo.Cluster.Actors;
using MassDpo.Cluster.Nodes;
using MassDpo.LinkKit;
using MassDpo.Learner;
using MassDpo.PipelineKit;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>The nodes of a cluster in this process, over real remoting on the loopback. The first begins the cluster, the others join it.</summary>
/// <param name="stream">what they run on</param>
/// <param name="settings">of the run</param>
internal sealed class TestCluster(SimulatedStream stream, params string[] settings) : IAsyncDisposable
{
    // As quick as it may be without taking a busy machine for a lost node.
    private const string Quick = """
        massdpo.links.resend = 200 ms
        akka {
          loglevel = OFF
          remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0, applied-adapters = [trttl] }
          cluster {
            gossip-interval = 100 ms
            leader-actions-interval = 100 ms
            unreachable-nodes-reaper-interval = 200 ms
            failure-detector { heartbeat-interval = 200 ms, acceptable-heartbeat-pause = 8 s }
            split-brain-resolver { active-strategy = keep-majority, stable-after = 1 s, down-all-when-unstable = off }
            down-removal-margin = 1 s
            singleton-proxy.singleton-identification-interval = 100 ms
            singleton.hand-over-retry-interval = 200 ms
          }
        }
        """;

    private readonly List<TestNode> _nodes = [];
    private readonly List<ClusterNode> _bystanders = [];

    /// <summary>Whether the records come from files; else from the topic of the settings.</summary>
    public bool HasFiles { get; init; } = true;

    /// <summary>Begins a node, and waits until it is up.</summary>
    /// <param name="roles">of the node, with commas between</param>
    /// <param name="output">of a node of role learner</param>
    /// <param name="gate">called with each update on the learner's node; it may block</param>
    /// <param name="akka">settings of Akka's over those of all nodes</param>
    public async Task<TestNode> BeginAsync(string roles, string? output = null, Action<LearnerProgress>? gate = null, string akka = "")
    {
        var effective = EffectiveSettings.Load(null, [], settings, []);
        var config = ConfigOf(effective, $"{akka}\nakka.cluster.roles = [{roles}]");
        var run = new RunRequest(stream.PolicyDirectory, output ?? "", null, EvaluationOptions.From(effective), false, SimulatedStream.Options(settings));
        var first = _nodes.FirstOrDefault(node => !node.Run.IsCompleted);
        var node = new TestNode(new NodeRequest(NodeConfig.RolesOf(config), run, HasFiles ? [stream.Data] : [], KafkaRunOptions.From(effective), new ClusterOptions("nodes", effective.Integer("cluster.checkpoint-copies", 0)), config,
            WatchOptions.From(effective)) { Join = self => first?.Address ?? self }, gate ?? (_ => { }));
        _nodes.Add(node);
        await node.UpAsync();
        return node;
    }

    /// <summary>A member that has no part in the run, and does not leave at its end.</summary>
    public async Task<Akka.Cluster.Cluster> BystanderAsync()
    {
        var node = ClusterNode.Start("nodes", ConfigOf(EffectiveSettings.Load(null, [], settings, []), ""), _ => _nodes[0].Address, NullLogger.Instance);
        _bystanders.Add(node);
        await node.JoinAsync(_ => { }, CancellationToken.None);
        return Akka.Cluster.Cluster.Get(node.System);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Enumerable.Reverse(_nodes))
            await node.EndAsync();
        foreach (var node in _bystanders)
            await node.DisposeAsync();
    }

    private static Config ConfigOf(EffectiveSettings effective, string above) => ConfigurationFactory.ParseString($"{above}\n{Quick}").WithFallback(NodeConfig.Of(effective, "nodes", 0, null, null, []));
}

/// <summary>One of them.</summary>
internal sealed class TestNode
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _up = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ClusterJob _job;

    public TestNode(NodeRequest request, Action<LearnerProgress> gate)
    {
        _job = new ClusterJob(request, NullLogger.Instance);
        Run = Task.Run(() => _job.RunAsync(new NodeEars((progress, _) => gate(progress), _ => { }, Note), _stop.Token));
    }

    /// <summary>Its part in the run.</summary>
    public Task<NodeOutcome> Run { get; }

    /// <summary>What it told whoever reads its terminal.</summary>
    public Inbox<string> Notes { get; } = new();

    public Address Address => _job.Node!.Address;

    public ClusterNode Node => _job.Node!;

    public HostHealth Health => _job.Health;

    public async Task UpAsync() => await await Task.WhenAny(_up.Task, Run);

    /// <summary>Cuts the line to another node, both ways, or mends it.</summary>
    public async Task CutAsync(TestNode other, bool mend = false)
    {
        foreach (var (here, there) in new[] { (this, other), (other, this) })
            Assert.True(await ((RemoteActorRefProvider)((ExtendedActorSystem)here.Node.System).Provider).Transport.ManagementCommand(
                new SetThrottle(there.Address, ThrottleTransportAdapter.Direction.Both, mend ? Unthrottled.Instance : Blackhole.Instance)));
    }

    /// <summary>Asks for an orderly end, and waits for it.</summary>
    public async Task<NodeOutcome> StopAsync()
    {
        await _stop.CancelAsync();
        return await Run;
    }

    /// <summary>Cuts it off without a word, as when its process is killed.</summary>
    public async Task KillAsync()
    {
        ((ExtendedActorSystem)Node.System).Abort();
        await Assert.ThrowsAnyAsync<Exception>(() => Run);
    }

    /// <summary>Waits for something that it tells.</summary>
    public async Task Until(string part)
    {
        while (!(await Notes.Take(1))[0].Contains(part, StringComparison.Ordinal))
        {
        }
    }

    /// <summary>Whatever became of it.</summary>
    public async Task EndAsync()
    {
        await _stop.CancelAsync();
        await Run.ContinueWith(_ => { }, TaskScheduler.Default);
    }

    private void Note(string text)
    {
        Notes.Add(text);
        if (text.Contains("is in the cluster", StringComparison.Ordinal))
            _up.TrySetResult();
    }
}
