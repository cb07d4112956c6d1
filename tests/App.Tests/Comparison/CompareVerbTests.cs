using System.Text.Json.Nodes;
using MassDpo.App.Comparison;
using MassDpo.App.Tests.Running;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;

namespace MassDpo.App.Tests.Comparison;

public sealed class CompareVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    // 45 records twice in batches of 8: 12 updates.
    private static readonly string[] Recipe = ["--batch", "8", "--learning-rate", "1e-2", "--passes", "2", "--set", "learner.beta=0.5", "--set", "ingest.shuffle=all"];

    [Fact]
    public async Task A_run_of_a_comparison_is_the_run_that_massdpo_run_makes()
    {
        var (output, alone) = (stream.NewOutput(), stream.NewOutput());
        await Compare(output, "--selectors", "mass", "--negatives", "2", "--seeds", "2", "--points", "3");
        var called = await Called.Well(["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", alone, "--eval", stream.Data, "--selector", "mass", "--negatives", "2", "--seed", "2", .. Recipe]);
        var report = JsonNode.Parse(File.ReadAllText(Path.Combine(alone, "report.json")))!;
        var run = MeasuredRun.Read(Path.Combine(output, "runs", "mass-2-seed2.json"));
        foreach (var (measures, field) in new[] { (run.Before, "before"), (run.End, "after") })
        {
            Assert.Equal(((double)report[field]!["hr@1"]!, (double)report[field]!["accuracy"]!, (double)report[field]!["margin"]!), (measures.HitRate1, measures.Accuracy, measures.Margin));
            Assert.Equal(((double)report[field]!["reward_accuracy"]!, (double)report[field]!["pl_loss"]!), (measures.RewardAccuracy, measures.Loss));
        }
        Assert.Equal(12, run.Updates);
        // Measured at a third and two thirds of the 13 updates that 100 lines might have made.
        Assert.Equal([32, 72, 90], run.Points.Select(point => point.Records));
        Assert.Contains("HR@1", called.Out);
    }

    [Fact]
    public async Task What_a_run_costs_is_counted_in_sequence_forwards()
    {
        var output = stream.NewOutput();
        await Compare(output, "--selectors", "random,mass,hardest,all", "--negatives", "1", "--seeds", "1", "--points", "2");
        var runs = new[] { "random-1", "mass-1", "hardest-1", "all" }.ToDictionary(arm => arm, arm => MeasuredRun.Read(Path.Combine(output, "runs", arm + "-seed1.json")));
        // Training on one negative: 3 · 2 a record. The full pool: 3(n + 1), of which scoring it is a third.
        Assert.Equal(90 * 6, runs["random-1"].Points[^1].Forwards);
        Assert.Equal(90 * 6 + runs["all"].Points[^1].Forwards / 3, runs["mass-1"].Points[^1].Forwards);
        Assert.Equal(runs["mass-1"].Points[^1].Forwards, runs["hardest-1"].Points[^1].Forwards);
        Assert.All(runs.Values, run => Assert.Equal(0, run.Duplicates));
        Assert.Equal(1, runs["all"].Quality!.Cosine, 1e-9);
        Assert.InRange(runs["mass-1"].Quality!.Information!.Value, 0.1, 1 + 1e-9);
        Assert.True(runs["mass-1"].Negatives == 1 && runs["all"].Negatives > 3);
    }

    [Fact]
    public async Task Duplicates_that_are_picked_are_counted_where_they_are_left_in()
    {
        var (output, data) = (stream.NewOutput(), stream.NewOutput() + ".jsonl");
        File.WriteAllLines(data, Enumerable.Range(0, 16).Select(i => $$"""{"prompt": {"history": ["i{{i}}"]}, "chosen": "i20", "rejected": ["i21", "i21", "i22"]}"""));
        await Called.Well(["compare", "--data", data, "--eval", data, "--policy", stream.PolicyDirectory, "--output", output, "--selectors", "all", "--seeds", "1", "--batch", "8",
            "--set", "ingest.duplicates=keep"]);
        Assert.Equal(1.0 / 3, MeasuredRun.Read(Path.Combine(output, "runs", "all-seed1.json")).Duplicates, 1e-12);
    }

    [Fact]
    public async Task It_goes_on_with_the_runs_that_are_missing_and_reports_the_same()
    {
        var (output, whole) = (stream.NewOutput(), stream.NewOutput());
        await Compare(output, "--selectors", "random,mass", "--seeds", "1");
        var kept = Path.Combine(output, "runs", "mass-3-seed1.json");
        // A mark that only a run taken up as it is still has.
        File.WriteAllText(kept, File.ReadAllText(kept) + " ");
        await Compare(output, "--selectors", "random,mass", "--seeds", "2");
        Assert.EndsWith(" ", File.ReadAllText(kept));
        await Compare(whole, "--selectors", "random,mass", "--seeds", "2", "--jobs", "2");
        string[] timeless = ["records/s", "seconds", "run at a time", "runs at a time"];
        Assert.Equal(Lines(output), Lines(whole));
        Assert.Equal(["comparison.json", "curves.svg", "report.md", "results.json", "runs"], Directory.EnumerateFileSystemEntries(output).Select(path => Path.GetFileName(path)).Order());
        Assert.Equal(4, Directory.EnumerateFileSystemEntries(Path.Combine(output, "runs")).Count());

        List<string> Lines(string folder) => [.. File.ReadAllLines(Path.Combine(folder, "report.md")).SkipWhile(line => line != "## At the end").TakeWhile(line => !timeless.Any(line.Contains))];
    }

    [Fact]
    public async Task The_report_has_its_tables_its_tests_and_its_figure()
    {
        var output = stream.NewOutput();
        var called = await Compare(output, "--selectors", "random,mass,all", "--negatives", "1,3", "--seeds", "3");
        var report = File.ReadAllText(Path.Combine(output, "report.md"));
        foreach (var part in new[] { "## Recipe", "| `learner.batch` | `8` |", "effective batch in sequences: random-1 16, ", "## At the end", "| before |", "## Difference to random", "| mass-3 | random-3 |",
            "| all | random-1 |", "(p ", "## At equal compute", "## What they choose", "![HR@1", "(curves.svg)" })
            Assert.Contains(part, report);
        Assert.DoesNotContain("NaN", report);
        Assert.DoesNotContain("| random-1 | random-1", report);
        Assert.Equal(15, JsonNode.Parse(File.ReadAllText(Path.Combine(output, "results.json")))!.AsArray().Count);
        Assert.Contains("mass-3", called.Out);
        Assert.Contains(Path.Combine(output, "report.md"), called.Out);
        Assert.Contains("15 runs", called.Error);
    }

    [Fact]
    public async Task Each_seed_may_have_a_start_of_its_own()
    {
        var (output, start) = (stream.NewOutput(), stream.NewOutput());
        MadePolicy.Write(start + "-1", stream.Policy.Config, seed: 1);
        MadePolicy.Write(start + "-2", stream.Policy.Config, seed: 2);
        await Called.Well(["compare", "--data", stream.Data, "--eval", stream.Data, "--policy", start + "-{seed}", "--output", output, "--selectors", "mass", "--seeds", "2", .. Recipe]);
        var before = new[] { 1, 2 }.Select(seed => MeasuredRun.Read(Path.Combine(output, "runs", $"mass-3-seed{seed}.json")).Before).ToList();
        Assert.NotEqual(before[0], before[1]);
    }

    [Fact]
    public async Task What_was_measured_otherwise_or_is_no_comparison_is_refused_and_stays()
    {
        var output = stream.NewOutput();
        await Compare(output, "--selectors", "mass", "--seeds", "1");
        var file = Path.Combine(output, "runs", "mass-3-seed1.json");
        var before = ContentHash.Of(File.ReadAllBytes(file));
        foreach (var change in new[] { new[] { "--set", "learner.beta=0.4" }, ["--set", "ingest.max-records=20"], ["--points", "2"], ["--set", "eval.beta=2"] })
            Assert.Contains(file, (await Refused(1, [.. Words(output), "--selectors", "mass", "--seeds", "1", .. change])).Error);
        Assert.Equal(before, ContentHash.Of(File.ReadAllBytes(file)));
        var foreign = stream.NewOutput();
        Directory.CreateDirectory(foreign);
        File.WriteAllText(Path.Combine(foreign, "mine.txt"), "mine");
        Assert.Contains("no comparison wrote", (await Refused(2, Words(foreign))).Error);
        Assert.Equal([Path.Combine(foreign, "mine.txt")], Directory.EnumerateFileSystemEntries(foreign));
    }

    private static async Task<Called> Refused(int code, string[] words)
    {
        var called = await Called.With(words);
        Assert.True(code == called.ExitCode, called.Error);
        return called;
    }

    private string[] Words(string output) => ["compare", "--data", stream.Data, "--eval", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, .. Recipe];

    private Task<Called> Compare(string output, params string[] words) => Called.Well([.. Words(output), .. words]);
}
