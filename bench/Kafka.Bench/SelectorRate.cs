using System.Diagnostics;
using MassDpo.App.Running;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Links;
using MassDpo.Shared.Settings;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Kafka.Bench;

/// <summary>Selections a second of one and of two selector processes, each with one selector, while nobody trains: the input is in the topic before, and slots are granted as fast as they are asked for.</summary>
internal static class SelectorRate
{
    private const string Topic = "preferences";
    private const int Partitions = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // Slots enough that nobody waits for a version; the mock cluster shares a group's input anew after the session's time less a second, and with 2 s a member alone never gets any.
    private static readonly string[] Settings =
    [
        "slots.max-staleness=100", "selection.selectors=1", "runtime.threads=1", "kafka.client.fetch.wait.max.ms=10", "kafka.client.session.timeout.ms=4000",
        "kafka.client.heartbeat.interval.ms=300",
    ];

    public static async Task RunAsync(int records, int rounds)
    {
        using var folder = new TempFolder();
        var config = Path.Combine(Repository.Root, "hocon", "demo.conf");
        var stream = await MadeStream.WriteAsync(folder.Path, records, config);
        Console.WriteLine(Machine.Describe());
        Console.WriteLine(Invariant($"{records:N0} made records of 20 candidates in {Partitions} partitions, a policy of hidden 64 in 2 layers; one selector a process, runtime.threads = 1, nobody trains. The clock runs from the first slots granted to the last block that comes back; records of the first {Window(config)} slots are read and validated before. ")
            + Invariant($"The mock cluster and the stand-in for the learner compute beside them on the same {Environment.ProcessorCount} cores, which the last column counts."));
        Console.WriteLine();
        Console.WriteLine("| processes | selections/s: median (from–to) | records of each | cores busy: selectors | mock cluster and stand-in |");
        Console.WriteLine("|---|---|---|---|---|");
        var medians = new Dictionary<int, double>();
        foreach (var processes in new[] { 1, 2 })
        {
            var measured = new List<Measured>();
            for (var round = 0; round < rounds; round++)
                measured.Add(await MeasureAsync(stream, config, records, processes));
            var rates = measured.Select(one => one.Rate).Order().ToList();
            medians[processes] = rates[rates.Count / 2];
            Console.WriteLine(Invariant($"| {processes} | {medians[processes]:N0} ({rates[0]:N0}–{rates[^1]:N0}) | {string.Join(" + ", measured[0].Tally.PerSelector.Values)} | {measured.Average(one => one.Selectors):F2} | {measured.Average(one => one.Beside):F2} |"));
        }
        Console.WriteLine();
        Console.WriteLine(Invariant($"Two processes do {medians[2] / medians[1]:F2} times what one does."));
    }

    private static int Window(string config) => RunOptions.From(EffectiveSettings.Load(config, [], Settings, [], null)).Window;

    private static async Task<Measured> MeasureAsync(MadeStream stream, string config, int records, int processes)
    {
        using var broker = Child.MassDpo("broker", "broker", "--topic", $"{Topic}:{Partitions}");
        var bootstrap = await broker.NextLineAsync();
        string[] words = ["--config", config, "--bootstrap", bootstrap, "--topic", Topic, .. Settings.SelectMany(setting => new[] { "--set", setting })];
        await Child.RunAsync("massdpo run --roles ingest", ["run", "--roles", "ingest", "--data", stream.Data, "--passes", "1", .. words]);
        var options = RunOptions.From(EffectiveSettings.Load(config, [], Settings, [], null));
        using var policy = LoadedPolicy.Load(stream.Policy);
        var link = new KafkaLinkOptions(new KafkaOptions(bootstrap, [KeyValuePair.Create("fetch.wait.max.ms", "10")]), "bench", _ => { }, text => Console.Error.WriteLine($"note: {text}"));
        var selectors = Enumerable.Range(1, processes).Select(number => Child.MassDpo($"selector {number}", ["run", "--roles", "selector", "--policy", stream.Policy, "--passes", "1", .. words])).ToList();
        try
        {
            var (began, ended) = (new Busy(0, default, default), new Busy(0, default, default));
            using var learner = new StandInLearner(link, policy.Weights, options.Slots with { Lease = TimeSpan.FromDays(1) },
                options.Identity(policy.Identity, $"topic {Topic}", policy.Scoring).Values, processes)
            {
                Clock = begins => _ = begins ? began = Busy.Now(selectors, broker) : ended = Busy.Now(selectors, broker),
            };
            using var patience = new CancellationTokenSource(Patience);
            var running = learner.RunAsync(records, patience.Token);
            var dead = Task.WhenAny(selectors.Select(selector => selector.EndAsync()));
            if (await Task.WhenAny(running, dead) == dead && !running.IsCompleted && selectors.Find(selector => selector.HasEnded) is { } one && await one.EndAsync() != 0)
                throw new InvalidOperationException($"{one.Name} has ended:\n{one.Said}");
            var tally = await running;
            foreach (var selector in selectors)
                if (await selector.EndAsync() is var code && code != 0)
                    throw new InvalidOperationException($"{selector.Name} ended with exit code {code}:\n{selector.Said}");
            var seconds = Stopwatch.GetElapsedTime(began.At, ended.At).TotalSeconds;
            return new Measured(tally, (ended.Selectors - began.Selectors).TotalSeconds / seconds, (ended.Beside - began.Beside).TotalSeconds / seconds);
        }
        catch (OperationCanceledException e)
        {
            throw new InvalidOperationException($"not all records came back in {Patience}:\n{string.Join('\n', selectors.Select(selector => $"{selector.Name}: {selector.Said}"))}", e);
        }
        finally
        {
            foreach (var selector in selectors)
                selector.Dispose();
        }
    }

    /// <param name="Tally">what came back</param>
    /// <param name="Selectors">cores that the selector processes kept busy</param>
    /// <param name="Beside">the same of this process and the mock cluster's</param>
    private sealed record Measured(SelectionTally Tally, double Selectors, double Beside)
    {
        public double Rate => Tally.Records / Tally.Seconds;
    }

    /// <summary>Processor time used at a time.</summary>
    private sealed record Busy(long At, TimeSpan Selectors, TimeSpan Beside)
    {
        public static Busy Now(IReadOnlyList<Child> selectors, Child broker)
        {
            using var own = Process.GetCurrentProcess();
            return new Busy(Stopwatch.GetTimestamp(), selectors.Aggregate(TimeSpan.Zero, (sum, selector) => sum + selector.ProcessorTime), own.TotalProcessorTime + broker.ProcessorTime);
        }
    }
}
