using MassDpo.Audit.Logs;

namespace MassDpo.Kafka.Bench;

/// <summary>What all processes of a run are given.</summary>
/// <param name="Data">file of records</param>
/// <param name="HeldOut">file to measure on</param>
/// <param name="Policy">directory to start from</param>
/// <param name="Config">file of settings</param>
/// <param name="Passes">over the data</param>
/// <param name="Staleness">slots.max-staleness</param>
internal sealed record RunInput(string Data, string HeldOut, string Policy, string Config, int Passes, int Staleness)
{
    /// <summary>What runs with and without Kafka have in common.</summary>
    public string[] Settings(int seed) => ["--config", Config, "--seed", $"{seed}", "--max-staleness", $"{Staleness}", "--set", "runtime.progress=1h"];
}

/// <summary>A run whose roles are processes of their own, joined by `massdpo broker`, a process too.</summary>
internal sealed class Cluster : IDisposable
{
    public const string Topic = "preferences";
    public const int Partitions = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(50);

    private readonly RunInput _input;
    private readonly string[] _settings;
    private readonly List<Child> _children = [];
    private int _selectors;

    private Cluster(RunInput input, string output, Child broker, string bootstrap)
    {
        (_input, Output, Broker) = (input, output, broker);
        _children.Add(broker);
        Bootstrap = bootstrap;
        // The mock cluster answers an empty fetch only after its time, and shares a group's input anew after the session's less a second; with 2 s a member alone
        // never gets any.
        _settings =
        [
            "--bootstrap", bootstrap, "--topic", Topic, "--set", "kafka.client.fetch.wait.max.ms=10", "--set", "kafka.client.session.timeout.ms=4000",
            "--set", "kafka.client.heartbeat.interval.ms=300",
        ];
    }

    public Child Broker { get; }

    public string Bootstrap { get; }

    /// <summary>Directory that its learner writes.</summary>
    public string Output { get; }

    /// <summary>What everybody is told about the cluster.</summary>
    public IReadOnlyList<string> Settings => _settings;

    /// <summary>Records trained on so far.</summary>
    public long Applied
    {
        get
        {
            var log = Path.Combine(Output, "updates.jsonl");
            return File.Exists(log) ? RunLog.Updates(log).Sum(update => (long)update.Applied) : 0;
        }
    }

    public static async Task<Cluster> StartAsync(RunInput input, string output)
    {
        var broker = Child.MassDpo("broker", "broker", "--topic", $"{Topic}:{Partitions}");
        return new Cluster(input, output, broker, await broker.NextLineAsync());
    }

    public Child StartLearner(bool evaluates = true) =>
        Start("learner", ["--policy", _input.Policy, "--output", Output, .. evaluates ? ["--eval", _input.HeldOut] : Array.Empty<string>()]);

    public Child StartSelector() => Start("selector", ["--policy", _input.Policy], $"selector {++_selectors}");

    public Child StartIngest(int? passes = null) => Start("ingest", ["--data", _input.Data, "--passes", $"{passes ?? _input.Passes}"]);

    /// <summary>Waits until so many records are trained on.</summary>
    /// <exception cref="InvalidOperationException">a process ended before, or it takes too long</exception>
    public async Task ReachAsync(long records, params Child[] needed)
    {
        await UntilAsync(() => Applied >= records, $"{records} records were not trained on", needed);
    }

    /// <summary>Waits until something holds.</summary>
    /// <exception cref="InvalidOperationException">a process that is needed ended before, or it takes too long</exception>
    public async Task UntilAsync(Func<bool> holds, string otherwise, params Child[] needed)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!holds())
        {
            if (patience.IsCancellationRequested || needed.Any(child => child.HasEnded))
                throw Failure(otherwise);
            await Task.Delay(BetweenLooks, CancellationToken.None);
        }
    }

    /// <summary>Waits for a process's end; gives its exit code.</summary>
    /// <exception cref="InvalidOperationException">it takes too long</exception>
    public async Task<int> EndAsync(Child child)
    {
        try
        {
            return await child.EndAsync().WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            throw Failure($"{child.Name} did not end");
        }
    }

    /// <summary>SIGTERM, and its exit code.</summary>
    public async Task<int> StopAsync(Child child)
    {
        await child.TerminateAsync();
        return await EndAsync(child);
    }

    public void Dispose()
    {
        foreach (var child in Enumerable.Reverse(_children))
            child.Dispose();
    }

    /// <summary>What all said, for who wants to know why something failed.</summary>
    public string Said => string.Join('\n', _children.Select(child => $"--- {child.Name}{(child.HasEnded ? "" : ", running")}\n{child.Said}"));

    private Child Start(string role, IEnumerable<string> words, string? name = null)
    {
        var child = Child.MassDpo(name ?? role, ["run", "--roles", role, .. words, .. _input.Settings(seed: 1), .. _settings]);
        _children.Add(child);
        return child;
    }

    private InvalidOperationException Failure(string what) => new($"{what}:\n{Said}");
}
