using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MassDpo.App.Running;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.App.Demo;

/// <summary>What the demo over Kafka came to.</summary>
/// <param name="Summary">what the learner printed at its end, line by line</param>
/// <param name="Positions">of the input, counted in the learner's logs</param>
internal sealed record KafkaDemoResult(IReadOnlyList<string> Summary, PositionCounts Positions);

/// <summary>The main job in processes of its own, joined over the Kafka for development: a broker, ingest, two selectors and the learner.</summary>
internal static class KafkaDemo
{
    // What the broker keeps of a partition, less a margin, and what comes to a record beside its line: headers, and the frame that it stands in.
    private const long BytesOfPartition = 3 << 20;
    private const long BytesBesideRecord = 400;
    private const int LeastPartitions = 4;

    // The broker's address is the demo's own; a process each cannot listen at one address; and nothing of the demo is set for a run.
    private static readonly string[] NotForProcesses = ["kafka.bootstrap", "demo.", "watch."];

    /// <summary>Runs until the learner has had the whole input.</summary>
    /// <param name="request">settings with the demo's recipe and, above it, the one for <c>massdpo broker</c></param>
    /// <param name="development">the recipe for <c>massdpo broker</c>: what its clients are told</param>
    /// <param name="say">gets what this process does</param>
    /// <param name="tell">gets a process's name and a line of it</param>
    /// <param name="stop">asks for an orderly end of all processes</param>
    /// <exception cref="IOException">a process has failed</exception>
    /// <exception cref="InvalidDataException">the learner's logs do not hold each position once</exception>
    public static async Task<KafkaDemoResult> RunAsync(DemoRequest request, HoconDocument development, Action<string> say, Action<string, string> tell, CancellationToken stop)
    {
        var settings = request.Settings;
        var options = RunOptions.From(settings);
        var topics = KafkaTopics.From(settings);
        if (options.Logs.SegmentsKept > 0)
            throw settings.Outside("logs.keep", $"{options.Logs.SegmentsKept}", "the demo counts positions in all of updates.jsonl: leave it at 0");
        var stream = await DemoStream.MakeAsync(request, say, stop);
        var config = Path.Combine(request.Output, "kafka.conf");
        await File.WriteAllTextAsync(config, ForProcesses(settings, development), stop);
        var (port, learnerOutput) = (FreePort(), Path.Combine(request.Output, "learner"));
        string[] joined = ["--bootstrap", $"127.0.0.1:{port}", "--config", config];
        var summary = new List<string>();
        await using (var processes = new ChildProcesses(tell))
        {
            say("Starting five processes, each with the command that stands after its number. Ctrl-C stops them.");
            var broker = processes.Start("broker", ["broker", "--port", $"{port}", "--topic", $"{topics.Input.Name}:{Partitions(stream, options.Files.Passes)}"]);
            await processes.FirstLineAsync(broker, stop);
            var ingest = processes.Start("ingest", ["run", "--roles", "ingest", "--data", stream.Data, .. joined]);
            var selectors = Enumerable.Range(1, 2).Select(i => processes.Start($"selector-{i}", ["run", "--roles", "selector", "--policy", stream.Start, .. joined])).ToList();
            var learner = processes.Start("learner", ["run", "--roles", "learner", "--policy", stream.Start, "--output", learnerOutput, "--eval", stream.HeldOut, .. joined], summary.Add);
            foreach (var process in selectors.Append(ingest).Prepend(learner))
                await processes.UntilEndedAsync(process, stop);
        }
        var records = (long)stream.Options.Records * options.Files.Passes;
        return new KafkaDemoResult(summary, PositionCounts.Check(learnerOutput, options.Files.MaxRecords > 0 ? Math.Min(records, options.Files.MaxRecords) : records));
    }

    // All that differs from the reference, and of the client's properties those for the demo's own cluster: others are for another one.
    private static string ForProcesses(EffectiveSettings settings, HoconDocument development)
    {
        var client = development.Resolve().Find("kafka.client") is HoconObject block
            ? block.Paths().Where(leaf => leaf.Value is not HoconObject).Select(leaf => ($"kafka.client.{leaf.Path}", leaf.Value.AsString()))
            : [];
        var changed = settings.Effective.Where(setting => setting.Value != EffectiveSettings.Reference.GetString(setting.Key)
            && !NotForProcesses.Any(part => setting.Key.StartsWith(part, StringComparison.Ordinal))).Select(setting => (setting.Key, setting.Value));
        var all = changed.Concat(client).Aggregate(HoconDocument.Empty, (below, setting) => HoconDocument.FromPlainText(setting.Item1, setting.Item2, "demo").WithFallback(below));
        return "# What the processes of massdpo demo --kafka are set to.\n\n" + all.Resolve().Render().TrimEnd() + "\n";
    }

    // The broker forgets what a partition cannot hold, and a run may read the input from its beginning.
    private static int Partitions(DemoStream stream, int passes)
    {
        var bytes = passes * (new FileInfo(stream.Data).Length + stream.Options.Records * BytesBesideRecord);
        return (int)Math.Clamp((bytes + BytesOfPartition - 1) / BytesOfPartition, LeastPartitions, 10_000);
    }

    private static string FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }
}
