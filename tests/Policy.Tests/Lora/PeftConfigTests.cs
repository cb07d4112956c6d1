using System.Text.Json.Nodes;
using MassDpo.Policy.Lora;
using MassDpo.PolicyKit;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Lora;

public sealed class PeftConfigTests
{
    private static JsonObject Least() => new() { ["peft_type"] = "LORA", ["r"] = 4, ["lora_alpha"] = 8, ["target_modules"] = new JsonArray("q_proj", "down_proj") };

    private static LoraOptions Load(JsonObject json)
    {
        using var folder = new TempFolder();
        return PeftConfig.Load(folder.Write("adapter_config.json", json.ToJsonString())).Options;
    }

    /// <summary>A field, a value of it, and what the refusal names.</summary>
    public static TheoryData<string, string, string> Refused => new()
    {
        { "use_dora", "true", "use_dora = true" },
        { "peft_type", "\"ADALORA\"", "peft_type 'ADALORA'" },
        { "peft_type", "null", "peft_type ''" },
        { "task_type", "\"SEQ_CLS\"", "task_type 'SEQ_CLS'" },
        { "bias", "\"lora_only\"", "bias 'lora_only'" },
        { "lora_bias", "true", "lora_bias = true" },
        { "init_lora_weights", "\"pissa\"", "init_lora_weights 'pissa'" },
        { "fan_in_fan_out", "true", "fan_in_fan_out = true" },
        { "modules_to_save", "[\"lm_head\"]", "modules_to_save" },
        { "layers_to_transform", "[0]", "layers_to_transform = [0]" },
        { "exclude_modules", "\"q_proj\"", "exclude_modules" },
        { "trainable_token_indices", "[1]", "trainable_token_indices" },
        { "alora_invocation_tokens", "[1]", "alora_invocation_tokens" },
        { "use_qalora", "true", "use_qalora = true" },
        { "layer_replication", "[[0,2]]", "layer_replication" },
        { "what_comes_next_year", "1", "what_comes_next_year = 1" },
        { "r", "0", "r = 0" },
        { "r", "\"4\"", "malformed" },
        { "rank_pattern", "{\"q_proj\":0}", "malformed" },
        { "target_modules", "null", "target_modules" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_would_change_the_mathematics_is_refused_by_its_name(string field, string value, string named)
    {
        var json = Least();
        json[field] = JsonNode.Parse(value);
        using var folder = new TempFolder();
        var file = folder.Write("adapter_config.json", json.ToJsonString());
        var message = Assert.Throws<PolicyFormatException>(() => PeftConfig.Load(file)).Message;
        Assert.StartsWith(file, message);
        Assert.Contains(named, message);
    }

    [Fact]
    public void What_is_off_or_means_nothing_is_let_through()
    {
        var json = Least();
        foreach (var (field, value) in new[]
        {
            ("use_dora", "false"), ("modules_to_save", "null"), ("loftq_config", "{}"), ("inference_mode", "true"), ("revision", "\"main\""), ("init_lora_weights", "\"gaussian\""),
            ("init_lora_weights", "true"), ("megatron_core", "\"megatron.core\""), ("layers_to_transform", "[]"), ("peft_version", "\"0.99\""), ("task_type", "\"CAUSAL_LM\""),
        })
            json[field] = JsonNode.Parse(value);
        var options = Load(json);
        Assert.Equal((4, 8.0, 0.0, false), (options.Rank, options.Alpha, options.Dropout, options.RankStabilised));
    }

    [Fact]
    public void Ranks_and_scales_follow_the_patterns_and_the_first_that_matches()
    {
        var json = Least();
        json["rank_pattern"] = JsonNode.Parse("""{"layers.1.self_attn.q_proj": 2, "q_proj": 8, "own_proj": 3}""");
        json["alpha_pattern"] = JsonNode.Parse("""{"down_proj": 6}""");
        var options = Load(json);
        Assert.Equal((8, 2, 4), (options.RankOf("model.layers.0.self_attn.q_proj"), options.RankOf("model.layers.1.self_attn.q_proj"), options.RankOf("model.layers.0.mlp.down_proj")));
        Assert.Equal((1, 4, 1.5), (options.ScaleOf("model.layers.0.self_attn.q_proj"), options.ScaleOf("model.layers.1.self_attn.q_proj"), options.ScaleOf("model.layers.0.mlp.down_proj")));
        json["use_rslora"] = true;
        Assert.Equal(3, Load(json).ScaleOf("model.layers.0.mlp.down_proj"));
    }

    [Fact]
    public void Targets_are_ends_of_names_or_one_expression_for_whole_ones()
    {
        var config = MadePolicy.Config();
        Assert.Equal(["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj", "model.layers.1.self_attn.q_proj", "model.layers.1.mlp.down_proj"], Load(Least()).Modules(config));
        var json = Least();
        json["target_modules"] = ".*\\.1\\.mlp\\.(gate|up)_proj";
        Assert.Equal(["model.layers.1.mlp.gate_proj", "model.layers.1.mlp.up_proj"], Load(json).Modules(config));
        json["target_modules"] = "up_proj";
        Assert.Contains("no matrix is a LoRA target", Assert.Throws<PolicyFormatException>(() => Load(json).Modules(config)).Message);
        json["target_modules"] = new JsonArray("q_proj", "lm_head");
        Assert.Contains("'lm_head'", Assert.Throws<PolicyFormatException>(() => Load(json).Modules(config)).Message);
    }
}
