using System.Diagnostics;
using MassDpo.ChaosKit;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Cluster.Bench;

/// <summary>Whose process is killed.</summary>
internal enum Victims
{
    Selector,
    Learner,
}

/// <summary>
/// A run of four processes: two that may be the learner and read the records, and two selectors, with the timings of hocon/cluster.conf. One of them is killed with SIGKILL in the middle,
/// the others bring the run to its end, and its books must be in order: every position applied once, versions one after the other.
/// </summary>
internal static class Recovery
{
    private const int Records = 8000;
    private const int Passes = 2;
    // A checkpoint is behind it, and the next one ahead.
    private const int At = 230;

    public static async Task RunAsync(Victims of, int rounds)
    {
        using var folder = new TempFolder();
        var run = await Run.MakeAsync(folder.Path, MadePolicySize.Demo, Records, Passes);
        Machine.Print();
        Console.WriteLine(Invariant($"Processes: learner, ingest | learner, ingest | selector | selector; output in one directory; the timings of hocon/cluster.conf. {run.Updates:N0} updates; after update {At} the process of {(of == Victims.Learner ? "the learner" : "a selector")} is killed with SIGKILL; {rounds} runs. After each the books were in order: every position applied once, versions one after the other. Updates are told every 100 ms at most, and at once after a pause."));
        Console.WriteLine();
        var measured = new List<Dictionary<string, double>>();
        for (var round = 0; round < rounds; round++)
        {
            measured.Add(await MeasureAsync(run, of, folder[$"{round}"]));
            RunLedger.Read(folder[$"{round}"]).CheckEachOnce(Records, Passes);
            Console.Error.WriteLine($"run {round + 1}: {string.Join(", ", measured[round].Select(one => Invariant($"{one.Key} {one.Value:F1} s")))}");
        }
        Console.WriteLine("| seconds | median (from–to) |");
        Console.WriteLine("|---|---|");
        foreach (var what in measured[0].Keys)
            Console.WriteLine($"| {what} | {measured.ConvertAll(one => one[what]).Spread("F1")} |");
    }

    private static async Task<Dictionary<string, double>> MeasureAsync(Run run, Victims of, string output)
    {
        var words = run.Words(selectors: 1);
        var ports = FreePorts.Find(4);
        var processes = new List<NodeProcess>();
        try
        {
            var learner = Begin("learner,ingest", output);
            // The oldest of its role.
            await learner.Until("reads the records");
            var next = Begin("learner,ingest", output);
            var first = Begin("selector", null);
            _ = Begin("selector", null);
            await Task.WhenAll(processes.Skip(1).Select(process => process.Until("is in the cluster")));
            await learner.Reaches(At);
            var found = of == Victims.Learner ? await OfLearnerAsync(learner, next) : await OfSelectorAsync(learner, first);
            foreach (var process in processes.Where(process => process != (of == Victims.Learner ? learner : first)))
                await process.EndAsync();
            return found;
        }
        catch (InvalidOperationException e)
        {
            // Who put out whom, and why, stands in what the others wrote.
            throw new InvalidOperationException($"{e.Message}\n\nAll nodes:\n{string.Join("\n\n", processes.Select((process, node) => $"{process.Name}, port {ports[node]}:\n{process}"))}", e);
        }
        finally
        {
            foreach (var process in processes)
                process.Dispose();
        }

        NodeProcess Begin(string roles, string? writes)
        {
            var process = NodeProcess.MassDpo(roles, Run.Node(roles, ports[processes.Count], ports[..2], writes, words));
            processes.Add(process);
            return process;
        }
    }

    private static async Task<Dictionary<string, double>> OfSelectorAsync(NodeProcess learner, NodeProcess victim)
    {
        var killed = victim.Kill();
        await learner.EndAsync();
        var after = learner.Updates.Where(update => update.At > killed).Select(update => update.At).Prepend(killed).ToList();
        var gaps = after.Zip(after.Skip(1), (earlier, later) => (From: earlier, To: later, Seconds: Stopwatch.GetElapsedTime(earlier, later).TotalSeconds)).ToList();
        var longest = gaps.MaxBy(gap => gap.Seconds);
        return new Dictionary<string, double>
        {
            ["longest time without an update"] = longest.Seconds,
            ["from the kill to the update that ends it"] = Stopwatch.GetElapsedTime(killed, longest.To).TotalSeconds,
            ["the second longest"] = gaps.Where(gap => gap != longest).Max(gap => gap.Seconds),
            ["from the kill until the node is not reached"] = Since(killed, await learner.Until("cannot be reached")),
            ["until it was put out"] = Since(killed, await learner.Until("was put out")),
        };
    }

    private static async Task<Dictionary<string, double>> OfLearnerAsync(NodeProcess learner, NodeProcess next)
    {
        var killed = learner.Kill();
        var update = await next.Reaches(1);
        return new Dictionary<string, double>
        {
            ["from the kill until the node is not reached"] = Since(killed, await next.Until("cannot be reached")),
            ["until it was put out"] = Since(killed, await next.Until("was put out")),
            ["until the next learner begins"] = Since(killed, await next.Until("has the learner")),
            ["until its first update"] = Since(killed, update),
        };
    }

    private static double Since(long killed, Said said) => Stopwatch.GetElapsedTime(killed, said.At).TotalSeconds;
}
