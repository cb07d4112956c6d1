namespace MassDpo.Policy;

/// <summary>The architectures of the Llama family that are supported.</summary>
public enum PolicyFamily
{
    /// <summary>Llama 1 to 3, SmolLM, and whoever else says so.</summary>
    Llama,
    /// <summary>Llama with a window, where one is configured.</summary>
    Mistral,
    /// <summary>With biases on queries, keys and values.</summary>
    Qwen2,
    /// <summary>With norms on queries and keys, and a head size of its own.</summary>
    Qwen3,
}

/// <summary>What transformers takes where a config.json of a family is silent.</summary>
/// <param name="Family">see there</param>
/// <param name="MaxPositions">max_position_embeddings</param>
/// <param name="KeyValueHeads">num_key_value_heads; null: as many as heads</param>
/// <param name="HeadSize">head_dim; null: hidden_size / num_attention_heads</param>
internal sealed record FamilyDefaults(PolicyFamily Family, int MaxPositions, int? KeyValueHeads = null, int? HeadSize = null)
{
    /// <summary>By <c>model_type</c>.</summary>
    public static IReadOnlyDictionary<string, FamilyDefaults> ByType { get; } = new Dictionary<string, FamilyDefaults>(StringComparer.Ordinal)
    {
        ["llama"] = new(PolicyFamily.Llama, 2048),
        ["mistral"] = new(PolicyFamily.Mistral, 131072, KeyValueHeads: 8),
        ["qwen2"] = new(PolicyFamily.Qwen2, 32768, KeyValueHeads: 32),
        ["qwen3"] = new(PolicyFamily.Qwen3, 32768, KeyValueHeads: 32, HeadSize: 128),
    };
}
