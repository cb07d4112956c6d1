using System.IO.Enumeration;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;

namespace MassDpo.Chaos;

/// <summary>The runs of one test class: what they learn, and the one that nothing interrupted.</summary>
public sealed class ChaosRuns : IAsyncLifetime
{
    private const int Lines = 200;
    private const int Passes = 2;

    private readonly TempFolder _folder = new();
    private int _outputs;

    /// <summary>In turns, with one selector, from beginning to end in one process.</summary>
    public RunLedger Uninterrupted { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        ChaosStream.Write(_folder["start"], _folder["data.jsonl"], Lines, hidden: 8);
        var output = NewOutput();
        Uninterrupted = await EndApartAsync(output, Words(output));
    }

    public Task DisposeAsync()
    {
        _folder.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>A folder named <c>out</c> that does not exist yet, in one of its own that does.</summary>
    public string NewOutput() => Path.Combine(Directory.CreateDirectory(_folder[$"{Interlocked.Increment(ref _outputs)}"]).FullName, "out");

    /// <summary>The command line: batches of 8 and a commit every third.</summary>
    public string[] Words(string output, params string[] more) =>
    [
        "run", "--data", _folder["data.jsonl"], "--policy", _folder["start"], "--output", output, "--passes", $"{Passes}", "--shuffle", "all", "--batch", "8", "--learning-rate", "2e-2",
        "--set", "learner.beta=0.5", "--set", "selection.block=3", "--set", "checkpoint.updates=3", .. more,
    ];

    /// <summary>Runs until the moment, which must come.</summary>
    public async Task DieAsync(string when, Moment moment, params string[] words)
    {
        var ended = await Victim.RunAsync(moment, words);
        Assert.True(ended.IsKilled, $"{when}: {moment} never came: {ended}");
    }

    /// <summary>Runs the program to its end in a process of its own and reads what it left: every position once, and the books agree.</summary>
    public async Task<RunLedger> EndApartAsync(string output, params string[] words)
    {
        var ended = await Victim.RunAsync(words);
        Assert.True(ended.ExitCode == 0, ended.ToString());
        return Read(output);
    }

    /// <summary>Runs the command line again as it was, in this process, to its end; that must be the run that nothing interrupted, bit for bit.</summary>
    public async Task<RunLedger> EndAsUninterruptedAsync(string output)
    {
        var words = Words(output);
        // What it printed is lost here: a process tells it again.
        if (await Victim.CallAsync(words) != 0)
            Assert.Fail($"the first time it failed; the next: {await Victim.RunAsync(words)}");
        var ledger = Read(output);
        ledger.CheckSameAs(Uninterrupted);
        return ledger;
    }

    /// <summary>Replays a run with the program itself; it must come to the same bits.</summary>
    public async Task ReplayAsync(string output)
    {
        var ended = await Victim.RunAsync(["replay", output, "--output", NewOutput()]);
        Assert.True(ended.ExitCode == 0 && ended.Out.Contains("bit for bit", StringComparison.Ordinal), ended.ToString());
    }

    /// <summary>Whether an output directory holds a file or folder whose path within it matches, with * for any characters.</summary>
    public static bool Holds(string output, string path) => Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output, "*", SearchOption.AllDirectories)
        .Any(entry => FileSystemName.MatchesSimpleExpression(path, Path.GetRelativePath(output, entry), ignoreCase: false));

    private static RunLedger Read(string output)
    {
        var ledger = RunLedger.Read(output);
        ledger.CheckEachOnce(Lines, Passes);
        return ledger;
    }
}
