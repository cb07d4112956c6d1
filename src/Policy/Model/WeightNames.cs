using System.Collections.Immutable;

namespace MassDpo.Policy.Model;

/// <summary>What Hugging Face calls the parameters of a policy of the Llama family.</summary>
internal static class WeightNames
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string FinalNorm = "model.norm.weight";
    public const string Output = "lm_head.weight";

    public const string AttentionNorm = "input_layernorm";
    public const string MlpNorm = "post_attention_layernorm";
    public const string QueryNorm = "self_attn.q_norm";
    public const string KeyNorm = "self_attn.k_norm";

    public const string Query = "self_attn.q_proj";
    public const string Key = "self_attn.k_proj";
    public const string Value = "self_attn.v_proj";
    public const string AttentionOutput = "self_attn.o_proj";
    public const string Gate = "mlp.gate_proj";
    public const string Up = "mlp.up_proj";
    public const string Down = "mlp.down_proj";

    /// <summary>The matrices of a layer, which an adapter may add to.</summary>
    public static ImmutableArray<string> Projections { get; } = [Query, Key, Value, AttentionOutput, Gate, Up, Down];

    /// <summary>A part of a layer, as in <c>model.layers.0.mlp.up_proj</c>.</summary>
    public static string Module(int layer, string part) => $"model.layers.{layer}.{part}";

    public static string Weight(int layer, string part) => Module(layer, part) + ".weight";

    public static string Bias(int layer, string part) => Module(layer, part) + ".bias";
}
