using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MassDpo.App.Demo;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Endurance.Bench;

/// <summary>
/// The program's roles over Kafka while <c>massdpo produce</c> brings records in bursts at ten times the learner's rate, as much at a time as the broker keeps twice over;
/// then more than it keeps. Memory, handles and threads of each role are read on the way.
/// </summary>
/// <param name="time">that bursts are produced for</param>
/// <param name="cap">of each role's peak resident memory, MiB</param>
internal sealed partial class LoadRun(TimeSpan time, int cap) : IDisposable
{
    private const int Factor = 10;
    private const int Partitions = 64;
    private const int FewPartitions = 4;
    private const int Lines = 20_000;
    // What the mock cluster keeps of a partition, and what comes to a record beside its line.
    private const long BytesOfPartition = 5 << 20;
    private const long BytesBesideRecord = 400;
    private const double DayRecordsPerSecond = 10;
    private static readonly TimeSpan BurstDrains = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan BetweenSamples = TimeSpan.FromSeconds(2);

    // Fetched ahead by each selector, instead of 128 MiB; what of references is remembered.
    private static readonly string[] Settings =
    [
        "kafka.client.queued.max.messages.kbytes=16384", "selection.reference-cache=1 MiB", "selection.selectors=1", "learner.batch=128", "learner.learning-rate=1e-3", "slots.max-staleness=2",
        "checkpoint.updates=50", "logs.segment=64 MiB", "runtime.progress=1h", "kafka.client.fetch.wait.max.ms=10", "kafka.client.session.timeout.ms=4000", "kafka.client.heartbeat.interval.ms=300",
    ];

    private readonly TempFolder _folder = new();

    /// <returns>whether all held that must</returns>
    public async Task<bool> RunAsync()
    {
        ChaosStream.Write(_folder["start"], _folder["data.jsonl"], Lines, hidden: 32);
        return await BurstsAsync() & await OverrunAsync();
    }

    public void Dispose() => _folder.Dispose();

    // Nothing that the broker keeps is lost, in bounded memory.
    private async Task<bool> BurstsAsync()
    {
        var output = _folder["out"];
        using var roles = await Roles.StartAsync(_folder["start"], output, Partitions);
        var kept = Kept(Partitions);
        roles.Learn();
        roles.Select();
        roles.Select();
        // The first lines warm all up; how fast the learner is shows on those that follow.
        await roles.ProduceAsync(Data(Lines), rate: null, end: false);
        await UntilAsync(roles, output, Lines / 4);
        var (watch, at) = (Stopwatch.StartNew(), RunProgress.Records(output));
        await UntilAsync(roles, output, Good(Lines) - 128);
        var rate = (RunProgress.Records(output) - at) / watch.Elapsed.TotalSeconds;
        var burst = (int)Math.Min(kept / 2, rate * BurstDrains.TotalSeconds);
        Console.WriteLine(Invariant($"The learner trains on {rate:N0} records/s. The broker keeps {kept:N0} records in {Partitions} partitions; bursts of {burst:N0} at {Factor * rate:N0}/s."));

        var (produced, bursts, samples, mostLag, began) = ((long)Lines, 0, new List<Looked>(), 0L, Stopwatch.StartNew());
        while (began.Elapsed < time)
        {
            var producing = roles.ProduceAsync(Data(burst), Factor * rate, end: false);
            while (!producing.IsCompleted || produced + burst - RunProgress.Records(output) * 40.0 / 39 > burst / 10.0)
            {
                var look = new Looked(began.Elapsed, await roles.LagAsync(), RunProgress.Records(output), roles.Sample(RunProgress.Records(output)));
                samples.Add(look);
                mostLag = Math.Max(mostLag, look.Lag);
                await Task.Delay(BetweenSamples);
            }
            await producing;
            produced += burst;
            bursts++;
        }
        var seconds = began.Elapsed.TotalSeconds;
        await roles.ProduceAsync(Data(Partitions), rate: null, end: true);
        produced += Partitions;
        await roles.EndAsync();
        var counts = PositionCounts.Check(output, produced);
        Console.WriteLine(Invariant($"{bursts} bursts in {seconds:F0} s: {produced:N0} records, {counts.Applied:N0} trained on and {counts.Dead:N0} in dead letters, each position once, none lost. The largest lag that the selectors told of was {mostLag:N0} records."));
        return Print(samples, rate);
    }

    private bool Print(List<Looked> samples, double rate)
    {
        var held = true;
        Console.WriteLine(Invariant($"\n| role | peak RSS, MiB | RSS at a tenth | at the end | per million records | in 24 h at {DayRecordsPerSecond:F0} records/s | handles, tenth to end | threads |\n|---|---|---|---|---|---|---|---|"));
        foreach (var role in samples[0].Roles.Keys)
        {
            var all = samples.Where(sample => sample.Records > 0).Select(sample => sample.Roles[role]).ToList();
            var (first, last) = (all[all.Count / 10], all[^1]);
            // What a process takes at once as it begins is no growth: the slope is of what follows the first tenth.
            var slope = Slope([.. all.Skip(all.Count / 10).Select(sample => (sample.Records / 1e6, sample.Resident / 1024.0))]);
            held &= last.Peak <= cap * 1024L;
            Console.WriteLine(Invariant($"| {role} | {last.Peak / 1024.0:F1} | {first.Resident / 1024.0:F1} | {last.Resident / 1024.0:F1} | {slope:+0.0;-0.0} | {slope * DayRecordsPerSecond * 86_400 / 1e6:+0.0;-0.0} | {first.Handles} to {last.Handles} | {first.Threads} to {last.Threads} |"));
        }
        Console.WriteLine(Invariant($"\nAllowed: {cap} MiB of each role: {(held ? "held" : "NOT HELD")}. A straight line through {samples.Count} samples; 24 hours at {DayRecordsPerSecond:F0} records/s are {DayRecordsPerSecond * 86_400:N0} records, of which this run had {100 * samples[^1].Records / (DayRecordsPerSecond * 86_400):F0} % in {100 * samples[^1].At.TotalDays:F1} % of the time, at up to {rate:N0} records/s."));
        return held;
    }

    // What the broker has forgotten before it was read is told, position by position.
    private async Task<bool> OverrunAsync()
    {
        var output = _folder["overrun"];
        using var roles = await Roles.StartAsync(_folder["start"], output, FewPartitions);
        var produced = 3 * Kept(FewPartitions);
        roles.Learn();
        var selector = roles.Select();
        await roles.ProduceAsync(Data(Lines / 4), rate: null, end: false);
        await UntilAsync(roles, output, Lines / 8);
        await selector.StopAsync();
        await roles.ProduceAsync(Data((int)produced), rate: null, end: true);
        produced += Lines / 4;
        selector.Continue();
        await roles.EndAsync();
        var notes = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(output, "report.json")))!["notes"]!.AsArray().Select(note => (string)note!).Where(note => Lost().IsMatch(note)).ToList();
        var lost = notes.Sum(note => long.Parse(Lost().Match(note).Groups[1].Value, CultureInfo.InvariantCulture));
        var counts = PositionCounts.Check(output, produced - lost);
        Console.WriteLine(Invariant($"\n{produced:N0} records into {FewPartitions} partitions, which keep {Kept(FewPartitions):N0}, while the selector stood still: {counts.Applied:N0} trained on, {counts.Dead:N0} in dead letters, {lost:N0} told of as lost; these are all. The notes of report.json:\n"));
        notes.ForEach(note => Console.WriteLine($"    {note}"));
        return lost > 0;
    }

    // The condition is what the log tells; the pause only spares the processor.
    private static async Task UntilAsync(Roles roles, string output, long records)
    {
        while (RunProgress.Records(output) < records)
        {
            await roles.CheckAsync();
            await Task.Delay(50);
        }
    }

    // One line in forty cannot be used.
    private static long Good(long lines) => lines * 39 / 40;

    private long Kept(int partitions) => partitions * BytesOfPartition / (new FileInfo(_folder["data.jsonl"]).Length / Lines + BytesBesideRecord);

    // A file of so many lines: those of the data, again and again.
    private string Data(int lines)
    {
        var path = _folder[$"burst-{lines}.jsonl"];
        if (File.Exists(path))
            return path;
        var all = File.ReadAllBytes(_folder["data.jsonl"]);
        using var file = File.Create(path);
        for (; lines >= Lines; lines -= Lines)
            file.Write(all);
        var at = 0;
        for (; lines > 0; lines--)
            at += all.AsSpan(at).IndexOf((byte)'\n') + 1;
        file.Write(all, 0, at);
        return path;
    }

    private static double Slope(IReadOnlyList<(double X, double Y)> points)
    {
        var (x, y) = (points.Average(point => point.X), points.Average(point => point.Y));
        return points.Sum(point => (point.X - x) * (point.Y - y)) / points.Sum(point => (point.X - x) * (point.X - x));
    }

    [GeneratedRegex("([0-9]+) positions from [0-9]+ on were never read")]
    private static partial Regex Lost();

    /// <summary>What was seen at one time.</summary>
    private sealed record Looked(TimeSpan At, long Lag, long Records, IReadOnlyDictionary<string, ProcessSample> Roles);

    /// <summary>The processes of one run.</summary>
    private sealed class Roles : IDisposable
    {
        private readonly HttpClient _http = new();
        private readonly List<(string Name, Victim Process, int Port)> _all = [];
        private readonly string _policy;
        private readonly string _output;
        private readonly Victim _broker;
        private readonly string _bootstrap;

        private Roles(string policy, string output, Victim broker, string bootstrap) => (_policy, _output, _broker, _bootstrap) = (policy, output, broker, bootstrap);

        public static async Task<Roles> StartAsync(string policy, string output, int partitions)
        {
            var broker = Victim.Broker(Invariant($"{RoleRun.Topic}:{partitions}"));
            return new Roles(policy, output, broker, (await broker.NextLineAsync())!);
        }

        public Victim Learn() => Start("learner", "--roles", "learner", "--policy", _policy, "--output", _output);

        public Victim Select() => Start($"selector {_all.Count}", "--roles", "selector", "--policy", _policy);

        /// <summary>Produces all lines of a file.</summary>
        /// <param name="data">the file</param>
        /// <param name="rate">records a second; null: as fast as it goes</param>
        /// <param name="end">whether that is all</param>
        public async Task ProduceAsync(string data, double? rate, bool end)
        {
            var ended = await Victim.RunAsync(["produce", "--bootstrap", _bootstrap, "--topic", RoleRun.Topic, "--data", data, .. rate is { } limit ? [$"--rate", limit.ToString(CultureInfo.InvariantCulture)] : Array.Empty<string>(), .. end ? ["--end"] : Array.Empty<string>()]);
            if (ended.ExitCode != 0)
                throw new InvalidOperationException(ended.ToString());
            await CheckAsync();
        }

        public IReadOnlyDictionary<string, ProcessSample> Sample(long records) => _all.ToDictionary(role => role.Name, role => ProcessSample.Of(role.Process.Id, records));

        /// <summary>Records that are there and not yet read, as the selectors tell it.</summary>
        public async Task<long> LagAsync()
        {
            var lag = 0L;
            foreach (var (_, _, port) in _all)
                foreach (var line in (await _http.GetStringAsync($"http://127.0.0.1:{port}/metrics")).Split('\n'))
                    if (line.StartsWith("massdpo_input_lag{", StringComparison.Ordinal))
                        lag += (long)double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
            return lag;
        }

        /// <exception cref="InvalidOperationException">one has ended</exception>
        public async Task CheckAsync()
        {
            foreach (var (name, process, _) in _all)
                if (process.HasEnded)
                    throw new InvalidOperationException($"{name}: {await process.EndAsync()}");
        }

        public async Task EndAsync() => await RoleProcesses.EndAsync([.. _all.Select(role => role.Process)]);

        public void Dispose()
        {
            foreach (var (_, process, _) in _all)
                process.Dispose();
            _broker.Dispose();
            _http.Dispose();
        }

        private Victim Start(string name, params string[] words)
        {
            var port = FreePorts.Find(1)[0];
            var process = Victim.Start(["run", .. words, "--bootstrap", _bootstrap, "--topic", RoleRun.Topic, "--set", $"watch.listen=\"127.0.0.1:{port}\"", .. Settings.SelectMany(setting => (string[])["--set", setting])]);
            _all.Add((name, process, port));
            return process;
        }
    }
}
