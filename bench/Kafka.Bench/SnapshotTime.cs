using System.Diagnostics;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Links;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Links;
using static System.FormattableString;

namespace MassDpo.Kafka.Bench;

/// <summary>How long a policy of 10 MB takes from the learner to selectors that are processes of their own, one snapshot after the other.</summary>
internal static class SnapshotTime
{
    public const string Topic = "snapshots";

    private const int Goal = 500;
    private const int WarmUp = 5;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    // What a run's own topic has; the mock cluster keeps 5 MiB of each.
    private const int Partitions = 4;

    /// <summary>Of a policy of 10 MB.</summary>
    public static PolicyConfig Config { get; } = MadePolicy.Config(vocabulary: 38_400, hidden: 64, positions: 16);

    /// <summary>The policy as everybody finds it.</summary>
    public static PolicyWeights Found() => MadePolicy.Weights(Config);

    public static KafkaLinkOptions Link(string bootstrap) => new(new KafkaOptions(bootstrap, [KeyValuePair.Create("fetch.wait.max.ms", "10")]), "bench",
        e => Console.Error.WriteLine($"failed: {e.Message}"), text => Console.Error.WriteLine($"note: {text}"));

    /// <summary>Measures; gives whether the goal is reached.</summary>
    public static async Task<bool> RunAsync(int snapshots)
    {
        using var weights = Found();
        Console.WriteLine(Machine.Describe());
        Console.WriteLine(Invariant($"Snapshots of {weights.Bytes / 1e6:F2} MB over {Partitions} partitions, `fetch.wait.max.ms=10`, from Publish until the last receiver can use it, hash checked; goal: p95 of {Goal} ms with 4."));
        Console.WriteLine();
        Console.WriteLine("| receivers | snapshots | p50, ms | p95 | max |");
        Console.WriteLine("|---|---|---|---|---|");
        var parts = new List<string>();
        var reached = true;
        foreach (var receivers in new[] { 1, 4 })
        {
            var measured = await MeasureAsync(weights, receivers, snapshots);
            var totals = measured.Select(one => one.Total).ToList();
            reached = Quantile(totals, 0.95) <= Goal;
            Console.WriteLine(Invariant($"| {receivers} | {totals.Count} | {Quantile(totals, 0.5):F0} | {Quantile(totals, 0.95):F0} | {totals.Max():F0} |"));
            parts.Add(Invariant($"| {receivers} | {string.Join(" | ", Enumerable.Range(0, Transfer.Parts.Length).Select(part => Invariant($"{Quantile([.. measured.Select(one => one.Took[part])], 0.5):F1}")))} | {measured.Max(one => one.Last.Hashes)} |"));
        }
        Console.WriteLine();
        Console.WriteLine("Where the time goes, medians in ms, of the last receiver:");
        Console.WriteLine();
        Console.WriteLine($"| receivers | {string.Join(" | ", Transfer.Parts)} | times hashed there |");
        Console.WriteLine($"|---|{string.Concat(Transfer.Parts.Select(_ => "---|"))}---|");
        foreach (var line in parts)
            Console.WriteLine(line);
        Console.WriteLine();
        Console.WriteLine($"p95 with 4 receivers: {(reached ? "PASS" : "FAIL")}");
        return reached;
    }

    private static async Task<List<Transfer>> MeasureAsync(PolicyWeights weights, int receivers, int snapshots)
    {
        using var broker = new MockBroker();
        broker.CreateTopic(Topic, Partitions);
        using var link = new KafkaSnapshotsLink(Link(broker.Bootstrap), Topic, new TimedFormat(new PolicySnapshotFormat(weights)));
        var children = Enumerable.Range(1, receivers).Select(number => Child.Self($"receiver {number}", "receive", broker.Bootstrap)).ToList();
        try
        {
            var transfers = new List<Transfer>();
            for (var version = 0; version < WarmUp + snapshots; version++)
            {
                var tensors = new TimedTensors(Version(weights, version));
                var published = Stopwatch.GetTimestamp();
                link.Publish(new PolicySnapshot(1, version, tensors));
                var receipts = await Task.WhenAll(children.Select(child => NextAsync(child, version))).WaitAsync(Patience);
                if (version >= WarmUp)
                    transfers.Add(new Transfer(published, tensors, receipts.MaxBy(receipt => receipt.Usable)!));
            }
            foreach (var child in children)
                child.CloseInput();
            foreach (var child in children)
                if (await child.EndAsync() is var code && code != 0)
                    throw new InvalidOperationException($"{child.Name} ended with exit code {code}:\n{child.Said}");
            return transfers;
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"a snapshot did not arrive:\n{string.Join('\n', children.Select(child => $"{child.Name}: {child.Said}"))}", e);
        }
        finally
        {
            foreach (var child in children)
                child.Dispose();
        }
    }

    private static async Task<Receipt> NextAsync(Child child, long version)
    {
        var receipt = Receipt.Parse(await child.NextLineAsync());
        return receipt.Version == version ? receipt : throw new InvalidDataException($"{child.Name} got version {receipt.Version} where {version} was published");
    }

    // Each has a hash of its own.
    private static PolicyWeights Version(PolicyWeights weights, int version)
    {
        var copy = weights.Copy();
        copy.FinalNorm.fill_(1 + version);
        return copy;
    }

    private static double Quantile(IReadOnlyCollection<double> values, double share) => values.Order().ElementAt((int)Math.Min(values.Count - 1, Math.Ceiling(share * values.Count) - 1));

    /// <summary>One snapshot on its way to the last receiver that had it.</summary>
    private sealed record Transfer(long Published, TimedTensors Tensors, Receipt Last)
    {
        public static readonly string[] Parts = ["serialise", "hash", "send, fetch, check chunks", "read", "check the hash", "hand on", "in all"];

        public double Total => new Stretch(Published, Last.Usable).Milliseconds;

        // What is done at the same time as something else shows twice.
        public double[] Took =>
        [
            Tensors.Written.Milliseconds, Tensors.Hashed.First.Milliseconds, new Stretch(Tensors.Written.Ended, Last.Read.Began).Milliseconds, Last.Read.Milliseconds,
            Last.Hashed.Milliseconds, new Stretch(Last.Hashed.Ended, Last.Usable).Milliseconds, Total,
        ];
    }
}
