using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Tests.Running;
using MassDpo.Policy;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

/// <summary>Runs that train an adapter, end to end through the command line.</summary>
public sealed class LoraRunTests : IDisposable
{
    private const string Adapter = "adapter_model.safetensors";

    private readonly SimulatedStream _stream = new();
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData(PolicyFamily.Llama)]
    [InlineData(PolicyFamily.Qwen3)]
    public async Task A_run_trains_an_adapter_which_is_replayed_bit_for_bit_and_is_itself_a_policy(PolicyFamily family)
    {
        var policy = Written(family);
        var before = File.ReadAllBytes(Path.Combine(policy, "model.safetensors"));
        var output = _folder["output"];
        await Called.Well(Words(policy, output, "--passes", "2", "--selectors", "2", "--eval", _stream.Data));
        Assert.Equal(["adapter_config.json", Adapter], Directory.GetFiles(Path.Combine(output, "policy")).Select(file => Path.GetFileName(file)).Order());
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(policy, "model.safetensors")));
        var report = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!;
        Assert.NotEqual((double)report["before"]!["pl_loss"]!, (double)report["after"]!["pl_loss"]!);

        Assert.Contains("bit for bit the one in", (await Called.Well("replay", output, "--output", _folder["again"])).Out);
        Assert.Equal(Trained(output), File.ReadAllBytes(_folder[$"again/{Adapter}"]));
        // As a policy of its own it measures what the run measured at its end.
        var measured = JsonNode.Parse((await Called.Well("eval", "--data", _stream.Data, "--policy", Path.Combine(output, "policy"), "--reference", policy, "--json")).Out)!;
        Assert.Equal((double)report["after"]!["pl_loss"]!, (double)measured["pl_loss"]!, 1e-5);
    }

    [Fact]
    public async Task A_run_that_is_stopped_and_goes_on_gives_the_same_adapter()
    {
        var policy = Written(PolicyFamily.Llama);
        await Called.Well(Words(policy, _folder["whole"], "--passes", "2"));
        await Called.Well(Words(policy, _folder["parts"], "--passes", "1"));
        await Called.Well(Words(policy, _folder["parts"], "--passes", "2"));
        // What the end of a pass cuts short differs: only where batches fall alike is it the same.
        Assert.Equal(Updates(_folder["whole"]).Take(5), Updates(_folder["parts"]).Take(5));
        await Called.Refused(1, Words(policy, _folder["parts"], "--passes", "3", "--set", "lora.rank=4"), "lora.rank was 3 and is 4");
        await Called.Refused(1, [.. Words(policy, _folder["parts"], "--passes", "3"), "--set", "lora.rank=0"], "lora.rank was 3 and is 0");
    }

    [Fact]
    public async Task An_adapter_goes_on_being_trained_from_its_directory_or_named_beside_its_base()
    {
        var policy = Written(PolicyFamily.Llama);
        await Called.Well(Words(policy, _folder["first"]));
        var adapter = _folder["first/policy"];
        string[] rest = ["--data", _stream.Data, "--set", "learner.learning-rate=1e-2"];
        await Called.Well(["run", "--policy", adapter, "--output", _folder["a"], .. rest]);
        await Called.Well(["run", "--policy", policy, "--output", _folder["b"], "--set", $"lora.adapter={adapter}", .. rest]);
        Assert.NotEqual(Trained(_folder["first"]), Trained(_folder["a"]));
        Assert.Equal(Trained(_folder["a"]), Trained(_folder["b"]));
        Assert.Contains("bit for bit the one in", (await Called.Well("replay", _folder["a"], "--output", _folder["again"])).Out);
        await Called.Refused(1, Words(adapter, _folder["c"]), "goes on training as it is", "leave lora.rank at 0");
        await Called.Refused(2, [.. Words(policy, _folder["c"]), "--set", $"lora.adapter={adapter}"], "lora.adapter", "leave lora.rank at 0");
    }

    [Fact]
    public async Task A_checkpoint_of_an_adapter_is_promoted_and_rolled_back_to()
    {
        var output = _folder["output"];
        await Called.Well(Words(Written(PolicyFamily.Llama), output, "--passes", "2", "--set", "checkpoint.keep=10"));
        await Called.Well("checkpoints", "promote", output, "--checkpoint", "6", "--to", _folder["promoted"]);
        Assert.NotEqual(Trained(output), File.ReadAllBytes(_folder[$"promoted/{Adapter}"]));
        await Called.Well("checkpoints", "rollback", output, "6");
        Assert.Equal(Trained(output), File.ReadAllBytes(_folder[$"promoted/{Adapter}"]));
    }

    [Theory]
    [InlineData(PolicyFamily.Llama)]
    [InlineData(PolicyFamily.Qwen3)]
    public async Task A_checkpoint_of_an_adapter_is_merged_into_its_base_on_request_and_says_the_same(PolicyFamily family)
    {
        var (policy, output, whole) = (Written(family), _folder["output"], _folder["whole"]);
        await Called.Well(Words(policy, output, "--passes", "2"));
        Assert.Contains("merged into its base", (await Called.Well("checkpoints", "promote", output, "--to", whole, "--merge", "--eval", _stream.Data, "--gate", "hr@1>=0")).Out);
        Assert.Equal(Files(policy), Files(whole));
        using var merged = LoadedPolicy.Load(whole);
        using var adapted = LoadedPolicy.Load(Path.Combine(output, "policy"));
        using var found = LoadedPolicy.Load(policy);
        Assert.Null(merged.Weights.Lora);
        var (expected, before) = (await Logps(adapted), await Logps(found));
        Assert.All((await Logps(merged)).Zip(expected), pair => Assert.Equal(pair.Second, pair.First, Math.Abs(pair.Second) * 1e-5));
        Assert.Contains(before.Zip(expected), pair => Math.Abs(pair.First - pair.Second) > Math.Abs(pair.Second) * 1e-2);
        // What was measured is what was written.
        var promotion = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "promotions.jsonl")))!;
        Assert.True((bool)promotion["merged"]!);
        var measured = (await Called.Well("eval", "--data", _stream.Data, "--policy", whole, "--reference", policy, "--json")).Json;
        Assert.Equal((double)measured["pl_loss"]!, (double)promotion["evaluation"]!["pl_loss"]!);
        // An adapter alone may take its place again.
        await Called.Well("checkpoints", "promote", output, "--to", whole);
        Assert.Equal(["adapter_config.json", Adapter], Files(whole));
        Assert.False((bool)JsonNode.Parse(File.ReadLines(Path.Combine(output, "promotions.jsonl")).Last())!["merged"]!);

        static IEnumerable<string> Files(string directory) => Directory.GetFiles(directory).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal);
    }

    [Fact]
    public async Task An_adapter_whose_base_lies_elsewhere_is_used_beside_it_by_every_verb()
    {
        var (policy, adapter) = (Written(PolicyFamily.Llama), _folder["output/policy"]);
        await Called.Well(Words(policy, _folder["output"], "--passes", "2"));
        string[][] verbs =
        [
            // What a reference is measured with is its own.
            ["eval", "--data", _stream.Data, "--json", "--reference", policy], ["generate", "--ids", "0,5", "--json", "--max-tokens", "8"], ["validate", _stream.Data],
        ];
        var (found, alone) = (new List<string>(), new List<string>());
        foreach (var verb in verbs)
        {
            found.Add(Answer(await Called.With([.. verb, "--policy", adapter])));
            alone.Add(Answer(await Called.With([.. verb, "--policy", policy])));
        }
        Assert.NotEqual(alone[..2], found[..2]);
        Assert.Equal(alone[2], found[2]);
        var config = Path.Combine(adapter, "adapter_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace(policy, "someone/a-model"));
        foreach (var (verb, expected) in verbs.Zip(found))
        {
            await Called.Refused(1, [.. verb, "--policy", adapter], "its base 'someone/a-model' is no directory here", "lora.adapter", "adapter_config.json");
            // The remedy.
            Assert.Equal(expected, Answer(await Called.With([.. verb, "--policy", policy, "--set", $"lora.adapter={adapter}"])));
        }
        await Called.Refused(1, ["score", "--data", _stream.Data, "--policy", adapter], "lora.adapter");
        await Called.Refused(1, ["score", "--data", _stream.Data, "--policy", policy, "--set", $"lora.adapter={policy}"], $"{policy} holds no adapter");

        // The numbers alone: the verb names the policy by its directory.
        string Answer(Called called) => called.Out.Replace(adapter, "POLICY").Replace(policy, "POLICY");
    }

    [Fact]
    public async Task A_run_that_trains_all_weights_has_nothing_to_merge()
    {
        var (policy, output) = (Written(PolicyFamily.Llama), _folder["output"]);
        await Called.Well(Words(policy, output, "--set", "lora.rank=0"));
        await Called.Refused(1, ["checkpoints", "promote", output, "--to", _folder["whole"], "--merge"], $"{output} trains all weights", "leave --merge out");
        Assert.False(Directory.Exists(_folder["whole"]));
    }

    [Theory]
    [InlineData("lora.targets=lm_head", 1, "'lm_head' is none of the matrices")]
    [InlineData("lora.targets=", 2, "lora.targets")]
    [InlineData("lora.rank-pattern=q_proj", 2, "down_proj 4")]
    [InlineData("lora.rank-pattern=q_proj 0", 2, "lora.rank-pattern")]
    [InlineData("reference.mix=0.5", 2, "a mixture of two adapters")]
    public async Task Settings_that_make_no_adapter_are_refused_with_the_remedy(string setting, int code, string named) =>
        await Called.Refused(code, [.. Words(Written(PolicyFamily.Llama), _folder["none"]), "--set", "reference.refresh=2", "--set", setting], named);

    public void Dispose()
    {
        _stream.Dispose();
        _folder.Dispose();
    }

    private string Written(PolicyFamily family)
    {
        var config = MadePolicy.Config(vocabulary: 40, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 16) with { Family = family };
        using var weights = MadePolicy.Weights(config);
        PolicyDirectory.Save(_folder["policy"], config, WordLevelTokenizer.Create(MadePolicy.Items(config), splitsAtWhitespace: false), weights);
        return _folder["policy"];
    }

    private string[] Words(string policy, string output, params string[] more) =>
    [
        "run", "--data", _stream.Data, "--policy", policy, "--output", output, "--set", "lora.rank=3", "--set", "lora.alpha=12", "--set", "lora.rank-pattern=down_proj 2",
        "--set", "learner.batch=8", "--set", "learner.learning-rate=2e-2", "--set", "checkpoint.updates=2", .. more,
    ];

    private async Task<double[]> Logps(LoadedPolicy policy)
    {
        var options = new EvaluationOptions(Beta: 1, Batch: 7, MaxRecordBytes: 1 << 20);
        var records = await EvaluationData.LoadAsync([_stream.Data], policy.Encoder, options, CancellationToken.None);
        return [.. Evaluator.Score(policy.Scorer, policy.Weights, records.Pools, options.Batch).SelectMany(logps => logps).Select(logp => (double)logp)];
    }

    private static byte[] Trained(string output) => File.ReadAllBytes(Path.Combine(output, "policy", Adapter));

    private static IEnumerable<string?> Updates(string output) =>
        File.ReadLines(Path.Combine(output, "updates.jsonl")).Select(line => (string?)JsonNode.Parse(line)!["policy_hash"] ?? line);
}
