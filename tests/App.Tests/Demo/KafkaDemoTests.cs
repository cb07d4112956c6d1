using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MassDpo.App.Verbs;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Demo;

/// <summary>The demo's five processes: real ones of this program.</summary>
public sealed partial class KafkaDemoTests : IDisposable
{
    private static readonly string[] Names = ["broker", "ingest", "selector-1", "selector-2", "learner"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task It_trains_on_each_position_once_and_shows_commands_that_can_be_given()
    {
        using var demo = Start("64");
        var called = await demo.End();
        Assert.True(called.ExitCode == 0, called.Error);
        Assert.Contains("Done: 128 records in 16 updates", called.Out);
        Assert.All(["before", "after", "HR@1: the chosen one ranks first", _folder["demo", "learner", "policy"], "128 positions of the input, each trained on exactly once."], text => Assert.Contains(text, called.Out));
        Assert.DoesNotContain('\u001b', called.Error);
        var started = called.Error.Split('\n').Select(line => Started().Match(line)).Where(match => match.Success).ToList();
        Assert.Equal(Names, started.Select(match => match.Groups["name"].Value));
        Assert.All(started, match => Assert.Empty(CommandLine.Create().Parse(match.Groups["words"].Value.Split(' ')).Errors));
        Assert.All(started, AssertGone);
    }

    [Fact]
    public async Task A_process_that_fails_ends_it_with_what_failed_and_none_is_left()
    {
        using var demo = Start("5000");
        var started = await StartedOf(demo);
        using (var kill = Process.Start("sh", ["-c", $"kill -KILL {started[3].Groups["id"].Value}"]))
            await kill.WaitForExitAsync();
        var called = await demo.End();
        Assert.Equal((1, ""), (called.ExitCode, called.Out));
        Assert.Contains("error: selector-2 ended with exit code 137", called.Error);
        Assert.All(started, AssertGone);
    }

    [Fact]
    public async Task A_signal_stops_all_of_them_in_order()
    {
        using var demo = Start("5000");
        var started = await StartedOf(demo);
        string? line;
        do
            line = await demo.NextError();
        while (line?.Contains(" records · ", StringComparison.Ordinal) is false);
        Assert.NotNull(line);
        await demo.Signal("TERM");
        var called = await demo.End();
        Assert.Equal((143, ""), (called.ExitCode, called.Out));
        Assert.Contains("error: stopped by SIGTERM before it was done", called.Error);
        Assert.All(started, AssertGone);
        Assert.True((bool)JsonNode.Parse(File.ReadAllText(_folder["demo", "learner", "report.json"]))!["stopped"]!);
    }

    // Settings in the environment are those of other runs: the processes get none of them, the demo itself takes them as any verb does.
    private ProgramProcess Start(string records) => ProgramProcess.Start(ProgramProcess.MassDpo,
        ["demo", "--kafka", "--output", _folder["demo"], "--records", records, "--set", "demo.held-out=20", "--set", "learner.batch=8", "--set", "runtime.progress=100ms",
            "--set", "sft.layers=1", "--set", "sft.hidden=8", "--set", "sft.heads=2"],
        ("MASSDPO__KAFKA__BOOTSTRAP", "127.0.0.1:1"), ("MASSDPO__KAFKA__GROUP", "demo"));

    private static async Task<List<Match>> StartedOf(ProgramProcess demo)
    {
        var started = new List<Match>();
        while (started.Count < Names.Length)
        {
            var line = await demo.NextError();
            if (line is null)
                Assert.Fail((await demo.End()).Error);
            if (Started().Match(line) is { Success: true } match)
                started.Add(match);
        }
        return started;
    }

    private static void AssertGone(Match started) => Assert.Throws<ArgumentException>(() => Process.GetProcessById(int.Parse(started.Groups["id"].Value)));

    [GeneratedRegex(@"^(?<name>[\w-]+) +│ \[process (?<id>\d+)\] \./massdpo (?<words>.+)$")]
    private static partial Regex Started();
}
