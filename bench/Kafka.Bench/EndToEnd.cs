using System.Diagnostics;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using MassDpo.ChaosKit;
using MassDpo.Kafka.Client;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Kafka.Bench;

/// <summary>
/// A run whose roles are processes, with a selector that comes and one that goes on the way, held against runs of the same records from files; and SIGTERM of each role.
/// </summary>
internal static class EndToEnd
{
    private const int Seeds = 3;
    // Of the runs in which a role is stopped.
    private const int FewRecords = 2000;

    /// <summary>Runs and prints; gives whether all checks held.</summary>
    /// <param name="data">null: simulated listeners</param>
    /// <param name="heldOut">file to measure on, with <paramref name="data"/></param>
    /// <param name="policy">directory to start from, with <paramref name="data"/></param>
    /// <param name="config">file of settings; null: the demo's</param>
    /// <param name="records">of the simulated stream</param>
    /// <param name="passes">over the data</param>
    /// <param name="staleness">slots.max-staleness of all runs</param>
    public static async Task<bool> RunAsync(string? data, string? heldOut, string? policy, string? config, int records, int passes, int staleness)
    {
        using var folder = new TempFolder();
        config ??= Path.Combine(Repository.Root, "hocon", "demo.conf");
        RunInput input;
        if (data is not null)
        {
            if (heldOut is null || policy is null)
                throw new ArgumentException("--data needs --eval and --policy");
            input = new RunInput(data, heldOut, policy, config, passes, staleness);
        }
        else
        {
            var made = await MadeStream.WriteAsync(folder.Path, records, config);
            // So that there are dead letters to compare.
            ChaosStream.WriteSpoilt(made.Data, File.ReadAllLines(made.Data));
            input = new RunInput(made.Data, made.HeldOut, made.Policy, config, passes, staleness);
        }
        Console.WriteLine(Machine.Describe());
        Console.WriteLine(Invariant($"{(data is null ? "Simulated listeners, one line in forty spoilt" : Path.GetFileName(data))}, {passes} pass{(passes > 1 ? "es" : "")}, settings of {Path.GetFileName(config)}, slots.max-staleness = {staleness}."));
        Console.WriteLine();
        var checks = new Checks();
        var files = new List<FileRun>();
        for (var seed = 1; seed <= Seeds; seed++)
            files.Add(await RunFromFilesAsync(input, folder["files", $"{seed}"], seed));
        await OverKafkaAsync(input, folder["kafka"], files, checks);
        await StopAsync(input, folder.Path, Math.Min(FewRecords, files[0].Positions), checks);
        Console.WriteLine();
        checks.Print();
        return checks.Hold;
    }

    private static async Task<FileRun> RunFromFilesAsync(RunInput input, string output, int seed)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(output)!);
        await Child.RunAsync($"the file run of seed {seed}",
            ["run", "--data", input.Data, "--passes", $"{input.Passes}", "--policy", input.Policy, "--output", output, "--eval", input.HeldOut, .. input.Settings(seed)]);
        return FileRun.Read(output);
    }

    private static async Task OverKafkaAsync(RunInput input, string output, List<FileRun> files, Checks checks)
    {
        var positions = files[0].Positions;
        using var cluster = await Cluster.StartAsync(input, output);
        var learner = cluster.StartLearner();
        var selectors = new List<Child> { cluster.StartSelector(), cluster.StartSelector() };
        var began = Stopwatch.GetTimestamp();
        var ingest = cluster.StartIngest();
        var codes = new List<(string Name, int Code)>();
        await cluster.ReachAsync(positions / 3, [learner, .. selectors]);
        selectors.Add(cluster.StartSelector());
        await cluster.ReachAsync(2 * positions / 3, [learner, .. selectors]);
        codes.Add((selectors[0].Name + ", by SIGTERM", await cluster.StopAsync(selectors[0])));
        foreach (var child in (Child[])[ingest, learner, selectors[1], selectors[2]])
            codes.Add((child.Name, await cluster.EndAsync(child)));
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        checks.Add("all roles end with exit code 0", codes.TrueForAll(code => code.Code == 0), string.Join(", ", codes.Select(code => $"{code.Name}: {code.Code}")));
        if (codes.Exists(code => code.Code != 0))
            Console.Error.WriteLine(cluster.Said);
        CheckBooks(output, files[0], checks);
        var after = FileRun.Read(output);
        CheckHitRate(files, after, checks);
        await CheckReplayAsync(cluster, input, output, checks);
        checks.Add("the broker ends with exit code 0, by SIGTERM", await cluster.StopAsync(cluster.Broker) is var code && code == 0, $"{code}");
        Console.WriteLine(Invariant($"Over Kafka {positions:N0} positions took {seconds:F1} s from the start of ingest to the end of the last role, {after.Seconds:F1} s of which the learner counts ({after.RecordsPerSecond:N0} records/s, epochs {after.Epochs}); from files, in one process, {files[0].Seconds:F1} s ({files[0].RecordsPerSecond:N0} records/s)."));
    }

    // Ingest gives the records to the partitions in turn.
    private static void CheckBooks(string output, FileRun file, Checks checks)
    {
        const string what = "every input position is settled once, every log whole, events as updates name them";
        RunLedger ledger;
        try
        {
            ledger = RunLedger.Read(output);
        }
        catch (InvalidDataException e)
        {
            checks.Add(what, false, e.Message);
            return;
        }
        var expected = Enumerable.Range(0, (int)file.Positions).Select(number => new Position($"{Cluster.Topic}/{number % Cluster.Partitions}", 0, number / Cluster.Partitions)).ToHashSet();
        var settled = ledger.Applied.Concat(ledger.Dead.Select(dead => dead.Position)).ToHashSet();
        var (missing, others) = (expected.Count(position => !settled.Contains(position)), settled.Count(position => !expected.Contains(position)));
        // The ledger has seen that none is there twice.
        checks.Add(what, missing == 0 && others == 0, Invariant($"{ledger.Applied.Count:N0} in updates.jsonl, {ledger.Dead.Count:N0} in dead letters, {missing} missing, {others} of others, none twice; {ledger.Epochs} epochs"));
        var (over, from) = (DeadHashes(output), DeadHashes(file.Output));
        checks.Add("dead letters are those of the file run", over.SequenceEqual(from), Invariant($"{over.Count:N0}, there {from.Count:N0}"));
    }

    private static void CheckHitRate(List<FileRun> files, FileRun kafka, Checks checks)
    {
        var (low, high) = (files.Min(run => run.HitRate), files.Max(run => run.HitRate));
        // Its order is one more draw, of which half would lie outside three: what records alone do to a share is allowed for.
        var error = Math.Sqrt(kafka.HitRate * (1 - kafka.HitRate) / kafka.Measured);
        checks.Add("HR@1 within the range of the file run's seeds, give or take one standard error of the share", kafka.HitRate >= low - error && kafka.HitRate <= high + error,
            Invariant($"{100 * kafka.HitRate:F2} %; seeds 1 to {files.Count}: {string.Join(", ", files.Select(run => Invariant($"{100 * run.HitRate:F2}")))}; standard error {100 * error:F2}; {(kafka.HitRate >= low && kafka.HitRate <= high ? "inside" : "outside")} the range itself"));
    }

    private static async Task CheckReplayAsync(Cluster cluster, RunInput input, string output, Checks checks)
    {
        const string what = "`massdpo replay` gives the policy bit for bit";
        using var replay = Child.MassDpo("replay", "replay", output, "--output", output + "-replayed");
        var code = await cluster.EndAsync(replay);
        if (code != 0 && replay.Said.Contains("did not come from files", StringComparison.Ordinal))
            checks.LeaveOut(what, "it does not read topics yet");
        else
            checks.Add(what, code == 0, replay.Said);
    }

    private static async Task StopAsync(RunInput input, string folder, long records, Checks checks)
    {
        var few = input with { Data = Path.Combine(folder, "few.jsonl"), Passes = 1 };
        await File.WriteAllLinesAsync(few.Data, Lines(input.Data).Take((int)records));
        await Try("selector", "another goes on with its part to the end", StopSelectorAsync);
        await Try("learner", "its selector, which waits for the next one, stops as well, and both go on to the end when they are started again", StopLearnerAsync);
        await Try("ingest", "in the middle of its records", StopIngestAsync);

        async Task Try(string role, string how, Func<Cluster, long, Task<(bool, string)>> stop)
        {
            var what = $"SIGTERM of {role} on the way: exit code 0; {how}";
            using var cluster = await Cluster.StartAsync(few, Path.Combine(folder, "stop-" + role));
            try
            {
                var (holds, found) = await stop(cluster, records);
                checks.Add(what, holds, found);
                if (!holds)
                    Console.Error.WriteLine(cluster.Said);
            }
            catch (InvalidOperationException e)
            {
                checks.Add(what, false, e.Message.Split('\n')[0]);
                Console.Error.WriteLine(e.Message);
            }
        }
    }

    private static async Task<(bool, string)> StopSelectorAsync(Cluster cluster, long records)
    {
        var (learner, selector, ingest) = (cluster.StartLearner(evaluates: false), cluster.StartSelector(), cluster.StartIngest());
        await cluster.ReachAsync(records / 3, learner, selector);
        var stopped = await cluster.StopAsync(selector);
        var before = cluster.Applied;
        var other = cluster.StartSelector();
        int[] codes = [stopped, await cluster.EndAsync(learner), await cluster.EndAsync(other), await cluster.EndAsync(ingest)];
        return (codes.All(code => code == 0) && before < records && CountSettled(cluster) == records, Invariant($"exit codes {string.Join(", ", codes)}; {before:N0} records before, {CountSettled(cluster):N0} at the end"));
    }

    private static async Task<(bool, string)> StopLearnerAsync(Cluster cluster, long records)
    {
        var (learner, selector, ingest) = (cluster.StartLearner(evaluates: false), cluster.StartSelector(), cluster.StartIngest());
        await cluster.ReachAsync(records / 3, learner, selector);
        var stopped = new List<int> { await cluster.StopAsync(learner) };
        var before = cluster.Applied;
        stopped.Add(await cluster.StopAsync(selector));
        var (next, other) = (cluster.StartLearner(evaluates: false), cluster.StartSelector());
        int[] codes = [.. stopped, await cluster.EndAsync(next), await cluster.EndAsync(other), await cluster.EndAsync(ingest)];
        return (codes.All(code => code == 0) && before < records && CountSettled(cluster) == records, Invariant($"exit codes {string.Join(", ", codes)}; {before:N0} records before, {CountSettled(cluster):N0} at the end"));
    }

    // So many passes that it is stopped before it has come to the end.
    private static async Task<(bool, string)> StopIngestAsync(Cluster cluster, long records)
    {
        var ingest = cluster.StartIngest(passes: 1_000_000);
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig(new KafkaOptions(cluster.Bootstrap, []).Client("bench")) { GroupId = "bench" }).Build();
        await cluster.UntilAsync(() => consumer.QueryWatermarkOffsets(new TopicPartition(Cluster.Topic, 0), TimeSpan.FromSeconds(30)).High.Value > 0, "ingest brought nothing", ingest);
        var code = await cluster.StopAsync(ingest);
        return (code == 0 && ingest.Said.Contains("stopped as asked", StringComparison.Ordinal), $"exit code {code}: {ingest.Said}");
    }

    private static long CountSettled(Cluster cluster)
    {
        var ledger = RunLedger.Read(cluster.Output);
        return ledger.Applied.Count + ledger.Dead.Count;
    }

    private static IEnumerable<string> Lines(string file)
    {
        using Stream stream = File.OpenRead(file);
        using var reader = new StreamReader(file.EndsWith(".gz", StringComparison.Ordinal) ? new System.IO.Compression.GZipStream(stream, System.IO.Compression.CompressionMode.Decompress) : stream);
        while (reader.ReadLine() is { } line)
            yield return line;
    }

    // Of what each was and why it died, whatever its position.
    private static List<string> DeadHashes(string output) =>
        [.. File.ReadLines(Path.Combine(output, "dead-letters.jsonl")).Select(line => JsonNode.Parse(line)!).Select(letter => $"{letter["hash"]} {letter["code"]}").Order(StringComparer.Ordinal)];

    /// <summary>What a run's report tells.</summary>
    /// <param name="Output">its directory</param>
    /// <param name="Positions">of its input</param>
    /// <param name="HitRate">HR@1 after it</param>
    /// <param name="Measured">records that was measured on</param>
    /// <param name="Seconds">that it counts</param>
    /// <param name="RecordsPerSecond">by these</param>
    /// <param name="Epochs">the last one</param>
    private sealed record FileRun(string Output, long Positions, double HitRate, int Measured, double Seconds, double RecordsPerSecond, long Epochs)
    {
        public static FileRun Read(string output)
        {
            var report = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!;
            var after = report["after"]!;
            return new FileRun(output, (long)report["counts"]!["read"]!, (double)after["hr@1"]!, (int)after["records"]!, (double)report["seconds"]!, (double)report["records_per_s"]!,
                long.Parse(File.ReadAllText(Path.Combine(output, "epoch")).Trim()));
        }
    }
}
