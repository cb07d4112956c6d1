using System.Text.Json;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.TestKit;
using static MassDpo.Policy.Tests.GoldenNumbers;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Lora;

/// <summary>Against what PEFT gave for adapters on checkpoints of the whole family.</summary>
public sealed class GoldenAdapterTests
{
    private const string Fixtures = "fixtures/hf";

    public static TheoryData<string> Models => ["llama-tied", "llama3-rope", "mistral-window", "qwen2-bias", "qwen3-qknorm", "smollm-bf16"];

    [SharedDataTheory(Fixtures)]
    [MemberData(nameof(Models))]
    public void An_adapter_gives_the_log_probs_and_gradients_of_PEFT(string name)
    {
        using var golden = new Golden(name, "adapter");
        var lora = golden.Json.GetProperty("lora");
        AssertRelative(Doubles(lora.GetProperty("candidate_logps")), new PoolScorer(golden.Model).ScoreAlone(golden.Weights, golden.Pool), 1e-4);
        var reference = new PoolScorer(golden.Model).ScoreAlone(golden.Base, golden.Pool);
        AssertRelative(Doubles(lora.GetProperty("reference_logps")), reference, 1e-4);

        using var trained = golden.Weights.Copy(trainable: true);
        using var scorer = new DifferentiableScorer(golden.Model, trained);
        using var scope = NewDisposeScope();
        var z = (scorer.Logps([golden.Pool]) - tensor(reference)) * lora.GetProperty("beta").GetDouble();
        Assert.Equal(0, lora.GetProperty("chosen").GetInt32());
        // Plackett–Luce with candidate 0 preferred: all log-ratios against its own.
        var loss = (z - z.narrow(0, 0, 1)).logsumexp(0);
        AssertRelative([lora.GetProperty("pl_dpo_loss").GetDouble()], [loss.item<float>()], 1e-4);
        scorer.Backward(loss);
        var gradients = SafetensorsFile.Read(Path.Combine(golden.Directory, "lora_grads.safetensors"));
        Assert.Equal(gradients.Keys.Order(StringComparer.Ordinal), trained.Tensors.Keys);
        foreach (var (tensorName, expected) in gradients)
        {
            using (expected)
                AssertRelative(Array.ConvertAll(expected.data<float>().ToArray(), x => (double)x), trained.Tensors[tensorName].grad!.data<float>().ToArray(), 1e-3);
        }
    }

    [SharedDataTheory(Fixtures)]
    [MemberData(nameof(Models))]
    public void Features_of_an_adapter_have_the_inner_products_of_its_gradients(string name)
    {
        using var golden = new Golden(name, "adapter");
        double[][] expected = [.. golden.Json.GetProperty("features").GetProperty("lora_gram").EnumerateArray().Select(Doubles)];
        // At once, and candidate by candidate.
        foreach (var limits in new[] { ComputeLimits.Default, new ComputeLimits(1) { Logits = 1 } })
        {
            var scorer = new PoolScorer(golden.Model, limits);
            var plain = scorer.Score(golden.Weights, [golden.Pool], new FeatureForm(FeatureKind.Lora, false));
            AssertRelative(Doubles(golden.Json.GetProperty("lora").GetProperty("candidate_logps")), plain.Logps, 1e-4);
            AssertRelative([.. expected.SelectMany(row => row)], Array.ConvertAll(plain.Grams![0], x => (float)x), 1e-4);
            // Single entries, each by the lengths of its two: small ones count as much.
            var cosines = scorer.Score(golden.Weights, [golden.Pool], new FeatureForm(FeatureKind.Lora, true)).Grams![0];
            AssertRelative([.. expected.SelectMany((row, i) => row.Select((x, j) => x / Math.Sqrt(expected[i][i] * expected[j][j])))], Array.ConvertAll(cosines, x => (float)x), 1e-4);
        }
    }

    [SharedDataFact(Fixtures)]
    public void Rank_patterns_and_rank_stabilised_scaling_are_PEFTs()
    {
        using var golden = new Golden("llama-tied", "adapter-rslora");
        AssertRelative(Doubles(golden.Json.GetProperty("rslora_candidate_logps")), new PoolScorer(golden.Model).ScoreAlone(golden.Weights, golden.Pool), 1e-4);
        Assert.Equal((6, 3), (golden.Weights.Lora!.RankOf("model.layers.0.self_attn.q_proj"), golden.Weights.Lora.RankOf("model.layers.2.mlp.down_proj")));
    }

    [SharedDataTheory(Fixtures)]
    [MemberData(nameof(Models))]
    public void Merged_into_its_base_an_adapter_gives_the_same_policy(string name)
    {
        using var golden = new Golden(name, "adapter");
        using var merged = golden.Weights.Merged();
        Assert.Null(merged.Lora);
        var scorer = new PoolScorer(golden.Model, tensorOperationsOnly: true);
        AssertRelative(Array.ConvertAll(scorer.ScoreAlone(golden.Weights, golden.Pool), x => (double)x), scorer.ScoreAlone(merged, golden.Pool), 1e-5);
        Assert.NotEqual(golden.Base.ComputeHash(), merged.ComputeHash());
    }

    [SharedDataTheory(Fixtures)]
    [InlineData("llama-tied", "adapter-rslora")]
    [InlineData("qwen2-bias", "adapter")]
    public void An_adapter_that_was_read_is_written_with_the_same_bytes_and_config(string name, string adapter)
    {
        using var golden = new Golden(name, adapter);
        using var folder = new TempFolder();
        var original = Path.Combine(golden.Directory, adapter);
        PolicyDirectory.SaveLike(new PolicyOrigin(golden.Directory, original), folder["written"], PhysicalFiles.Instance, golden.Weights);
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], Directory.GetFiles(folder["written"]).Select(file => Path.GetFileName(file)).Order());
        Assert.Equal(File.ReadAllBytes(Path.Combine(original, PeftDirectory.Weights)), File.ReadAllBytes(Path.Combine(folder["written"], PeftDirectory.Weights)));
        var (before, after) = (Config(original), Config(folder["written"]));
        Assert.Equal(golden.Directory, after["base_model_name_or_path"].GetString());
        Assert.Equal(Text(before), Text(after));

        var origin = PolicyOrigin.Of(folder["written"]);
        Assert.Equal((golden.Directory, folder["written"]), (origin.Base, origin.Adapter));
        using var again = origin.LoadWeights(golden.Weights.Config);
        Assert.Equal(golden.Weights.ComputeHash(), again.ComputeHash());

        static string Text(Dictionary<string, JsonElement> config) =>
            string.Join('\n', config.Where(field => field.Key != "base_model_name_or_path").Select(field => $"{field.Key} {JsonSerializer.Serialize(field.Value)}"));
    }

    [SharedDataTheory(Fixtures)]
    [InlineData("llama-tied", "adapter-rslora")]
    [InlineData("qwen3-qknorm", "adapter")]
    public void A_fresh_adapter_is_written_with_the_names_shapes_and_configuration_of_PEFT(string name, string adapter)
    {
        using var golden = new Golden(name, adapter);
        using var folder = new TempFolder();
        using var fresh = golden.Base.WithFreshAdapter(golden.Weights.Lora!, seed: 3);
        PolicyDirectory.SaveLike(new PolicyOrigin(golden.Directory), folder["written"], PhysicalFiles.Instance, fresh);
        var original = Path.Combine(golden.Directory, adapter);
        Assert.Equal(Shapes(original), Shapes(folder["written"]));
        // Every field of ours is as PEFT has it; what PEFT has besides means nothing, or that something is off.
        var (theirs, ours) = (Config(original), Config(folder["written"]));
        foreach (var (field, value) in ours.Where(field => field.Key != "base_model_name_or_path"))
            Assert.Equal(Value(theirs[field]), Value(value));
        using var loaded = PolicyOrigin.Of(folder["written"]).LoadWeights(golden.Base.Config);
        Assert.Equal(Text(golden.Weights.Lora!), Text(loaded.Lora!));

        static string Text(LoraOptions options) => PeftConfig.ToJson(options, null).ToJsonString();

        static string Shapes(string directory)
        {
            using var tensors = PeftDirectory.Open(directory);
            return string.Join('\n', tensors.Entries.Select(entry => $"{entry.Key} {entry.Value.Type} [{string.Join(',', entry.Value.Shape)}]").Order(StringComparer.Ordinal));
        }

        static string Value(JsonElement value) => value.ValueKind == JsonValueKind.Array
            ? string.Join(',', value.EnumerateArray().Select(item => item.GetString()).Order(StringComparer.Ordinal))
            : value.ValueKind == JsonValueKind.Number ? value.GetDouble().ToString("R", System.Globalization.CultureInfo.InvariantCulture)
            : JsonSerializer.Serialize(value);
    }

    private static Dictionary<string, JsonElement> Config(string directory) =>
        JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllBytes(Path.Combine(directory, PeftDirectory.Config)))!;

    private sealed class Golden : IDisposable
    {
        private readonly JsonDocument _document;

        public Golden(string name, string adapter)
        {
            Directory = SharedData.PathOf($"{Fixtures}/{name}");
            _document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Directory, "golden.json")));
            var config = PolicyDirectory.LoadConfig(Directory);
            (Base, Model) = (PolicyDirectory.LoadWeights(Directory, config), new LlamaModel(config));
            Weights = PeftDirectory.Load(Path.Combine(Directory, adapter), Base);
            Pool = new EncodedPool(Ints(Json.GetProperty("prompt")), [.. Json.GetProperty("candidates").EnumerateArray().Select(Ints)]);
        }

        public string Directory { get; }

        public JsonElement Json => _document.RootElement;

        public LlamaModel Model { get; }

        public PolicyWeights Base { get; }

        public PolicyWeights Weights { get; }

        public EncodedPool Pool { get; }

        public void Dispose()
        {
            Weights.Dispose();
            Base.Dispose();
            Model.Dispose();
            _document.Dispose();
        }
    }
}
