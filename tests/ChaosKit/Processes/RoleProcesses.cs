using System.Globalization;
using MassDpo.Kafka.Client;

namespace MassDpo.ChaosKit.Processes;

/// <summary>What a run over Kafka is made of.</summary>
/// <param name="Folder">that holds the policy and the data, and gets the learner's output</param>
/// <param name="Partitions">of the input</param>
/// <param name="Batch">records per update</param>
/// <param name="Staleness">slots.max-staleness</param>
/// <param name="Settings">others, for all processes</param>
public sealed record RoleRun(string Folder, int Partitions, int Batch, int Staleness, params string[] Settings)
{
    public const string Topic = "records";

    /// <summary>Partitions of the topic of events: the mock cluster keeps 5 MiB of each, and all events are looked at in the end.</summary>
    public int EventPartitions { get; init; } = 4;

    public string Policy => Path.Combine(Folder, "start");

    public string Data => Path.Combine(Folder, "data.jsonl");

    /// <summary>What the learner writes.</summary>
    public string Output { get; init; } = Path.Combine(Folder, "out");
}

/// <summary>A broker, and the roles of a run over it, each a process of its own that can be made to die or stand still at a moment.</summary>
public sealed class RoleProcesses : IDisposable
{
    private readonly RoleRun _run;
    private readonly List<Victim> _all = [];
    private readonly string[] _words;

    private RoleProcesses(RoleRun run, Victim broker, KafkaOptions kafka)
    {
        (_run, Broker, Kafka) = (run, broker, kafka);
        string[] settings =
        [
            .. ToBroker, $"learner.batch={run.Batch}", $"slots.max-staleness={run.Staleness}", "learner.beta=0.5", "learner.learning-rate=2e-2", "runtime.progress=1h", .. run.Settings,
        ];
        _words = ["--topic", RoleRun.Topic, .. Words(settings)];
    }

    public Victim Broker { get; }

    /// <summary>How to reach the broker.</summary>
    public KafkaOptions Kafka { get; }

    /// <summary>Starts the broker, with the topics that must not come into being by themselves.</summary>
    public static async Task<RoleProcesses> StartAsync(RoleRun run)
    {
        var broker = Victim.Broker($"{RoleRun.Topic}:{run.Partitions}", string.Create(CultureInfo.InvariantCulture, $"massdpo.events:{run.EventPartitions}"));
        var bootstrap = await broker.NextLineAsync() ?? throw new InvalidOperationException((await broker.EndAsync()).ToString());
        var processes = new RoleProcesses(run, broker, new KafkaOptions(bootstrap, []));
        processes._all.Add(broker);
        return processes;
    }

    /// <summary>Processes over the same broker that are set otherwise.</summary>
    public RoleProcesses With(params string[] settings) => new(_run with { Settings = [.. _run.Settings, .. settings] }, Broker, Kafka);

    public Victim Learner(Deed deed = Deed.Kill, Moment? moment = null, string? output = null, params string[] more) =>
        Start("learner", deed, moment, ["--policy", _run.Policy, "--output", output ?? _run.Output, .. more]);

    public Victim Selector(Deed deed = Deed.Kill, Moment? moment = null) => Start("selector", deed, moment, ["--policy", _run.Policy]);

    public Victim Ingest(Deed deed = Deed.Kill, Moment? moment = null) => Start("ingest", deed, moment, ["--data", _run.Data]);

    /// <summary>Gives the broker an order, and waits until it has done it.</summary>
    public async Task OrderAsync(string order)
    {
        Broker.Say(order);
        if (await Broker.NextLineAsync() is { } line && line != order)
            throw new InvalidOperationException($"the broker was told '{order}' and answered '{line}'");
    }

    /// <summary>Replays a run with the program itself.</summary>
    /// <exception cref="InvalidDataException">it does not come to the same bits</exception>
    public async Task ReplayAsync(string output)
    {
        var ended = await Victim.RunAsync(["replay", output, "--output", output + "-replayed", .. Words(ToBroker)]);
        if (ended.ExitCode != 0 || !ended.Out.Contains("bit for bit", StringComparison.Ordinal))
            throw new InvalidDataException($"replay: {ended}");
    }

    /// <exception cref="InvalidDataException">one of these did not end by itself with exit code 0</exception>
    public static async Task EndAsync(params Victim[] processes)
    {
        foreach (var process in processes)
            if (await process.EndAsync() is { ExitCode: not 0 } ended)
                throw new InvalidDataException(ended.ToString());
    }

    /// <summary>Kills whoever is left, the broker last.</summary>
    public void Dispose()
    {
        foreach (var process in Enumerable.Reverse(_all))
            process.Dispose();
    }

    // The mock cluster answers a fetch of nothing only when its time is over, and never shares out a group with less than 3 s.
    private string[] ToBroker => [$"kafka.bootstrap=\"{Kafka.Bootstrap}\"", "kafka.client.fetch.wait.max.ms=10", "kafka.client.session.timeout.ms=3000", "kafka.client.heartbeat.interval.ms=100"];

    private static IEnumerable<string> Words(IEnumerable<string> settings) => settings.SelectMany(setting => (string[])["--set", setting]);

    private Victim Start(string role, Deed deed, Moment? moment, string[] words)
    {
        var process = Victim.Start(deed, moment ?? Moment.Never, ["run", "--roles", role, .. words, .. _words]);
        _all.Add(process);
        return process;
    }
}
