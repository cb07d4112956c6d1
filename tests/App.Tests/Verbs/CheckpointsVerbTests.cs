using System.Text.Json.Nodes;
using MassDpo.App.Tests.Running;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.App.Tests.Verbs;

/// <summary>What a run has committed, and what its owner does with it.</summary>
public sealed class CheckpointsVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task List_tells_each_checkpoint_newest_first_with_what_the_run_measured_beside_a_run_that_is_going_on()
    {
        var output = await Run("--eval", stream.Data, "--evaluate-every", "20");
        using var goingOn = RunDirectory.Open(output, PhysicalFiles.Instance);
        var listed = (await Called.Well("checkpoints", "list", output, "--json", "--check")).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal([6, 5], listed.Select(line => (int)line["version"]!));
        Assert.Equal([45, 40], listed.Select(line => (int)line["applied"]!));
        Assert.All(listed, line => Assert.Null(line["damage"]));
        var evaluation = Evaluations(output).Single(line => (int)line["version"]! == 5);
        Assert.Equal((double)evaluation["hr@1"]!, (double)listed[1]["evaluation"]!["hr@1"]!);
        Assert.Equal((string?)evaluation["policy_hash"], (string?)listed[1]["policy_hash"]);
        var table = (await Called.Well("checkpoints", "list", output)).Out;
        Assert.All(listed, line => Assert.Contains((string)line["name"]!, table));
        Assert.Contains("%", table);
    }

    [Fact]
    public async Task Evaluations_are_as_often_as_asked_for_each_with_a_checkpoint_and_measure_what_eval_measures()
    {
        var output = await Run("--eval", stream.Data, "--evaluate-every", "10", "--set", "checkpoint.keep=100", "--set", "checkpoint.updates=1000");
        var evaluations = Evaluations(output);
        // 45 records in batches of 8: the first version with at least 10, 20, 30 and 40.
        Assert.Equal([2, 3, 4, 5], evaluations.Select(line => (int)line["version"]!));
        var listed = (await Called.Well("checkpoints", "list", output, "--json")).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal([6, 5, 4, 3, 2], listed.Select(line => (int)line["version"]!));
        var (policy, again) = (stream.NewOutput(), stream.NewOutput());
        await Called.Well("checkpoints", "promote", output, "--checkpoint", "4", "--to", policy);
        var measured = (await Called.Well("eval", "--data", stream.Data, "--policy", policy, "--reference", stream.PolicyDirectory, "--json")).Json;
        Assert.All(measured, field => Assert.Equal(field.Value!.ToJsonString(), evaluations[2][field.Key]!.ToJsonString()));
        // They only measure.
        await Called.Well(Words(again));
        RunTrace.Of(output).AssertSame(RunTrace.Of(again));
    }

    [Fact]
    public async Task Evaluating_now_and_then_needs_something_to_evaluate_on() =>
        await Called.Refused(2, [.. Words(stream.NewOutput()), "--evaluate-every", "10"], "metrics.evaluate-every is 10", "--eval FILE");

    [Fact]
    public async Task Promote_makes_the_newest_a_policy_and_notes_it_beside_a_run_that_is_going_on()
    {
        var (output, to) = (await Run(), stream.NewOutput());
        using var goingOn = RunDirectory.Open(output, PhysicalFiles.Instance);
        Assert.Contains($"is now the policy in {to}", (await Called.Well("checkpoints", "promote", output, "--to", to)).Out);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(output, "policy")))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(to, Path.GetFileName(file))));
        await Called.Well("checkpoints", "promote", output, "--checkpoint", "3", "--to", to);
        Assert.NotEqual(WeightsIn(Path.Combine(output, "policy")), WeightsIn(to));
        var promotions = File.ReadLines(Path.Combine(output, "promotions.jsonl")).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal([6, 3], promotions.Select(line => (int)line["version"]!));
        Assert.All(promotions, line => Assert.Equal(to, (string?)line["to"]));
    }

    [Theory]
    [InlineData("hr@1>=0", true)]
    [InlineData("hr@1 <= 1", true)]
    [InlineData("hr@1>=1.01", false)]
    [InlineData("pl_loss<=0.0001", false)]
    [InlineData("mrr>=current", true)]
    [InlineData("reward_accuracy>=0.5", true)]
    public async Task A_gate_lets_through_or_refuses_and_then_nothing_is_written(string gate, bool passes)
    {
        var (output, to) = (await Run(), stream.NewOutput());
        string[] words = ["checkpoints", "promote", output, "--to", to, "--eval", stream.Data, "--gate", "margin>=-100", "--gate", gate];
        var called = await Called.With(words);
        Assert.Equal(passes ? 0 : 1, called.ExitCode);
        Assert.Equal(passes, Directory.Exists(to));
        Assert.Equal(passes, File.Exists(Path.Combine(output, "promotions.jsonl")));
        if (!passes)
            Assert.Contains("does not pass", called.Error);
    }

    [Fact]
    public async Task A_gate_against_what_is_promoted_now_refuses_one_that_is_worse()
    {
        var (output, to) = (await Run(), stream.NewOutput());
        string[] promote = ["checkpoints", "promote", output, "--to", to, "--eval", stream.Data];
        await Called.Well([.. promote, "--gate", "pl_loss<=current"]);
        var better = WeightsIn(to);
        var called = await Called.With([.. promote, "--checkpoint", "3", "--gate", "pl_loss<=current"]);
        Assert.Equal(1, called.ExitCode);
        Assert.Contains("what is promoted now", called.Error);
        Assert.Equal(better, WeightsIn(to));
        await Called.Well([.. promote, "--checkpoint", "3"]);
        Assert.NotEqual(better, WeightsIn(to));
    }

    [Fact]
    public async Task What_cannot_be_promoted_is_refused_with_the_reason()
    {
        var (output, to) = (await Run(), stream.NewOutput());
        string[] words = ["checkpoints", "promote", output, "--to", to];
        await Called.Refused(1, [.. words, "--checkpoint", "99"], "no checkpoint '99'", "checkpoints list");
        await Called.Refused(2, [.. words, "--gate", "hr@1>=0.4"], "--eval FILE");
        await Called.Refused(2, [.. words, "--eval", stream.Data, "--gate", "hr@1>0.4"], "'hr@1>0.4' is no gate");
        await Called.Refused(1, [.. words, "--eval", stream.Data, "--gate", "hits>=1"], "no 'hits'", "hr@1");
        await Called.Refused(2, ["checkpoints", "promote", to, "--to", to], "is no directory");
        await Called.Refused(1, ["checkpoints", "promote", Path.Combine(output, "policy"), "--to", to], "holds no run");
        await Called.Refused(1, ["checkpoints", "promote", output, "--to", output], "no part of a policy");
        await Called.Refused(1, ["checkpoints", "promote", output, "--to", stream.PolicyDirectory], "the policy that the run started from");
        var newest = Directory.EnumerateDirectories(Path.Combine(output, "checkpoints")).Max()!;
        File.WriteAllText(Path.Combine(newest, "optimizer.safetensors"), "short");
        await Called.Refused(1, words, Path.GetFileName(newest), "optimizer.safetensors", "damaged");
        var listed = await Called.With("checkpoints", "list", output, "--check");
        Assert.Equal(1, listed.ExitCode);
        Assert.Contains("damaged", listed.Out);
        Assert.True(Directory.Exists(newest));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public async Task After_a_rollback_the_run_goes_on_from_there_to_the_same_weights_and_what_came_after_is_kept(string segmentBytes)
    {
        var output = await Run("--set", $"logs.segment={segmentBytes}");
        var (whole, policy) = (RunTrace.Of(output), WeightsIn(Path.Combine(output, "policy")));
        var events = LogText.Read(output, "selections.jsonl");
        var said = (await Called.Well("checkpoints", "rollback", output, "3")).Out;
        Assert.Contains("stands at v000000000003-", said);
        Assert.NotEqual(policy, WeightsIn(Path.Combine(output, "policy")));
        var back = RunTrace.Of(output);
        Assert.StartsWith(back.Updates, whole.Updates);
        Assert.Equal(3, back.Updates.Count(c => c == '\n'));
        // What is kept is all that came after.
        var kept = Assert.Single(Directory.EnumerateDirectories(Path.Combine(output, "rolled-back")));
        Assert.Contains(kept, said);
        Assert.Equal(events, LogText.Read(output, "selections.jsonl") + LogText.Read(kept, "selections.jsonl"));
        Assert.Equal(whole.Updates, back.Updates + LogText.Read(kept, "updates.jsonl"));
        Assert.Single(Directory.EnumerateDirectories(kept), folder => Path.GetFileName(folder).StartsWith("v000000000006-", StringComparison.Ordinal));
        // The policy, the logs and the checkpoint agree, now and after going on.
        Assert.Contains("bit for bit the one", (await Called.Well("replay", output, "--output", stream.NewOutput())).Out);
        await Called.Well([.. Words(output), "--set", $"logs.segment={segmentBytes}"]);
        RunTrace.Of(output).AssertSame(whole);
        Assert.Equal(policy, WeightsIn(Path.Combine(output, "policy")));
        // A second one has a folder of its own.
        await Called.Well("checkpoints", "rollback", output, "3");
        Assert.Equal(2, Directory.EnumerateDirectories(Path.Combine(output, "rolled-back")).Count());
    }

    [Fact]
    public async Task A_rollback_is_refused_while_the_run_is_going_on_and_to_what_is_not_there()
    {
        var output = await Run();
        using (RunDirectory.Open(output, PhysicalFiles.Instance))
            await Called.Refused(1, ["checkpoints", "rollback", output, "3"], "in use by another process");
        await Called.Refused(1, ["checkpoints", "rollback", output, "4"], "no checkpoint '4'");
        Assert.Contains("is the newest checkpoint", (await Called.Well("checkpoints", "rollback", output, "6")).Out);
        Assert.False(Directory.Exists(Path.Combine(output, "rolled-back")));
    }

    private static string WeightsIn(string policy) => ContentHash.Of(File.ReadAllBytes(Path.Combine(policy, "model.safetensors")));

    private static List<JsonNode> Evaluations(string output) => [.. File.ReadLines(Path.Combine(output, "evaluations.jsonl")).Select(line => JsonNode.Parse(line)!)];

    // Six updates, with checkpoints at 3 and 6.
    private string[] Words(string output) => ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--set", "learner.batch=8",
        "--learning-rate", "0.02", "--beta", "0.5", "--set", "checkpoint.updates=3"];

    private async Task<string> Run(params string[] more)
    {
        var output = stream.NewOutput();
        await Called.Well([.. Words(output), .. more]);
        return output;
    }
}
