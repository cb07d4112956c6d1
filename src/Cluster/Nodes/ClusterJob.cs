using Akka.Configuration;
using MassDpo.App.Running;
using MassDpo.App.Watching;
using MassDpo.Cluster.Actors;
using MassDpo.Cluster.Checkpoints;
using MassDpo.Cluster.Links;
using MassDpo.Ingest.Sources;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Sinks;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy.Model;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;
using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging;
using static TorchSharp.torch;

namespace MassDpo.Cluster.Nodes;

/// <summary>What a node is given.</summary>
/// <param name="Roles">that it has</param>
/// <param name="Run">what is run: policy, output (of role learner), settings</param>
/// <param name="Data">files of records, the same on all nodes that read them or train on them; none: they come from the topic</param>
/// <param name="Kafka">where records come from without files, and where outcomes go</param>
/// <param name="Cluster">of the cluster</param>
/// <param name="Akka">of the actor system</param>
/// <param name="Watch">how it lets itself be watched</param>
internal sealed record NodeRequest(Roles Roles, RunRequest Run, IReadOnlyList<string> Data, KafkaRunOptions Kafka, ClusterOptions Cluster, Config Akka, WatchOptions Watch)
{
    /// <summary>What the output directory is written through.</summary>
    public IFiles Files { get; init; } = PhysicalFiles.Instance;

    /// <summary>Whom it joins instead of its seed nodes, given its own address; the same: it begins the cluster. Null: the seed nodes of its settings.</summary>
    public Func<Akka.Actor.Address, Akka.Actor.Address>? Join { get; init; }

    /// <summary>Of the links of the run.</summary>
    public string Link => "run";
}

/// <summary>Whom a node tells what goes on.</summary>
/// <param name="Progress">of every update, on the learner's node</param>
/// <param name="Tap">of every selection that was applied, on the learner's node</param>
/// <param name="Note">sentences for who reads the terminal</param>
internal sealed record NodeEars(Action<LearnerProgress, long?> Progress, Action<SelectionEvent> Tap, Action<string> Note);

/// <summary>How a node's part in the run ended.</summary>
/// <param name="InputEnded">whether the learner has had all that there is; else this node was asked to stop, and others go on</param>
/// <param name="Result">of the learner, where this node had it</param>
internal sealed record NodeOutcome(bool InputEnded, RunResult? Result);

/// <summary>
/// A node from beginning to end. Selectors, and intakes of a topic, run on every node of their role; the learner, and the intake of files, on the oldest node of theirs alone, and
/// on the next one when that goes. It ends when the input has, when it is asked to, when one of its parts fails, or when the cluster puts it out.
/// </summary>
internal sealed class ClusterJob(NodeRequest request, ILogger logger)
{
    // Until the others have heard of the end from the node that has the hub; those who have not find the run at its end.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan UntilUnlocked = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _inputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Exception> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly List<Task> _parts = [];
    private readonly List<AkkaHost> _hosts = [];
    private ClusterNode? _node;
    private RunResult? _result;
    // What the records are: a resume on others is refused.
    private string _data = "";
    private int _made;

    private RunOptions Options => request.Run.Options;

    /// <summary>How the node stands.</summary>
    public HostHealth Health
    {
        get
        {
            var node = Volatile.Read(ref _node);
            var cluster = new HostHealth(_failure.Task.IsCompleted ? _failure.Task.Result : null, true,
                node?.IsUp == true ? new Dictionary<string, string>() : new Dictionary<string, string> { ["cluster"] = "it has not taken this node in" });
            lock (_lock)
                return HostHealth.Of(_hosts.Select(host => host.Health).Prepend(cluster));
        }
    }

    /// <summary>The node, once its actor system is there.</summary>
    public ClusterNode? Node => Volatile.Read(ref _node);

    /// <summary>Runs until the input has ended or <paramref name="stop"/> asks for an orderly end.</summary>
    /// <param name="ears">told what goes on</param>
    /// <param name="stop">see above</param>
    /// <exception cref="InvalidDataException">the learner's run is set to something else, or its policy is another</exception>
    /// <exception cref="IOException">the cluster has put this node out, or it cannot listen</exception>
    public async Task<NodeOutcome> RunAsync(NodeEars ears, CancellationToken stop)
    {
        using var instruments = new Instruments(TimeProvider.System);
        set_num_threads(Options.Threads);
        var loaded = LoadedPolicy.Load(request.Run.Policy, Options.Policy);
        // Who only reads records needs to know which policy it is, and how it reads.
        using var held = request.Roles == Roles.Ingest ? null : loaded;
        Options.CheckFeatures(loaded.Weights.Lora is not null);
        await EnsureTopicsAsync(stop);
        _data = await IdentifyAsync();
        var (policy, format) = (MemberPolicy.Of(loaded), new PolicySnapshotFormat(loaded.Weights));
        if (held is null)
            loaded.Dispose();
        await using var node = ClusterNode.Start(request.Cluster.Name, request.Akka, request.Join, logger);
        Volatile.Write(ref _node, node);
        instruments.ObserveMembers(node.View.Counts);
        await using var watch = await ProcessWatch.StartAsync(request.Watch, new Watched(() => Health, instruments.Meter) { Cluster = node.View.ToJson }, logger);
        await node.JoinAsync(ears.Note, stop);
        node.TellOfMembers(ears.Note);
        ears.Note($"{node.Address} is in the cluster: {string.Join(", ", node.View.Counts().Select(state => $"{state.Value} nodes {state.Key}"))}");
        var exchange = new Exchange(node.System, "learner");
        using var links = new PipelineLinks(new AkkaControlLink(exchange, request.Link), new AkkaPoolsLink(exchange, request.Link), new AkkaSelectionsLink(exchange, request.Link),
            new AkkaSnapshotsLink(exchange, request.Link, format, note => logger.LogWarning("{Note}", note), reason => _failure.TrySetResult(reason)));
        var name = $"{node.Address.Host}:{node.Address.Port}-{Guid.NewGuid().ToString("N")[..4]}/";
        using var member = links.Control.Join(name + "node", notice =>
        {
            if (notice is LearnerStopped { InputEnded: true })
                _inputEnded.TrySetResult();
        });
        await using var copies = request.Roles.HasFlag(Roles.Learner) && request.Cluster.CheckpointCopies > 0
            ? new CheckpointCopies(node.System, "learner", request.Run.Output, request.Files, request.Cluster.CheckpointCopies, ears.Note)
            : null;
        node.BeforeEnd("massdpo-roles", EndPartsAsync);
        Begin(links, copies, policy, name, ears, instruments);
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stop.Register(() => asked.TrySetResult()))
            await Task.WhenAny(_inputEnded.Task, _failure.Task, asked.Task, node.Ended);
        var inputEnded = _inputEnded.Task.IsCompleted;
        var isOver = false;
        if (inputEnded)
        {
            // The learner still measures, and writes its report.
            await Task.WhenAny(Parts(), _failure.Task);
            isOver = !_failure.Task.IsCompleted;
            if (_result is not null)
            {
                if (!node.View.IsAlone)
                    ears.Note($"{node.Address} has brought the run to its end, and waits until the others have left");
                await node.AwaitOthersAsync(Farewell);
            }
        }
        var removed = node.IsRemoved;
        await node.LeaveAsync();
        await Parts();
        // A resolver that has still to put out one that died counts who leaves as lost, and may put out all: who had done its part has lost nothing.
        if ((removed || node.IsRemoved) && !isOver)
            throw new IOException($"the cluster has put {node.Address} out: it was not reached for too long, or is on the side of a partition that does not go on. What it held others do again; start it anew to join them");
        if (_failure.Task.IsCompleted)
            throw _failure.Task.Result;
        return new NodeOutcome(inputEnded || _result is { Outcome.Stopped: false }, _result);
    }

    private void Begin(PipelineLinks links, CheckpointCopies? copies, MemberPolicy policy, string name, NodeEars ears, Instruments instruments)
    {
        if (request.Roles.HasFlag(Roles.Selector))
            Add(new MemberJob(Options, logger).RunAsync(NewHost("selectors", instruments), policy, new RunWiring(links, null, _data) { Process = name }, ears.Note, _stop.Token));
        if (request.Roles.HasFlag(Roles.Ingest))
        {
            // Files have one reader; a topic is shared by all its readers.
            if (request.Data.Count > 0)
                SingletonTask.Begin(_node!.System, "massdpo-ingest", "ingest", Guarded(stop => TakeInAsync(links, policy, name, ears, instruments, stop)));
            else
                Add(TakeInAsync(links, policy, name, ears, instruments, _stop.Token));
        }
        if (request.Roles.HasFlag(Roles.Learner))
            SingletonTask.Begin(_node!.System, "massdpo-learner", "learner", Guarded(stop => LearnAsync(links, copies, policy.Loaded!, ears, instruments, stop)));
    }

    private async Task TakeInAsync(PipelineLinks links, MemberPolicy policy, string name, NodeEars ears, Instruments instruments, CancellationToken stop)
    {
        var number = Interlocked.Increment(ref _made);
        var source = request.Data.Count > 0
            ? new FileSource([.. request.Data], Options.Files)
            : await KafkaSource.OpenAsync(request.Kafka.Kafka, request.Kafka.Source with { Warn = note => logger.LogWarning("{Note}", note) }, TimeProvider.System, stop) as Shared.Sources.IRecordSource;
        await using var wiring = new RunWiring(links, source, _data)
        {
            Process = $"{name}intake-{number}/",
            TakesOver = true,
            GiveBack = source is KafkaSource topic ? topic.CloseAsync : null,
            Attach = host =>
            {
                if (source is KafkaSource read)
                    _ = host.Instruments.ObserveInputLag(() => read.Lag.Select(part => KeyValuePair.Create($"{read.Name}/{part.Key}", part.Value)));
            },
        };
        ears.Note($"{_node!.Address} reads the records");
        await new MemberJob(Options, logger).RunAsync(NewHost($"intake-{number}", instruments), policy with { Loaded = null }, wiring, _ => { }, stop);
    }

    private async Task LearnAsync(PipelineLinks links, CheckpointCopies? copies, LoadedPolicy policy, NodeEars ears, Instruments instruments, CancellationToken stop)
    {
        ears.Note($"{_node!.Address} has the learner");
        await using var prepared = copies is null ? null : await copies.PrepareAsync(links.Control, stop);
        if (prepared is not null)
            links = links with { Control = prepared.Control };
        var waits = false;
        while (true)
        {
            try
            {
                var job = new RunJob(request.Run, logger, request.Files) { Policy = policy, Cluster = _node.View.ToJson, NewHost = () => NewHost($"learner-{Interlocked.Increment(ref _made)}", instruments) };
                _result = await job.RunAsync(_ => Task.FromResult(new RunWiring(links, null, _data)
                {
                    Files = request.Data.Count > 0 ? request.Data : null,
                    Topic = request.Data.Count > 0 ? null : request.Kafka.Topics.Input.Name,
                    NewOutcomes = request.Kafka.IsSet ? () => new TopicOutcomes(request.Kafka.Kafka, request.Kafka.Topics) : () => NoOutcomes.Instance,
                }), ears.Progress, ears.Tap, stop);
                return;
            }
            catch (DirectoryInUseException e)
            {
                // On a directory that nodes share the learner before this one may be about to end.
                if (!waits)
                    ears.Note($"{e.Message}. Waiting for that");
                waits = true;
                await Task.Delay(UntilUnlocked, stop);
            }
        }
    }

    // What runs on one node alone begins when its turn comes, and ends when the node does.
    private Func<CancellationToken, Task> Guarded(Func<CancellationToken, Task> run) => async leaving =>
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(leaving, _stop.Token);
        var part = run(both.Token);
        Add(part);
        await part.ContinueWith(_ => { }, TaskScheduler.Default);
    };

    private void Add(Task part)
    {
        lock (_lock)
            _parts.Add(part);
        _ = part.ContinueWith(failed =>
        {
            if (failed.Exception?.InnerException is { } reason)
                _failure.TrySetResult(reason);
        }, TaskScheduler.Default);
    }

    private AkkaHost NewHost(string name, Instruments instruments)
    {
        var host = new AkkaHost(_node!.System, TimeProvider.System, logger, $"massdpo-{name}", instruments);
        lock (_lock)
            _hosts.Add(host);
        return host;
    }

    private async Task EndPartsAsync()
    {
        // Who was put out has nothing to give back: others have it already.
        if (_node!.IsRemoved)
            lock (_lock)
                foreach (var host in _hosts)
                    host.Fail(new IOException("the cluster has put this node out"));
        await _stop.CancelAsync();
        await Parts();
    }

    // Until all have ended, however they do; others may begin meanwhile.
    private async Task Parts()
    {
        while (true)
        {
            Task[] going;
            lock (_lock)
                going = [.. _parts.Where(part => !part.IsCompleted)];
            if (going.Length == 0)
                return;
            await Task.WhenAll(going.Select(part => part.ContinueWith(_ => { }, TaskScheduler.Default)));
        }
    }

    private async Task<string> IdentifyAsync()
    {
        if (request.Data.Count == 0)
            return KafkaSource.IdentityOf(request.Kafka.Topics.Input.Name);
        await using var files = new FileSource([.. request.Data], Options.Files);
        return files.Identity;
    }

    private async Task EnsureTopicsAsync(CancellationToken stop)
    {
        // Between nodes nothing goes over topics: their learner and who reads the records use those that one process would.
        var roles = request.Roles & (request.Data.Count == 0 ? Roles.Learner | Roles.Ingest : Roles.Learner);
        if (request.Kafka.IsSet && roles != 0)
            await KafkaWiring.EnsureTopicsAsync(request.Kafka, roles, logger, stop, isAlone: true);
    }
}
