using System.Text.Json.Nodes;
using MassDpo.App.Tests.Running;
using MassDpo.Audit.Logs;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Tests.Verbs;

/// <summary>The main job as it is called: what it prints, what it writes, how it goes on.</summary>
public sealed class RunVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private const int Good = SimulatedStream.Lines - SimulatedStream.Bad;

    private static readonly string[] Bad = ["encoding", "empty-pool", "field", "json", "unknown-item"];

    [Fact]
    public async Task An_output_directory_holds_these_files_and_the_result_is_a_policy()
    {
        var output = await Run("--eval", stream.Data);
        Assert.Equal(["checkpoints", "dead-letters.jsonl", "epoch", "evaluations.jsonl", "lock", "metrics.jsonl", "policy", "report.json", "run.json", "selections.jsonl", "updates.jsonl"],
            Directory.EnumerateFileSystemEntries(output).Select(path => Path.GetFileName(path)).Order());
        foreach (var kept in new[] { "config.json", "tokenizer.json" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(stream.PolicyDirectory, kept)), File.ReadAllBytes(Path.Combine(output, "policy", kept)));
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(stream.PolicyDirectory, "model.safetensors")), File.ReadAllBytes(Path.Combine(output, "policy", "model.safetensors")));
        using var weights = PolicyDirectory.LoadWeights(Path.Combine(output, "policy"), PolicyDirectory.LoadConfig(Path.Combine(output, "policy")));
        Assert.Equal(weights.ComputeHash(), (string?)Report(output)["policy_hash"]);
    }

    [Fact]
    public async Task Results_go_to_standard_output_and_progress_to_standard_error()
    {
        var output = stream.NewOutput();
        var called = await Called.Well([.. Words(output), "--eval", stream.Data]);
        Assert.Contains($"Done: {Good} records in 6 updates, {SimulatedStream.Bad} to dead letters", called.Out);
        Assert.Contains("duplicate candidates dropped", called.Out);
        Assert.Contains("unknown items dropped", called.Out);
        Assert.Contains("HR@1", called.Out);
        Assert.Contains("before", called.Out);
        Assert.Contains(Path.Combine(output, "policy"), called.Out);
        Assert.Empty(called.Error);
    }

    [Fact]
    public async Task The_report_has_these_fields()
    {
        var output = await Run("--eval", stream.Data, "--selectors", "2");
        var report = Report(output);
        Assert.Equal(["v", "stopped", "before", "after", "counts", "updates", "policy_hash", "seconds", "records_per_s", "lag", "notes", "settings", "build", "device", "threads", "reference_cache"], Names(report));
        Assert.Equal(["from_memory", "from_disk", "computed", "memory_bytes", "disk_bytes", "damaged"], Names(report["reference_cache"]!));
        Assert.Equal(["read", "applied", "dead", "duplicates", "unknown", "truncated", "cut_tokens"], Names(report["counts"]!));
        Assert.Equal(["p50", "p95", "max"], Names(report["lag"]!));
        Assert.Equal(["records", "hr@1", "mrr", "ndcg@5", "margin", "accuracy", "reward_accuracy", "reward_hr@1", "pl_loss", "skipped"], Names(report["before"]!));
        Assert.Equal(Names(report["before"]!), Names(report["after"]!));
        Assert.Equal((SimulatedStream.Lines, Good, SimulatedStream.Bad, 6), ((int)report["counts"]!["read"]!, (int)report["counts"]!["applied"]!, (int)report["counts"]!["dead"]!, (int)report["updates"]!));
        Assert.True((int)report["counts"]!["duplicates"]! > 0 && (int)report["counts"]!["unknown"]! > 0);
        Assert.False((bool)report["stopped"]!);
        Assert.Equal(("cpu", 1), ((string?)report["device"], (int)report["threads"]!));
        Assert.Contains("libtorch", (string?)report["build"]);
        var settings = report["settings"]!.AsObject().ToDictionary(setting => setting.Key, setting => (string?)setting.Value);
        Assert.Equal(EffectiveSettings.Documented.Select(leaf => leaf.Path).Where(key => key.Split('.')[0] is not ("sft" or "eval" or "demo" or "compare" or "generation" or "watch" or "cluster")).Order(StringComparer.Ordinal),
            settings.Keys);
        Assert.Equal(("8", "2", "1e-2"), (settings["learner.batch"], settings["selection.selectors"], settings["selection.ridge"]));
    }

    [Fact]
    public async Task What_replay_needs_is_noted()
    {
        var output = await Run();
        var noted = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "run.json")))!;
        Assert.Equal(["v", "policy", "data", "topic", "settings"], Names(noted));
        Assert.Null(noted["topic"]);
        Assert.Equal(stream.PolicyDirectory, (string?)noted["policy"]);
        Assert.Equal([stream.Data], noted["data"]!.AsArray().Select(file => (string?)file));
        Assert.True(JsonNode.DeepEquals(Report(output)["settings"], noted["settings"]));
    }

    [Fact]
    public async Task Every_line_of_every_log_has_these_fields()
    {
        var output = await Run();
        var first = Lines(output, "selections.jsonl", ["v", "id", "position", "slot", "version", "policy_hash", "reference_hash", "method", "k", "beta", "rho", "gamma", "features", "candidates", "picks", "information",
            "bound", "effective_rank", "rank", "lag", "epoch", "selector", "timing"])[0];
        Assert.Equal(["hash", "logp", "logp_ref", "z", "p"], Names(first["candidates"]![0]!));
        Assert.Equal(["index", "gain", "runner_up", "runner_up_gain"], Names(first["picks"]![0]!));
        Assert.Equal(["score_us", "reference_us", "select_us"], Names(first["timing"]!));
        var update = Lines(output, "updates.jsonl", ["v", "version", "slots", "positions", "events", "blocks", "loss", "learning_rate", "reference"])[0];
        Assert.Equal(["first", "count"], Names(update["slots"]!));
        Lines(output, "metrics.jsonl", ["v", "version", "records", "loss", "grad_norm", "learning_rate", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen",
            "logps/rejected", "hr@1", "mrr", "ndcg@5", "margin", "accuracy", "window", "records_per_s", "lag"]);
        Lines(output, "dead-letters.jsonl", ["v", "position", "file", "line", "code", "reason", "raw", "raw_bytes", "hash"]);
    }

    [Fact]
    public async Task A_record_that_cannot_be_used_goes_to_dead_letters_with_its_place_the_reason_and_itself()
    {
        var letters = DeadLetters.Read(await Run());
        Assert.Equal(Bad.Order(), letters.Select(letter => letter.Code).Order());
        var lines = File.ReadAllLines(stream.Data);
        foreach (var letter in letters)
        {
            var line = (int)letter.Line["line"]!;
            Assert.Equal(new Position(FileSource.SourceName, 0, line - 1), letter.Position);
            Assert.Equal(stream.Data, (string?)letter.Line["file"]);
            Assert.Equal(lines[line - 1], (string?)letter.Line["raw"]);
            Assert.NotEmpty((string)letter.Line["reason"]!);
        }
        var unknown = letters.Single(letter => letter.Code == "unknown-item").Line;
        Assert.Equal(24, (int)unknown["line"]!);
        Assert.Contains("'nowhere'", (string?)unknown["reason"]);
        Assert.Equal((ContentHash.Of(lines[23]), lines[23].Length), ((string?)unknown["hash"], (int)unknown["raw_bytes"]!));
    }

    [Theory]
    [InlineData("mass", true, true)]
    [InlineData("exact", true, true)]
    [InlineData("hardest", true, false)]
    [InlineData("random", false, false)]
    [InlineData("all", false, false)]
    public async Task Each_selector_trains_and_tells_what_it_computed(string selector, bool scores, bool informs)
    {
        var events = RunLog.Events(Path.Combine(await Run("--selector", selector, "--negatives", "2"), "selections.jsonl")).Select(e => e.Event).ToList();
        Assert.Equal(Good, events.Count);
        foreach (var e in events)
        {
            var negatives = e.Candidates.Count - 1;
            Assert.Equal(selector, e.Method);
            Assert.Equal(selector == "all" ? negatives : Math.Min(2, negatives), e.Picks.Count);
            Assert.Equal(e.Picks.Count, e.Picks.Select(pick => pick.Index).Distinct().Count());
            Assert.All(e.Picks, pick => Assert.InRange(pick.Index, 1, negatives));
            Assert.All(e.Candidates, candidate => Assert.Equal(scores, candidate.Logp is not null && candidate.Z is not null && candidate.P is not null));
            Assert.All(e.Picks, pick => Assert.NotNull(e.Candidates[pick.Index].LogpRef));
            Assert.Equal(informs, e.Information is not null && e.Rho is not null && e.Features is "output" && e.EffectiveRank is not null);
            if (scores)
                Assert.Equal(1, e.Candidates.Sum(candidate => candidate.P!.Value), 1e-6);
        }
    }

    [Fact]
    public async Task Run_again_it_goes_on_where_it_was()
    {
        var output = await Run("--max-records", "30");
        var first = File.ReadAllText(Path.Combine(output, "updates.jsonl"));
        var again = await Called.Well(Words(output));
        Assert.Contains("note: went on from checkpoint", again.Out);
        Assert.StartsWith(first, File.ReadAllText(Path.Combine(output, "updates.jsonl")));
        AssertEachLineOnce(output, passes: 1);
        Assert.Equal((SimulatedStream.Lines, Good), ((int)Report(output)["counts"]!["read"]!, (int)Report(output)["counts"]!["applied"]!));
        var third = await Called.Well(Words(output));
        Assert.Contains($"Done: {Good} records", third.Out);
        AssertEachLineOnce(output, passes: 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(49)]
    public async Task The_input_ends_after_max_records_counted_with_the_dead_ones(int most)
    {
        var output = await Run("--max-records", $"{most}");
        Assert.Equal(Enumerable.Range(0, most).Select(i => new Position(FileSource.SourceName, 0, i)), Settled(output));
        Assert.Equal(most, (int)Report(output)["counts"]!["read"]!);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("5")]
    [InlineData("all")]
    public async Task Two_passes_in_any_order_settle_every_line_twice(string shuffle)
    {
        var output = await Run("--passes", "2", "--shuffle", shuffle);
        AssertEachLineOnce(output, passes: 2);
        // In which order lines were read shows in the dead ones.
        var orders = DeadLetters.Read(output).ToLookup(letter => letter.Position.Pass, letter => ((int)letter.Line["line"]!, letter.Position.Index));
        foreach (var pass in orders)
            Assert.Equal([5, 12, 24, 38, 50], pass.Select(dead => dead.Item1).Order());
        Assert.Equal(shuffle == "none", orders.All(pass => pass.All(dead => dead.Item1 == dead.Index + 1)));
        Assert.Equal(shuffle == "none", orders[0].Order().SequenceEqual(orders[1].Order()));
    }

    [Fact]
    public async Task Several_files_are_one_stream()
    {
        var output = stream.NewOutput();
        await Called.Well("run", "--data", stream.Data, stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8");
        Assert.Equal(2 * Good, (int)Report(output)["counts"]!["applied"]!);
        Assert.All(Settled(output), position => Assert.Equal(0, position.Pass));
    }

    [Fact]
    public async Task Evaluation_measures_before_and_after_as_eval_does_and_changes_nothing()
    {
        var (with, without) = (await Run("--eval", stream.Data), await Run());
        Assert.Equal(File.ReadAllBytes(Path.Combine(without, "policy", "model.safetensors")), File.ReadAllBytes(Path.Combine(with, "policy", "model.safetensors")));
        Assert.Null(Report(without)["after"]);
        foreach (var (field, policy) in new[] { ("before", stream.PolicyDirectory), ("after", Path.Combine(with, "policy")) })
        {
            var measured = (await Called.Well("eval", "--policy", policy, "--data", stream.Data, "--reference", stream.PolicyDirectory, "--json")).Json;
            foreach (var reported in Report(with)[field]!.AsObject())
                Assert.True(JsonNode.DeepEquals(measured[reported.Key], reported.Value), $"{field}.{reported.Key}");
        }
    }

    [Fact]
    public async Task Settings_that_change_results_are_refused_by_name_and_what_is_there_stays()
    {
        var output = await Run("--max-records", "30");
        var before = Snapshot(output);
        await Called.Refused(1, [.. Words(output), "--beta", "0.9", "--selector", "random"], "learner.beta was 0.5 and is 0.9", "selection.method was mass and is random", "--continue-with-changes");
        Assert.Equal(before, Snapshot(output));
        // Above all what a replay needs is still that of the run.
        await Called.Well("replay", output, "--output", stream.NewOutput());
    }

    [Fact]
    public async Task Other_data_or_another_policy_is_refused_by_name()
    {
        var output = await Run("--max-records", "30");
        var (data, policy) = (stream.NewOutput() + ".jsonl", stream.NewOutput());
        File.WriteAllText(data, File.ReadLines(stream.Data).First() + "\n");
        MadePolicy.Write(policy, stream.Policy.Config, seed: 2);
        await Called.Refused(1, ["run", "--data", data, "--policy", policy, "--output", output, "--batch", "8"], "data was ", "policy was ");
    }

    [Theory]
    [InlineData("shrank")]
    [InlineData("grew")]
    [InlineData("changed")]
    public async Task Data_that_is_not_what_it_was_is_refused_with_the_remedy_and_what_is_there_stays(string how)
    {
        var (data, output) = (stream.NewOutput() + ".jsonl", stream.NewOutput());
        File.Copy(stream.Data, data);
        string[] words = ["run", "--data", data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8"];
        await Called.Well([.. words, "--max-records", "30"]);
        var before = Snapshot(output);
        var lines = File.ReadAllLines(data);
        // Even where nothing that was read yet is touched.
        File.WriteAllLines(data, how switch { "shrank" => lines[..^1], "grew" => [.. lines, lines[0]], _ => [.. lines[..^1], lines[0]] });
        await Called.Refused(1, words, output, "data was ", "--continue-with-changes", "choose another output directory");
        Assert.Equal(before, Snapshot(output));
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    public async Task The_same_weights_with_another_meaning_are_another_policy(string file)
    {
        var policy = stream.NewOutput();
        Directory.CreateDirectory(policy);
        foreach (var part in Directory.EnumerateFiles(stream.PolicyDirectory))
            File.Copy(part, Path.Combine(policy, Path.GetFileName(part)));
        var (output, changed) = (stream.NewOutput(), Path.Combine(policy, file));
        string[] words = ["run", "--data", stream.Data, "--policy", policy, "--output", output, "--max-records", "30"];
        await Called.Well(words);
        File.AppendAllText(changed, "\n");
        await Called.Refused(1, words, "policy was weights", $"{Path.GetFileNameWithoutExtension(file)} {ContentHash.Of(File.ReadAllBytes(changed))[..16]}");
    }

    [Fact]
    public async Task Continue_with_changes_lets_them_through_and_the_report_says_so()
    {
        var output = await Run("--max-records", "30");
        var called = await Called.Well([.. Words(output), "--beta", "0.9", "--continue-with-changes"]);
        const string note = "continued with a change: learner.beta was 0.5 and is 0.9";
        Assert.Contains(note, called.Out);
        Assert.Contains(note, Report(output)["notes"]!.AsArray().Select(text => (string?)text));
        Assert.Equal("0.9", (string?)JsonNode.Parse(File.ReadAllText(Path.Combine(output, "run.json")))!["settings"]!["learner.beta"]);
        Assert.Equal([0.5, 0.9], RunLog.Events(Path.Combine(output, "selections.jsonl")).Select(e => e.Event.Beta).Distinct());
        AssertEachLineOnce(output, passes: 1);
    }

    [Fact]
    public async Task Settings_that_change_no_result_may_differ()
    {
        var output = await Run("--max-records", "30");
        await Called.Well([.. Words(output), "--passes", "2", "--selectors", "3", "--max-staleness", "1", "--set", "checkpoint.updates=1", "--set", "metrics.window=10"]);
        AssertEachLineOnce(output, passes: 2);
    }

    [Fact]
    public async Task An_output_directory_in_use_is_refused_and_left_as_it_is()
    {
        var output = await Run("--max-records", "30");
        using var held = RunDirectory.Open(output, PhysicalFiles.Instance);
        var before = Snapshot(output);
        await Called.Refused(1, Words(output), output, "in use by another process");
        Assert.Equal(before, Snapshot(output));
    }

    [Theory]
    [InlineData("", "the data has no records")]
    [InlineData("not a record\n{}\n", "all 2 records went to", "dead-letters.jsonl")]
    public async Task Nothing_to_train_on_is_a_failure_that_says_why(string data, params string[] words)
    {
        var (file, output) = (stream.NewOutput() + ".jsonl", stream.NewOutput());
        File.WriteAllText(file, data);
        var called = await Called.With("run", "--data", file, "--policy", stream.PolicyDirectory, "--output", output);
        Assert.Equal(1, called.ExitCode);
        Assert.All([.. words, "nothing was trained"], word => Assert.Contains(word, called.Error));
        Assert.Equal(File.ReadAllBytes(Path.Combine(stream.PolicyDirectory, "model.safetensors")), File.ReadAllBytes(Path.Combine(output, "policy", "model.safetensors")));
    }

    [Fact]
    public async Task Evaluation_data_without_a_record_that_can_be_measured_is_refused_before_anything_is_trained()
    {
        var (file, output) = (stream.NewOutput() + ".jsonl", stream.NewOutput());
        File.WriteAllText(file, "{\"prompt\": {\"history\": []}, \"chosen\": \"nowhere\", \"rejected\": [\"i1\"]}\n");
        await Called.Refused(1, [.. Words(output), "--eval", file], file, "no record can be measured", "'nowhere'");
        Assert.False(File.Exists(Path.Combine(output, "updates.jsonl")));
    }

    [Fact]
    public async Task A_policy_that_the_result_would_replace_is_kept()
    {
        var output = stream.NewOutput();
        var policy = Path.Combine(output, "policy");
        MadePolicy.Write(policy, stream.Policy.Config, seed: 3);
        var weights = File.ReadAllBytes(Path.Combine(policy, "model.safetensors"));
        // The one that the run starts from, one that has nothing to do with it, and something that is no policy.
        await Called.Refused(1, ["run", "--data", stream.Data, "--policy", policy + "/", "--output", output], policy, "would replace the policy that it starts from");
        await Called.Refused(1, Words(output), policy, "no run wrote");
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(policy, "model.safetensors")));
        File.WriteAllText(Path.Combine(policy, "notes.txt"), "mine");
        await Called.Refused(1, Words(output), "notes.txt");
        Assert.Equal("mine", File.ReadAllText(Path.Combine(policy, "notes.txt")));
    }

    [Fact]
    public async Task A_seed_gives_one_result_and_another_seed_another()
    {
        string[] drawn = ["--selector", "random", "--shuffle", "all"];
        var (one, again, other) = (await Run([.. drawn, "--seed", "5"]), await Run([.. drawn, "--seed", "5"]), await Run([.. drawn, "--seed", "6"]));
        RunTrace.Of(again).AssertSame(RunTrace.Of(one));
        Assert.NotEqual(RunTrace.Of(one).Weights, RunTrace.Of(other).Weights);
    }

    private string[] Words(string output) =>
        ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8", "--learning-rate", "1e-2", "--set", "learner.beta=0.5", "--set", "selection.block=3"];

    private async Task<string> Run(params string[] words)
    {
        var output = stream.NewOutput();
        await Called.Well([.. Words(output), .. words]);
        return output;
    }

    private static JsonObject Report(string output) => JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!.AsObject();

    private static IEnumerable<string> Names(JsonNode json) => json.AsObject().Select(field => field.Key);

    private static List<JsonObject> Lines(string output, string log, string[] fields)
    {
        var lines = File.ReadLines(Path.Combine(output, log)).Select(line => JsonNode.Parse(line)!.AsObject()).ToList();
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Equal(fields, Names(line)));
        Assert.All(lines, line => Assert.Equal(1, (int)line["v"]!));
        return lines;
    }

    private static List<Position> Settled(string output)
    {
        var trace = RunTrace.Of(output);
        return [.. trace.Trained.Concat(trace.Dead.Select(letter => letter.Position)).OrderBy(position => (position.Pass, position.Index))];
    }

    private static void AssertEachLineOnce(string output, int passes) => Assert.Equal(
        Enumerable.Range(0, passes).SelectMany(pass => Enumerable.Range(0, SimulatedStream.Lines).Select(i => new Position(FileSource.SourceName, pass, i))), Settled(output));

    // All that a directory holds, but for the files by which processes keep apart.
    private static List<(string, string)> Snapshot(string output) =>
    [
        .. Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) is not ("lock" or "epoch")).Order()
            .Select(file => (file, ContentHash.Of(File.ReadAllBytes(file)))),
    ];
}
