using System.Text.Json.Nodes;
using MassDpo.App.Tests.Running;
using MassDpo.Shared.Contracts;

namespace MassDpo.App.Tests.Verbs;

/// <summary>The weights again from the logs, and what it takes to be sure of them.</summary>
public sealed class ReplayVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Theory]
    [InlineData("mass", "none", "0")]
    [InlineData("random", "all", "2")]
    [InlineData("all", "7", "1")]
    public async Task The_weights_come_out_bit_for_bit(string selector, string shuffle, string staleness)
    {
        var (output, again) = (await Run("--selector", selector, "--shuffle", shuffle, "--max-staleness", staleness, "--passes", "2", "--selectors", "2"), stream.NewOutput());
        var before = Snapshot(output);
        var called = await Called.Well("replay", output, "--output", again);
        Assert.Contains("Replayed 12 updates on 90 records; events, losses and policy hashes agree.", called.Out);
        Assert.Contains($"bit for bit the one in {Path.Combine(output, "policy")}", called.Out);
        Assert.Empty(called.Error);
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], Directory.EnumerateFiles(again).Select(file => Path.GetFileName(file)).Order());
        foreach (var file in Directory.EnumerateFiles(again))
            Assert.Equal(File.ReadAllBytes(Path.Combine(output, "policy", Path.GetFileName(file))), File.ReadAllBytes(file));
        Assert.Equal(before, Snapshot(output));
    }

    [Fact]
    public async Task A_policy_that_is_not_the_one_of_the_logs_is_told_of()
    {
        var output = await Run();
        File.Copy(Path.Combine(stream.PolicyDirectory, "model.safetensors"), Path.Combine(output, "policy", "model.safetensors"), overwrite: true);
        var called = await Called.With("replay", output, "--output", stream.NewOutput());
        Assert.Equal(1, called.ExitCode);
        Assert.Contains("NOT the one", called.Out);
    }

    [Fact]
    public async Task Without_a_policy_to_compare_with_it_says_so()
    {
        var (output, again) = (await Run(), stream.NewOutput());
        Directory.Delete(Path.Combine(output, "policy"), recursive: true);
        Assert.Contains("none to compare it with", (await Called.Well("replay", output, "--output", again)).Out);
        Assert.True(File.Exists(Path.Combine(again, "model.safetensors")));
    }

    [Fact]
    public async Task Settings_may_be_given_and_those_that_change_the_result_are_refused_by_name()
    {
        var output = await Run();
        await Called.Well("replay", output, "--output", stream.NewOutput(), "--set", "selection.selectors=2");
        var again = stream.NewOutput();
        await Called.Refused(1, ["replay", output, "--output", again, "--set", "learner.beta=0.9"], output, "learner.beta was 0.5 and is 0.9");
        var file = stream.NewOutput() + ".conf";
        File.WriteAllText(file, "runtime.seed = 3");
        await Called.Refused(1, ["replay", output, "--output", again, "--config", file], "runtime.seed was 1 and is 3");
        await Called.Refused(2, ["replay", output, "--output", again, "--set", "learner.bata=0.9"], "learner.beta");
        Assert.False(Directory.Exists(again));
    }

    [Fact]
    public async Task Logs_that_disagree_make_no_policy()
    {
        var (output, again) = (await Run(), stream.NewOutput());
        var log = Path.Combine(output, "selections.jsonl");
        var lines = File.ReadAllLines(log);
        lines[20] = lines[20].Replace("\"gain\":", "\"gain\":1");
        File.WriteAllLines(log, lines);
        await Called.Refused(1, ["replay", output, "--output", again], "version 3, slot 20", log);
        File.WriteAllText(log, "not an event\n");
        await Called.Refused(1, ["replay", output, "--output", again], $"{log}, line 1");
        Assert.False(Directory.Exists(again));
    }

    [Fact]
    public async Task Data_or_a_policy_that_is_gone_or_another_is_named()
    {
        var data = stream.NewOutput() + ".jsonl";
        File.Copy(stream.Data, data);
        var (output, again) = (stream.NewOutput(), stream.NewOutput());
        await Called.Well("run", "--data", data, "--policy", stream.PolicyDirectory, "--output", output);
        File.AppendAllText(data, "{}\n");
        await Called.Refused(1, ["replay", output, "--output", again], "data was ");
        File.Delete(data);
        await Called.Refused(1, ["replay", output, "--output", again], data, "does not exist");
        var inputs = Path.Combine(output, "run.json");
        File.WriteAllText(inputs, File.ReadAllText(inputs).Replace(stream.PolicyDirectory, stream.PolicyDirectory + "-gone"));
        await Called.Refused(1, ["replay", output, "--output", again], stream.PolicyDirectory + "-gone");
        Assert.False(Directory.Exists(again));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"v\":1}")]
    [InlineData("{\"v\":1,\"policy\":1,\"data\":[],\"settings\":{}}")]
    public async Task Notes_of_a_run_that_are_malformed_are_named(string text)
    {
        var output = stream.NewOutput();
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, "run.json"), text);
        await Called.Refused(1, ["replay", output, "--output", stream.NewOutput()], Path.Combine(output, "run.json"), "malformed");
    }

    [Fact]
    public async Task Records_that_came_from_no_file_cannot_be_replayed_here()
    {
        var output = await Run();
        var inputs = Path.Combine(output, "run.json");
        var json = JsonNode.Parse(File.ReadAllText(inputs))!;
        json["data"] = null;
        File.WriteAllText(inputs, json.ToJsonString());
        await Called.Refused(1, ["replay", output, "--output", stream.NewOutput()], output, "did not come from files");
    }

    [Fact]
    public async Task A_directory_that_holds_no_run_is_refused_and_left_as_it_is()
    {
        var (foreign, again) = (stream.NewOutput(), stream.NewOutput());
        Directory.CreateDirectory(foreign);
        File.WriteAllText(Path.Combine(foreign, "mine.txt"), "mine");
        await Called.Refused(1, ["replay", foreign, "--output", again], foreign, "holds no run");
        Assert.Equal([Path.Combine(foreign, "mine.txt")], Directory.EnumerateFileSystemEntries(foreign));
        Assert.False(Directory.Exists(again));
    }

    [Fact]
    public async Task What_is_at_the_place_of_the_output_is_not_deleted_unless_it_is_another_policy()
    {
        var (output, other) = (await Run(), stream.NewOutput());
        var before = Snapshot(output);
        await Called.Refused(1, ["replay", output, "--output", Path.Combine(output, "policy")], "a policy of the run itself");
        await Called.Refused(1, ["replay", output, "--output", stream.PolicyDirectory + "/"], "a policy of the run itself");
        Directory.CreateDirectory(other);
        File.WriteAllText(Path.Combine(other, "mine.txt"), "mine");
        await Called.Refused(1, ["replay", output, "--output", other], "mine.txt");
        Assert.Equal("mine", File.ReadAllText(Path.Combine(other, "mine.txt")));
        Assert.Equal(before, Snapshot(output));
        var again = stream.NewOutput();
        await Called.Well("replay", output, "--output", again);
        await Called.Well("replay", output, "--output", again);
    }

    private async Task<string> Run(params string[] words)
    {
        var output = stream.NewOutput();
        await Called.Well(["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8", "--learning-rate", "1e-2", "--set", "learner.beta=0.5", .. words]);
        return output;
    }

    private static List<(string, string)> Snapshot(string output) =>
        [.. Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories).Order().Select(file => (file, ContentHash.Of(File.ReadAllBytes(file))))];
}
