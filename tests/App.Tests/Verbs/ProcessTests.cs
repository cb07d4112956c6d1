using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Tests.Running;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

/// <summary>What only a real process shows: exit codes, streams, signals, locks, the environment.</summary>
public sealed class ProcessTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task Exit_codes_and_streams_are_those_of_a_call()
    {
        var help = await Run("--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        Assert.Contains("massdpo demo", help.Out);
        var failed = await Run("eval", "--policy", stream.NewOutput(), "--data", stream.Data);
        Assert.Equal((1, ""), (failed.ExitCode, failed.Out));
        Assert.StartsWith("error: ", failed.Error);
        var misused = await Run("fly");
        Assert.Equal((2, ""), (misused.ExitCode, misused.Out));
        Assert.StartsWith("error: ", misused.Error);
    }

    [Fact]
    public async Task Settings_come_from_the_environment_too()
    {
        string[] words = ["score", "--data", stream.Data, "--policy", stream.NewOutput()];
        var wrong = await ProgramProcess.Run(ProgramProcess.MassDpo, words, ("MASSDPO__EVAL__BATCH", "none"));
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("environment variable MASSDPO__EVAL__BATCH: eval.batch: ", wrong.Error);
        using var folder = new TempFolder();
        var file = folder.Write("mine.conf", "eval.batch = wrong-in-file");
        Assert.Contains($"{file}:1:", (await Run([.. words, "--config", file])).Error);
        Assert.Equal(wrong.Error, (await ProgramProcess.Run(ProgramProcess.MassDpo, [.. words, "--config", file], ("MASSDPO__EVAL__BATCH", "none"))).Error);
        var over = await ProgramProcess.Run(ProgramProcess.MassDpo, [.. words, "--set", "eval.batch=1", "--threads", "none"], ("MASSDPO__EVAL__BATCH", "none"));
        Assert.Contains("--threads: runtime.threads: ", over.Error);
    }

    [Fact]
    public async Task Scores_are_JSON_lines_alone_on_standard_output()
    {
        var called = await Run("score", "--policy", stream.PolicyDirectory, "--data", stream.Data);
        Assert.Equal(0, called.ExitCode);
        var data = await EvaluationData.LoadAsync([stream.Data], stream.Policy.Encoder, new EvaluationOptions(1, 64, 1 << 20), CancellationToken.None);
        var scores = Evaluator.Score(stream.Policy.Scorer, stream.Policy.Weights, data.Pools, 64).ToList();
        var lines = called.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(data.Pools.Count, lines.Count);
        foreach (var (line, pool, logps) in lines.Zip(data.Pools, scores))
        {
            Assert.Equal(["id", "candidates", "logps", "tokens"], line.AsObject().Select(field => field.Key));
            Assert.Equal(pool.Id, (string?)line["id"]);
            Assert.Equal(pool.Record.Candidates, line["candidates"]!.AsArray().Select(text => (string)text!));
            Assert.Equal(logps, line["logps"]!.AsArray().Select(logp => (float)logp!));
            Assert.All(line["tokens"]!.AsArray(), count => Assert.Equal(1, (int)count!));
        }
        Assert.Equal([5, 12, 24, 50], called.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line[(stream.Data.Length + ", line ".Length)..].Split(':')[0])));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_ends_a_run_with_a_checkpoint_and_run_again_it_comes_out_as_if_there_had_been_none(string signal)
    {
        var (output, whole) = (stream.NewOutput(), stream.NewOutput());
        // Far more than it can do until the signal comes.
        using (var process = ProgramProcess.Start(ProgramProcess.MassDpo, [.. Words(output), "--passes", "100000", "--set", "runtime.progress=100ms"]))
        {
            Assert.Contains(" records · ", await process.NextError());
            await process.Signal(signal);
            var called = await process.End();
            Assert.Equal(0, called.ExitCode);
            Assert.Contains("Stopped as asked", called.Out);
            Assert.Contains("Give the same command again to go on.", called.Out);
        }
        var report = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!;
        Assert.True((bool)report["stopped"]!);
        Assert.NotEmpty(Directory.EnumerateDirectories(Path.Combine(output, "checkpoints")));
        string[] most = ["--passes", "100000", "--max-records", $"{(int)report["counts"]!["read"]! + 77}"];
        await Called.Well([.. Words(output), .. most]);
        await Called.Well([.. Words(whole), .. most]);
        RunTrace.Of(output).AssertSame(RunTrace.Of(whole));
    }

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("INT", 130)]
    public async Task A_verb_that_a_signal_stops_before_it_is_done_says_so_and_ends_as_shells_expect(string signal, int code)
    {
        using var process = ProgramProcess.Start(ProgramProcess.MassDpo, ["sft", "--data", stream.Data, "--policy", stream.NewOutput(), "--epochs", "1000000"]);
        Assert.StartsWith("epoch ", await process.NextError());
        await process.Signal(signal);
        var called = await process.End();
        Assert.Equal(code, called.ExitCode);
        Assert.EndsWith($"error: stopped by SIG{signal} before it was done\n", called.Error);
        Assert.Contains("note: stopped as asked, before the last epoch was done", called.Out);
    }

    [Fact]
    public async Task What_is_scored_for_eval_and_score_can_be_stopped()
    {
        var data = await EvaluationData.LoadAsync([stream.Data], stream.Policy.Encoder, new EvaluationOptions(1, 64, 1 << 20), CancellationToken.None);
        using var stop = new CancellationTokenSource();
        using var scores = Evaluator.Score(stream.Policy.Scorer, stream.Policy.Weights, data.Pools, 1, stop.Token).GetEnumerator();
        Assert.True(scores.MoveNext());
        await stop.CancelAsync();
        Assert.Throws<OperationCanceledException>(() => scores.MoveNext());
    }

    [Fact]
    public async Task While_one_process_runs_a_second_one_is_kept_out()
    {
        var output = stream.NewOutput();
        using var process = ProgramProcess.Start(ProgramProcess.MassDpo, [.. Words(output), "--passes", "100000", "--set", "runtime.progress=100ms"]);
        Assert.NotNull(await process.NextError());
        await Called.Refused(1, Words(output), output, "in use by another process");
        await Called.Refused(1, ["replay", output, "--output", stream.NewOutput()], output, "in use by another process");
        await process.Signal("TERM");
        Assert.Equal(0, (await process.End()).ExitCode);
        await Called.Well("replay", output, "--output", stream.NewOutput());
    }

    private string[] Words(string output) =>
        ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8", "--learning-rate", "1e-3", "--selector", "random", "--shuffle", "all"];

    private static Task<Called> Run(params string[] words) => ProgramProcess.Run(ProgramProcess.MassDpo, words);
}
