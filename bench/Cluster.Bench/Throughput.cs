using System.Diagnostics;
using MassDpo.ChaosKit;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Cluster.Bench;

/// <summary>
/// Selections/s of the same run in one process over local links, as nodes in one process and as nodes that are processes of their own, in turns. The clock runs from the end of the first
/// quarter to the last update, so that starting, joining and compiling are no part of it.
/// </summary>
internal static class Throughput
{
    private static readonly string[] Layouts = ["one process, local links", "nodes in one process", "nodes that are processes"];

    public static async Task RunAsync(MadePolicySize size, int selectors, int records, int passes, int rounds, int rank)
    {
        using var folder = new TempFolder();
        var run = (await Run.MakeAsync(folder.Path, size, records, passes)) with { Rank = rank };
        Machine.Print();
        Console.WriteLine(Invariant($"{run.Updates:N0} updates on batches of {Run.Batch}, blocks of 16, of records with {App.Demo.SimulatedListeners.Candidates} candidates; a policy of {new FileInfo(Path.Combine(run.Policy, "model.safetensors")).Length / 4e6:F2} million parameters, of which {(rank > 0 ? $"an adapter of rank {rank} is" : "all are")} trained and broadcast after each update; {selectors} selector{(selectors > 1 ? "s" : "")}, slots.max-staleness = {Run.MaxStaleness}, runtime.threads = 1. ")
            + Invariant($"Nodes: learner and ingest | selectors, over remoting on loopback, all on the same {Environment.ProcessorCount} cores as the one process; what was left of them is in the last column. {rounds} rounds in turns; medians (from–to)."));
        Console.WriteLine();
        var measured = Layouts.Select(_ => new List<Measured>()).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var layout = 0; layout < Layouts.Length; layout++)
                measured[layout].Add(await MeasureAsync(run, layout, selectors, folder[$"{layout}-{round}"]));
            Console.Error.WriteLine(Invariant($"round {round + 1}: {string.Join(", ", measured.Select(of => Invariant($"{of[round].Rate:N0}")))} selections/s"));
        }
        Console.WriteLine("| | selections/s | against local links | processor time a record, µs | cores free |");
        Console.WriteLine("|---|---|---|---|---|");
        for (var layout = 0; layout < Layouts.Length; layout++)
        {
            var ratios = measured[layout].Zip(measured[0], (one, local) => one.Rate / local.Rate).ToList();
            Console.WriteLine($"| {Layouts[layout]} | {measured[layout].ConvertAll(one => one.Rate).Spread("N0")} | {ratios.Spread("F2")} | {measured[layout].ConvertAll(one => one.Microseconds).Spread("N0")} | {measured[layout].ConvertAll(one => one.Free).Spread("F2")} |");
        }
    }

    private static async Task<Measured> MeasureAsync(Run run, int layout, int selectors, string output)
    {
        var words = run.Words(selectors);
        var ports = FreePorts.Find(2);
        string[] learner = Run.Node("learner,ingest", ports[0], [ports[0]], output, words), selector = Run.Node("selector", ports[1], [ports[0]], null, words);
        var processes = new List<NodeProcess>();
        try
        {
            switch (layout)
            {
                case 0:
                    processes.Add(NodeProcess.MassDpo("run", ["run", "--output", output, .. words]));
                    break;
                case 1:
                    var file = output + ".nodes";
                    await File.WriteAllLinesAsync(file, [string.Join('\t', learner), string.Join('\t', selector)]);
                    processes.Add(NodeProcess.Self("nodes", "nodes", file));
                    break;
                default:
                    processes.Add(NodeProcess.MassDpo("learner", learner));
                    processes.Add(NodeProcess.MassDpo("selector", selector));
                    break;
            }
            (Update Update, TimeSpan Used)? first = null, last = null;
            processes[0].Updated = update =>
            {
                if (update.Version < run.Updates / 4)
                    return;
                try
                {
                    last = (update, processes.Aggregate(TimeSpan.Zero, (sum, process) => sum + process.ProcessorTime));
                }
                catch (InvalidOperationException)
                {
                    // Another one has ended meanwhile: the update before is the last.
                    return;
                }
                first ??= last;
            };
            foreach (var process in processes)
                await process.EndAsync();
            RunLedger.Read(output).CheckEachOnce(run.Lines, run.Passes);
            var ((began, usedThen), (ended, used)) = (first!.Value, last!.Value);
            return new Measured((ended.Version - began.Version) * Run.Batch, Stopwatch.GetElapsedTime(began.At, ended.At).TotalSeconds, (used - usedThen).TotalSeconds);
        }
        finally
        {
            foreach (var process in processes)
                process.Dispose();
        }
    }

    /// <param name="Records">trained on while the clock ran</param>
    /// <param name="Seconds">that it did</param>
    /// <param name="Busy">processor seconds of all processes</param>
    private sealed record Measured(long Records, double Seconds, double Busy)
    {
        public double Rate => Records / Seconds;

        public double Microseconds => Busy / Records * 1e6;

        public double Free => Environment.ProcessorCount - Busy / Seconds;
    }
}
