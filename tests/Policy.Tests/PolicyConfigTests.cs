using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests;

public sealed class PolicyConfigTests
{
    private static PolicyConfig Load(JsonObject json)
    {
        using var folder = new TempFolder();
        return PolicyConfig.Load(folder.Write("config.json", json.ToJsonString()));
    }

    private static string Refusal(string json)
    {
        using var folder = new TempFolder();
        var file = folder.Write("config.json", json);
        var refusal = Assert.Throws<PolicyFormatException>(() => PolicyConfig.Load(file));
        Assert.StartsWith(file, refusal.Message);
        return refusal.Message[file.Length..];
    }

    /// <summary>What a checkpoint published before transformers 5 may get by with.</summary>
    private static JsonObject Least() => new()
    {
        ["model_type"] = "llama",
        ["hidden_act"] = "silu",
        ["hidden_size"] = 64,
        ["intermediate_size"] = 160,
        ["num_hidden_layers"] = 3,
        ["num_attention_heads"] = 8,
        ["vocab_size"] = 1000,
    };

    private const string Llama3 =
        """{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":64}""";

    private static JsonObject With(string name, string value)
    {
        var json = Least();
        json[name] = JsonNode.Parse(value);
        return json;
    }

    [SharedDataTheory("fixtures/hf")]
    [InlineData("llama-tied")]
    [InlineData("llama3-rope")]
    [InlineData("smollm-bf16")]
    [InlineData("mistral-window")]
    [InlineData("qwen2-bias")]
    [InlineData("qwen3-qknorm")]
    public void Both_forms_of_a_config_load_to_the_same_numbers(string name)
    {
        var newer = PolicyConfig.Load(SharedData.PathOf($"fixtures/hf/{name}/config.json"));
        Assert.Equal(newer, PolicyConfig.Load(SharedData.PathOf($"fixtures/hf/{name}/config.v4.json")));
        Assert.Equal(name is not ("llama3-rope" or "mistral-window"), newer.TiedEmbeddings);
        Assert.Equal(name switch { "mistral-window" => PolicyFamily.Mistral, "qwen2-bias" => PolicyFamily.Qwen2, "qwen3-qknorm" => PolicyFamily.Qwen3, _ => PolicyFamily.Llama }, newer.Family);
        Assert.Equal((name == "mistral-window" ? 12 : null, 0), (newer.Window, newer.FirstWindowedLayer));
        Assert.Equal((64, 160, 3, 8, 2), (newer.HiddenSize, newer.IntermediateSize, newer.Layers, newer.Heads, newer.KeyValueHeads));
        Assert.Equal((name == "qwen3-qknorm" ? 16 : 8, 1088, 256, 1e-6), (newer.HeadSize, newer.VocabularySize, newer.MaxPositions, newer.RmsNormEpsilon));
        Assert.Equal((1, 2), (newer.BosTokenId, newer.EosTokenId));
        Assert.Equal(name switch { "llama3-rope" => 500_000, "smollm-bf16" => 100_000, _ => 10_000 }, newer.RopeTheta);
        Assert.Equal(name == "llama3-rope" ? new Llama3RopeScaling(8, 1, 4, 64) : null, newer.RopeScaling);
    }

    [SharedDataTheory("fixtures/refuse")]
    [InlineData("gelu", "hidden_act 'gelu'")]
    [InlineData("gemma2", "model_type 'gemma2'")]
    [InlineData("heads-do-not-divide", "num_key_value_heads 5")]
    [InlineData("longrope-v4", "rope_type 'longrope'")]
    [InlineData("moe", "model_type 'qwen3_moe'")]
    [InlineData("partial-rotary", "partial_rotary_factor = 0.5")]
    [InlineData("quantized", "quantization_config")]
    [InlineData("yarn", "rope_type 'yarn'")]
    public void A_config_that_would_change_the_mathematics_is_refused_by_its_field(string name, string field)
    {
        var file = SharedData.PathOf($"fixtures/refuse/{name}.json");
        var refusal = Assert.Throws<PolicyFormatException>(() => PolicyConfig.Load(file));
        Assert.Contains(file, refusal.Message);
        Assert.Contains(field, refusal.Message);
    }

    [SharedDataFact("fixtures/refuse")]
    public void Every_config_that_must_be_refused_is()
    {
        var files = Directory.GetFiles(SharedData.PathOf("fixtures/refuse"), "*.json");
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.Throws<PolicyFormatException>(() => PolicyConfig.Load(file)));
    }

    /// <summary>A family, fields beside the least, and what window they give from which layer on, or what the refusal names.</summary>
    public static TheoryData<string, string, string> Windows => new()
    {
        { "mistral", """ "sliding_window":4096""", "none" },
        { "mistral", """ "sliding_window":null""", "none" },
        { "mistral", """ "sliding_window":12""", "12 from 0" },
        { "mistral", """ "sliding_window":12,"layer_types":["full_attention","sliding_attention","sliding_attention"]""", "12 from 1" },
        { "mistral", """ "sliding_window":0""", "sliding_window = 0" },
        { "mistral", """ "use_sliding_window":true""", "use_sliding_window = true" },
        { "qwen2", """ "sliding_window":131072,"use_sliding_window":false,"max_window_layers":28""", "none" },
        { "qwen2", """ "sliding_window":16,"use_sliding_window":false,"max_window_layers":1""", "none" },
        { "qwen2", """ "sliding_window":16,"use_sliding_window":true,"max_window_layers":1""", "16 from 1" },
        { "qwen2", """ "sliding_window":16,"use_sliding_window":true,"max_window_layers":0""", "16 from 0" },
        { "qwen2", """ "sliding_window":16,"use_sliding_window":true""", "none" },
        { "qwen2", """ "sliding_window":16,"use_sliding_window":true,"max_window_layers":-1""", "max_window_layers = -1" },
        { "qwen3", """ "sliding_window":16,"use_sliding_window":true,"layer_types":["full_attention","full_attention","sliding_attention"]""", "16 from 2" },
        { "qwen3", """ "sliding_window":16,"use_sliding_window":true,"layer_types":["sliding_attention","full_attention","sliding_attention"]""", "goes back to full_attention in layer 1" },
        { "qwen3", """ "sliding_window":16,"use_sliding_window":true,"layer_types":["full_attention"]""", "one type for each of 3 layers" },
        { "qwen3", """ "layer_types":["full_attention","full_attention","linear_attention"]""", "'linear_attention'" },
        { "qwen3", """ "layer_types":["full_attention","full_attention","sliding_attention"]""", "no sliding_window is in use" },
    };

    [Theory]
    [MemberData(nameof(Windows))]
    public void A_window_is_read_as_its_family_means_it(string type, string fields, string expected)
    {
        var json = Least();
        json["model_type"] = type;
        json["max_position_embeddings"] = 2048;
        json["num_key_value_heads"] = 8;
        json["head_dim"] = 8;
        var text = json.ToJsonString()[..^1] + (fields.Length > 0 ? "," + fields : "") + "}";
        if (expected == "none")
            Assert.Equal((null, 0), Read(text));
        else if (expected.Contains(" from "))
            Assert.Equal(expected, Read(text) is var (window, first) ? $"{window} from {first}" : "");
        else
            Assert.Contains(expected, Refusal(text));

        static (int?, int) Read(string text)
        {
            var config = Load(JsonNode.Parse(text)!.AsObject());
            return (config.Window, config.FirstWindowedLayer);
        }
    }

    [Fact]
    public void Mistral_has_a_window_where_its_config_is_silent()
    {
        var json = Least();
        json["model_type"] = "mistral";
        var config = Load(json);
        Assert.Equal((4096, 131072, 8), (config.Window, config.MaxPositions, config.KeyValueHeads));
    }

    [Fact]
    public void What_is_left_out_is_what_transformers_takes_for_it()
    {
        var config = Load(Least());
        Assert.Equal((8, 8, 2048, 1e-6), (config.KeyValueHeads, config.HeadSize, config.MaxPositions, config.RmsNormEpsilon));
        Assert.Equal((10_000, null, false), (config.RopeTheta, config.RopeScaling, config.TiedEmbeddings));
        Assert.Equal((null, null), (config.BosTokenId, config.EosTokenId));
    }

    public static TheoryData<string, string, string> Read => new()
    {
        { "head_dim", "6", "HeadSize = 6" },
        { "num_key_value_heads", "4", "KeyValueHeads = 4" },
        { "tie_word_embeddings", "true", "TiedEmbeddings = True" },
        { "tie_word_embeddings", "null", "TiedEmbeddings = False" },
        { "bos_token_id", "0", "BosTokenId = 0" },
        { "eos_token_id", "7", "EosTokenIds = [7], EosTokenId = 7" },
        { "eos_token_id", "[7,8,9]", "EosTokenIds = [7, 8, 9], EosTokenId = 7" },
        { "rope_theta", "5e5", "RopeTheta = 500000" },
        { "rope_parameters", """{"rope_theta":5e5}""", "RopeTheta = 500000, RopeScaling = ," },
        { "rope_scaling", """{"type":"default"}""", "RopeTheta = 10000, RopeScaling = ," },
        { "rope_scaling", """{"type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":8192}""",
            "RopeScaling = Llama3RopeScaling { Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 8192 }" },
        // What means "off" in the fields of other architectures is no reason to refuse.
        { "attention_bias", "false", "HiddenSize = 64" },
        { "attention_dropout", "0.0", "HiddenSize = 64" },
        { "attention_dropout", "-0", "HiddenSize = 64" },
        { "pretraining_tp", "1", "HiddenSize = 64" },
        { "partial_rotary_factor", "1.0", "HiddenSize = 64" },
        { "rope_interleaved", "false", "HiddenSize = 64" },
        { "sliding_window", "null", "HiddenSize = 64" },
        { "quantization_config", "null", "HiddenSize = 64" },
        { "transformers.js_config", """{"dtype":"q4"}""", "HiddenSize = 64" },
    };

    [Theory]
    [MemberData(nameof(Read))]
    public void A_field_is_read(string name, string value, string expected) => Assert.Contains(expected, Load(With(name, value)).ToString());

    /// <summary>A field, its value, and what the message names.</summary>
    public static TheoryData<string, string, string> Refused => new()
    {
        { "model_type", "null", "model_type" },
        { "model_type", "7", "model_type" },
        { "model_type", "\"mixtral\"", "model_type 'mixtral'" },
        { "hidden_act", "\"gelu_new\"", "hidden_act 'gelu_new'" },
        { "hidden_act", "[\"silu\"]", "hidden_act" },
        { "hidden_size", "null", "hidden_size is missing" },
        { "hidden_size", "0", "hidden_size = 0" },
        { "hidden_size", "-64", "hidden_size = -64" },
        { "hidden_size", "64.5", "hidden_size = 64.5" },
        { "hidden_size", "\"64\"", "hidden_size = \"64\"" },
        { "hidden_size", "99999999999", "hidden_size = 99999999999" },
        { "hidden_size", "65", "hidden_size 65 is not a multiple of num_attention_heads 8" },
        { "intermediate_size", "0", "intermediate_size = 0" },
        { "num_hidden_layers", "0", "num_hidden_layers = 0" },
        { "num_attention_heads", "0", "num_attention_heads = 0" },
        { "num_key_value_heads", "3", "num_key_value_heads 3" },
        { "num_key_value_heads", "16", "num_key_value_heads 16" },
        { "head_dim", "7", "head_dim 7 is odd" },
        { "head_dim", "0", "head_dim = 0" },
        { "vocab_size", "-1", "vocab_size = -1" },
        { "max_position_embeddings", "0", "max_position_embeddings = 0" },
        { "rms_norm_eps", "0", "rms_norm_eps = 0" },
        { "rms_norm_eps", "1e999", "rms_norm_eps = 1e999" },
        { "rms_norm_eps", "\"1e-5\"", "rms_norm_eps" },
        { "tie_word_embeddings", "1", "tie_word_embeddings = 1" },
        { "tie_word_embeddings", "\"true\"", "tie_word_embeddings" },
        { "bos_token_id", "1000", "bos_token_id 1000 is outside the vocabulary of 1000" },
        { "eos_token_id", "-1", "eos_token_id -1 is outside" },
        { "eos_token_id", "[]", "eos_token_id = []" },
        { "eos_token_id", "[\"a\"]", "eos_token_id" },
        { "eos_token_id", "[7,2.5]", "eos_token_id = [7,2.5] is no token id" },
        { "eos_token_id", "[7,1000]", "eos_token_id 1000 is outside the vocabulary of 1000" },
        { "bos_token_id", "1.5", "bos_token_id = 1.5" },
        { "rope_theta", "-1", "rope_theta = -1" },
        { "rope_theta", "\"1e4\"", "rope_theta" },
        { "rope_scaling", "\"linear\"", "rope_scaling = \"linear\" is no object" },
        { "rope_scaling", "[8]", "rope_scaling = [8] is no object" },
        { "rope_scaling", """{"type":"linear","factor":2}""", "rope_type 'linear'" },
        { "rope_scaling", """{"type":"dynamic","factor":2}""", "rope_type 'dynamic'" },
        { "rope_scaling", """{"rope_type":7}""", "rope_type is missing or no text" },
        { "rope_scaling", """{"type":["llama3"]}""", "type is missing or no text" },
        { "rope_scaling", Llama3.Replace("\"factor\":8,", ""), "needs factor" },
        { "rope_scaling", Llama3.Replace(",\"original_max_position_embeddings\":64", ""), "original_max_position_embeddings is missing" },
        { "rope_scaling", Llama3.Replace("64", "0.5"), "original_max_position_embeddings = 0.5" },
        { "rope_parameters", """{"rope_type":"yarn","factor":4}""", "rope_type 'yarn'" },
        { "rope_parameters", """{"rope_theta":1e4,"partial_rotary_factor":0.5}""", "partial_rotary_factor = 0.5" },
        { "rope_parameters", """{"full_attention":{"rope_theta":1e6},"sliding_attention":{"rope_theta":1e4}}""", "'full_attention'" },
        { "rope_parameters", "10000", "rope_parameters = 10000 is no object" },
        // Fields of others that this build would get wrong by ignoring them.
        { "attention_bias", "true", "attention_bias = true" },
        { "mlp_bias", "true", "mlp_bias = true" },
        { "attention_dropout", "0.1", "attention_dropout = 0.1" },
        { "attention_dropout", "\"0\"", "attention_dropout" },
        { "quantization_config", "{}", "quantization_config = {}" },
        { "sliding_window", "4096", "sliding_window = 4096" },
        { "use_sliding_window", "true", "use_sliding_window = true" },
        { "num_experts", "8", "num_experts = 8" },
        { "num_local_experts", "8", "num_local_experts = 8" },
        { "attn_logit_softcapping", "50.0", "attn_logit_softcapping = 50.0" },
        { "final_logit_softcapping", "30.0", "final_logit_softcapping = 30.0" },
        { "logit_scale", "0.0625", "logit_scale = 0.0625" },
        { "no_rope_layers", "[1]", "no_rope_layers = [1]" },
        { "embedding_multiplier", "12", "embedding_multiplier = 12" },
        { "residual_multiplier", "0.22", "residual_multiplier = 0.22" },
        { "logits_scaling", "8", "logits_scaling = 8" },
        { "attention_multiplier", "0.5", "attention_multiplier = 0.5" },
        { "partial_rotary_factor", "0.75", "partial_rotary_factor = 0.75" },
        { "rope_interleaved", "true", "rope_interleaved = true" },
        { "pretraining_tp", "2", "pretraining_tp = 2" },
        { "use_qk_norm", "true", "use_qk_norm = true" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_field_that_is_malformed_or_changes_the_mathematics_is_refused_by_name(string name, string value, string named)
    {
        // As text: JsonNode would write some of the numbers otherwise.
        var json = Least();
        json.Remove(name);
        Assert.Contains(named, Refusal(json.ToJsonString()[..^1] + $",\"{name}\":{value}}}"));
    }

    [Fact]
    public void A_field_that_is_missing_is_named()
    {
        foreach (var (name, _) in Least())
        {
            var json = Least();
            json.Remove(name);
            Assert.Contains($"{name} is missing", Refusal(json.ToJsonString()));
        }
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{", "not JSON")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("null", "expected a JSON object")]
    [InlineData("{\"model_type\":\"\\ud800\"}", "malformed")]
    public void A_file_that_is_no_JSON_object_is_refused(string json, string named) => Assert.Contains(named, Refusal(json));

    [Fact]
    public void An_absent_file_is_told_with_what_a_policy_is()
    {
        using var folder = new TempFolder();
        var refusal = Assert.Throws<PolicyFormatException>(() => PolicyConfig.Load(folder["config.json"]));
        Assert.Contains(folder["config.json"], refusal.Message);
        Assert.Contains("Hugging Face layout", refusal.Message);
    }

    [Fact]
    public void A_config_that_is_written_is_read_back_the_same()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new StableRandom(seed, 0xC0F);
            var keyValueHeads = 1 + random.Below(4);
            var heads = keyValueHeads * (1 + random.Below(4));
            var vocabulary = 1 + random.Below(1_000_000);
            var (layers, positions) = (1 + random.Below(100), 2 + random.Below(1 << 20));
            var family = (PolicyFamily)random.Below(4);
            var isWindowed = family != PolicyFamily.Llama && random.Below(2) == 0;
            var config = new PolicyConfig
            {
                Family = family,
                Window = isWindowed ? 1 + random.Below(positions - 1) : null,
                FirstWindowedLayer = isWindowed && family != PolicyFamily.Mistral ? random.Below(layers) : 0,
                HiddenSize = heads * 2 * (1 + random.Below(100)),
                IntermediateSize = 1 + random.Below(10_000),
                Layers = layers,
                Heads = heads,
                KeyValueHeads = keyValueHeads,
                HeadSize = 2 * (1 + random.Below(100)),
                VocabularySize = vocabulary,
                MaxPositions = positions,
                RmsNormEpsilon = random.Unit() * 1e-5 + 1e-12,
                RopeTheta = random.Unit() * 1e6 + 1,
                RopeScaling = random.Below(2) == 0
                    ? null
                    : new Llama3RopeScaling(1 + random.Unit() * 31, random.Unit() + 0.1, 2 + random.Unit(), 1 + random.Below(1 << 17)),
                TiedEmbeddings = random.Below(2) == 0,
                BosTokenId = random.Below(3) == 0 ? null : random.Below(vocabulary),
                EosTokenIds = [.. new int[random.Below(4)].Select(_ => random.Below(vocabulary))],
            };
            Assert.Equal(config, Load(config.ToJson()));
            // Loaders older than transformers 5 do not know rope_parameters.
            var older = config.ToJson();
            older.Remove("rope_parameters");
            Assert.Equal(config, Load(older));
        }
    }

    [Fact]
    public void Whatever_is_done_to_a_config_it_is_read_or_refused()
    {
        using var folder = new TempFolder();
        var newer = MadePolicy.Config() with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 64) };
        byte[][] whole = [.. new[] { newer.ToJson(), With("rope_scaling", Llama3) }.Select(json => JsonSerializer.SerializeToUtf8Bytes(json))];
        var (valid, refused) = (0, 0);
        for (var i = 0; i < 5000; i++)
        {
            var random = new StableRandom(i, 0xC0F1);
            var mutant = Mutations.Of(whole[i % whole.Length], ref random);
            File.WriteAllBytes(folder["config.json"], mutant);
            try
            {
                PolicyConfig.Load(folder["config.json"]);
                valid++;
            }
            catch (PolicyFormatException e)
            {
                Assert.Contains(folder["config.json"], e.Message);
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} gives {e.GetType().Name}: {e.Message}\n{System.Text.Encoding.UTF8.GetString(mutant)}");
            }
        }
        Assert.InRange(valid, 250, 2500);
        Assert.Equal(5000, valid + refused);
    }
}
