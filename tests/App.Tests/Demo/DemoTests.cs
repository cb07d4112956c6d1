using System.Text.Json.Nodes;
using MassDpo.App.Demo;
using MassDpo.App.Tests.Running;
using MassDpo.Shared.Settings;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Demo;

/// <summary>What a newcomer sees first.</summary>
public sealed class DemoTests : IDisposable
{
    private static readonly string[] Small = ["--records", "64", "--set", "sft.layers=1", "--set", "sft.hidden=8", "--set", "sft.heads=2"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task It_reports_three_ways_side_by_side_and_says_that_all_is_simulated()
    {
        var called = await Demo("--records", "200");
        Assert.Contains("a simulated stream", called.Out);
        Assert.Contains("it holds no real people and proves nothing about real data", called.Out);
        Assert.Contains("200 records, 2 passes, then measured on 50 held-out records", called.Out);
        Assert.All(["before training", "mass: the 3 most informative", "random: any 3", "full pool: all", "Here 3 chosen negatives", "HR@1", "records/s", "What to do next:", _folder["demo"]],
            text => Assert.Contains(text, called.Out));
        var report = Report();
        Assert.Equal(["v", "simulated", "records", "held_out", "noise", "passes", "before", "runs", "seconds"], report.Select(field => field.Key));
        Assert.True((bool)report["simulated"]!);
        Assert.Equal((200, 50, 2), ((int)report["records"]!, (int)report["held_out"]!, (int)report["passes"]!));
        Assert.Equal(["mass", "random", "all"], report["runs"]!.AsObject().Select(run => run.Key));
        foreach (var (name, run) in report["runs"]!.AsObject())
        {
            Assert.Equal(["after", "negatives", "songs", "records_per_s", "output"], run!.AsObject().Select(field => field.Key));
            Assert.Equal(name == "all" ? 19 : 3, (double)run["negatives"]!);
            Assert.InRange((double)run["songs"]!, 1, (double)run["negatives"]!);
            Assert.Equal(50, (int)run["after"]!["records"]!);
            Assert.Equal((double)run["after"]!["hr@1"]!, (double)JsonNode.Parse(File.ReadAllText(Path.Combine((string)run["output"]!, "report.json")))!["after"]!["hr@1"]!);
        }
    }

    [Fact]
    public async Task What_it_proposes_next_works()
    {
        await Demo(Small);
        await Called.Well("validate", _folder["demo", "stream.jsonl"], "--policy", _folder["demo", "mass", "policy"]);
        await Called.Well("validate", _folder["demo", "held-out.jsonl"], "--policy", _folder["demo", "start"]);
        Assert.Contains("bit for bit the one", (await Called.Well("replay", _folder["demo", "mass"], "--output", _folder["demo", "again"])).Out);
        Assert.All(["selections.jsonl", "report.json", "policy"], name => Assert.All(["mass", "random", "all"], run => Assert.True(Path.Exists(_folder["demo", run, name]))));
    }

    [Fact]
    public async Task Run_twice_it_begins_anew_and_a_seed_gives_one_result()
    {
        await Demo(Small);
        var (stream, trace) = (File.ReadAllText(_folder["demo", "stream.jsonl"]), RunTrace.Of(_folder["demo", "mass"]));
        File.WriteAllText(_folder["demo", "stale.txt"], "of the demo before");
        await Demo(Small);
        Assert.False(File.Exists(_folder["demo", "stale.txt"]));
        Assert.Equal(stream, File.ReadAllText(_folder["demo", "stream.jsonl"]));
        RunTrace.Of(_folder["demo", "mass"]).AssertSame(trace);
        await Demo([.. Small, "--seed", "2"]);
        Assert.NotEqual(stream, File.ReadAllText(_folder["demo", "stream.jsonl"]));
    }

    [Fact]
    public async Task Its_settings_can_be_changed()
    {
        var called = await Demo([.. Small, "--set", "selection.negatives=5", "--set", "demo.noise=0.25", "--set", "ingest.passes=1"]);
        Assert.All(["mass: the 5 most informative", "random: any 5", "Here 5 chosen negatives", "25 % of the labels are wrong", "64 records, 1 passes"], text => Assert.Contains(text, called.Out));
        Assert.Equal(5, (double)Report()["runs"]!["mass"]!["negatives"]!);
        await Called.Refused(2, ["demo", "--output", _folder["demo"], "--records", "3"], "demo.records");
        // What was refused has deleted nothing.
        Assert.Equal(64, (int)Report()["records"]!);
    }

    [Fact]
    public async Task A_directory_that_holds_something_else_is_refused_and_left_as_it_is()
    {
        _folder.Write("demo/thesis.tex", "mine");
        await Called.Refused(2, ["demo", "--output", _folder["demo"]], _folder["demo"], "no demo wrote");
        Assert.Equal([_folder["demo", "thesis.tex"]], Directory.EnumerateFileSystemEntries(_folder["demo"]));
        Assert.Equal("mine", File.ReadAllText(_folder["demo", "thesis.tex"]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Stopped_in_any_of_its_runs_it_reports_nothing(int run)
    {
        using var stop = new CancellationTokenSource();
        var runs = 0;
        var settings = EffectiveSettings.Load(null, [], ["demo.records=64", "demo.held-out=50", "sft.epochs=0", "sft.layers=1", "sft.hidden=8", "sft.heads=2", "learner.batch=8"], []);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DemoJob.RunAsync(new DemoRequest(_folder["demo"], settings), _ => { }, _ =>
        {
            runs++;
            return (_, _) =>
            {
                if (runs == run)
                    stop.Cancel();
            };
        }, stop.Token));
        Assert.Equal(run, runs);
        Assert.False(File.Exists(_folder["demo", "report.json"]));
    }

    private Task<Called> Demo(params string[] words) => Called.Well(["demo", "--output", _folder["demo"], "--set", "demo.held-out=50", .. words]);

    private JsonObject Report() => JsonNode.Parse(File.ReadAllText(_folder["demo", "report.json"]))!.AsObject();
}
