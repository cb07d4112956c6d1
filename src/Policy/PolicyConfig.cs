using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy;

/// <summary>
/// The architecture of a policy, as <c>config.json</c> of a Hugging Face checkpoint gives it, in the form of transformers 5 (<c>rope_parameters</c>,
/// <c>dtype</c>) or of the versions before (<c>rope_theta</c>, <c>rope_scaling</c>, <c>torch_dtype</c>). What would change the mathematics and is not
/// supported is refused by its name, never guessed.
/// </summary>
public sealed record PolicyConfig
{
    /// <summary>Whose conventions hold where config.json is silent, and which parameters a layer has.</summary>
    public PolicyFamily Family { get; init; }
    /// <summary>d: width of the hidden states.</summary>
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int Layers { get; init; }
    public required int Heads { get; init; }
    /// <summary>Key/value heads, shared by groups of query heads.</summary>
    public required int KeyValueHeads { get; init; }
    public required int HeadSize { get; init; }
    /// <summary>|V|: rows of the embedding; it may exceed the tokenizer's vocabulary.</summary>
    public required int VocabularySize { get; init; }
    /// <summary>Tokens that a sequence may have.</summary>
    public required int MaxPositions { get; init; }
    public double RmsNormEpsilon { get; init; } = 1e-6;
    public double RopeTheta { get; init; } = 10000;
    public Llama3RopeScaling? RopeScaling { get; init; }
    /// <summary>Positions that one sees, itself and those before it; null: all.</summary>
    public int? Window { get; init; }
    /// <summary>The layer from which on <see cref="Window"/> holds.</summary>
    public int FirstWindowedLayer { get; init; }
    /// <summary>Whether the output matrix is the embedding.</summary>
    public bool TiedEmbeddings { get; init; }
    public int? BosTokenId { get; init; }
    /// <summary>Tokens that end what a policy says; none: it does not end by itself.</summary>
    public TokenIds EosTokenIds { get; init; } = [];

    /// <summary>The first of them: it ends a response.</summary>
    public int? EosTokenId
    {
        get => EosTokenIds.Count > 0 ? EosTokenIds[0] : null;
        init => EosTokenIds = value is { } id ? [id] : [];
    }

    /// <summary>Whether queries, keys and values have a bias: those of Qwen 2.</summary>
    public bool HasQkvBias => Family == PolicyFamily.Qwen2;

    /// <summary>Whether queries and keys are normed head by head before they are turned: those of Qwen 3.</summary>
    public bool HasQueryKeyNorm => Family == PolicyFamily.Qwen3;

    /// <summary>How far back positions see in a layer; null: to the beginning.</summary>
    public int? WindowOf(int layer) => layer >= FirstWindowedLayer ? Window : null;

    // Fields that other members of the family have and that this build would get wrong by ignoring them, with the value that means "off".
    private static readonly (string Name, Func<JsonElement, bool> IsOff)[] MustBeOff =
    [
        ("attention_bias", IsFalse), ("mlp_bias", IsFalse), ("attention_dropout", IsZero), ("quantization_config", IsNull),
        ("num_experts", IsZero), ("num_local_experts", IsZero),
        ("attn_logit_softcapping", IsNull), ("final_logit_softcapping", IsNull), ("logit_scale", IsNull), ("no_rope_layers", IsNull),
        ("embedding_multiplier", IsOne), ("residual_multiplier", IsOne), ("logits_scaling", IsOne), ("attention_multiplier", IsNull),
        ("partial_rotary_factor", IsOne), ("rope_interleaved", IsFalse), ("pretraining_tp", IsOne), ("use_qk_norm", IsFalse),
    ];

    /// <summary>Reads <c>config.json</c>.</summary>
    /// <exception cref="PolicyFormatException">missing or malformed file, or an architecture or field that is not supported</exception>
    public static PolicyConfig Load(string file)
    {
        if (!File.Exists(file))
            throw new PolicyFormatException(
                $"{file} does not exist: a policy is a directory in Hugging Face layout with config.json, model.safetensors and tokenizer.json");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            return Read(document.RootElement, file);
        }
        catch (JsonException e)
        {
            throw new PolicyFormatException($"{file}: not JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // Bytes or escapes that are no text.
            throw new PolicyFormatException($"{file}: malformed: {e.Message}", e);
        }
    }

    private static PolicyConfig Read(JsonElement json, string file)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new PolicyFormatException($"{file}: expected a JSON object");
        var type = Text(json, "model_type", file);
        if (!FamilyDefaults.ByType.TryGetValue(type, out var family))
            throw new PolicyFormatException($"{file}: model_type '{type}' is not supported; supported are {string.Join(", ", FamilyDefaults.ByType.Keys.Select(name => $"'{name}'"))}");
        if (Text(json, "hidden_act", file) is var activation and not "silu")
            throw new PolicyFormatException($"{file}: hidden_act '{activation}' is not supported; supported is 'silu'");
        foreach (var (name, isOff) in MustBeOff)
            if (json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null && !isOff(value))
                throw new PolicyFormatException($"{file}: {name} = {value.GetRawText()} is not supported: it would change the mathematics");
        var heads = Integer(json, "num_attention_heads", file);
        var hidden = Integer(json, "hidden_size", file);
        var headSize = OptionalInteger(json, "head_dim", file) ?? family.HeadSize;
        if (headSize is null && hidden % heads != 0)
            throw new PolicyFormatException(
                $"{file}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}, and head_dim is not given");
        var (theta, scaling) = Rope(json, file);
        var layers = Integer(json, "num_hidden_layers", file);
        var positions = OptionalInteger(json, "max_position_embeddings", file) ?? family.MaxPositions;
        var (window, firstWindowed) = AttentionWindow.Read(json, family, layers, positions, file);
        var config = new PolicyConfig
        {
            Family = family.Family,
            HiddenSize = hidden,
            IntermediateSize = Integer(json, "intermediate_size", file),
            Layers = layers,
            Heads = heads,
            KeyValueHeads = OptionalInteger(json, "num_key_value_heads", file) ?? family.KeyValueHeads ?? heads,
            HeadSize = headSize ?? hidden / heads,
            VocabularySize = Integer(json, "vocab_size", file),
            MaxPositions = positions,
            RmsNormEpsilon = Number(json, "rms_norm_eps", file) ?? 1e-6,
            RopeTheta = theta,
            RopeScaling = scaling,
            Window = window,
            FirstWindowedLayer = firstWindowed,
            TiedEmbeddings = Switch(json, "tie_word_embeddings", file),
            BosTokenId = TokenIdsOf(json, "bos_token_id", file) is [var bos, ..] ? bos : null,
            EosTokenIds = TokenIdsOf(json, "eos_token_id", file),
        };
        config.Check(file);
        return config;
    }

    private void Check(string file)
    {
        if (Heads % KeyValueHeads != 0)
            throw new PolicyFormatException($"{file}: num_attention_heads {Heads} is not a multiple of num_key_value_heads {KeyValueHeads}");
        if (HeadSize % 2 != 0)
            throw new PolicyFormatException($"{file}: head_dim {HeadSize} is odd: rotary embeddings turn pairs");
        (string Name, TokenIds Ids)[] named = [("bos_token_id", BosTokenId is { } bos ? [bos] : []), ("eos_token_id", EosTokenIds)];
        foreach (var (name, ids) in named)
            foreach (var id in ids)
                if (id < 0 || id >= VocabularySize)
                    throw new PolicyFormatException($"{file}: {name} {id} is outside the vocabulary of {VocabularySize}");
    }

    /// <summary>The same as <c>config.json</c>, with the fields of both forms, so that any Llama loader reads it.</summary>
    public JsonObject ToJson()
    {
        var rope = new JsonObject { ["rope_theta"] = RopeTheta, ["rope_type"] = RopeScaling is null ? "default" : "llama3" };
        JsonObject? scaling = null;
        if (RopeScaling is { } llama3)
        {
            scaling = new JsonObject { ["rope_type"] = "llama3" };
            foreach (var target in new[] { rope, scaling })
            {
                target["factor"] = llama3.Factor;
                target["low_freq_factor"] = llama3.LowFrequencyFactor;
                target["high_freq_factor"] = llama3.HighFrequencyFactor;
                target["original_max_position_embeddings"] = llama3.OriginalMaxPositions;
            }
        }
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray($"{Family}ForCausalLM"),
            ["attention_bias"] = false,
            ["attention_dropout"] = 0.0,
            ["bos_token_id"] = BosTokenId,
            ["dtype"] = "float32",
            ["eos_token_id"] = EosTokenIds.Count > 1 ? new JsonArray([.. EosTokenIds.Select(id => (JsonNode)id)]) : EosTokenId,
            ["head_dim"] = HeadSize,
            ["hidden_act"] = "silu",
            ["hidden_size"] = HiddenSize,
            ["initializer_range"] = 0.02,
            ["intermediate_size"] = IntermediateSize,
            ["max_position_embeddings"] = MaxPositions,
            ["mlp_bias"] = false,
            ["model_type"] = FamilyDefaults.ByType.Single(type => type.Value.Family == Family).Key,
            ["num_attention_heads"] = Heads,
            ["num_hidden_layers"] = Layers,
            ["num_key_value_heads"] = KeyValueHeads,
            ["pretraining_tp"] = 1,
            ["rms_norm_eps"] = RmsNormEpsilon,
            ["rope_parameters"] = rope,
            ["rope_scaling"] = scaling,
            ["rope_theta"] = RopeTheta,
            ["tie_word_embeddings"] = TiedEmbeddings,
            ["torch_dtype"] = "float32",
            ["use_cache"] = true,
            ["vocab_size"] = VocabularySize,
        };
        AttentionWindow.Write(this, json);
        return json;
    }

    private static (double Theta, Llama3RopeScaling? Scaling) Rope(JsonElement json, string file)
    {
        var parameters = Object(json, "rope_parameters", file);
        var theta = (parameters is { } p ? Number(p, "rope_theta", file) : null) ?? Number(json, "rope_theta", file) ?? 10000;
        if ((parameters ?? Object(json, "rope_scaling", file)) is not { } rope)
            return (theta, null);
        if (rope.TryGetProperty("partial_rotary_factor", out var partial) && !IsOne(partial))
            throw new PolicyFormatException(
                $"{file}: partial_rotary_factor = {partial.GetRawText()} is not supported: it would change the mathematics");
        foreach (var member in rope.EnumerateObject())
            if (member.Value.ValueKind == JsonValueKind.Object)
                throw new PolicyFormatException($"{file}: rope_parameters of their own for '{member.Name}' are not supported: all layers turn alike");
        var name = rope.TryGetProperty("rope_type", out _) ? "rope_type" : "type";
        var kind = rope.TryGetProperty(name, out _) ? Text(rope, name, file) : "default";
        return kind switch
        {
            "default" => (theta, null),
            "llama3" => (theta, new Llama3RopeScaling(Required("factor"), Required("low_freq_factor"), Required("high_freq_factor"),
                Integer(rope, "original_max_position_embeddings", file))),
            _ => throw new PolicyFormatException($"{file}: rope_type '{kind}' is not supported; supported are 'default' and 'llama3'"),
        };

        double Required(string field) => Number(rope, field, file) ?? throw new PolicyFormatException($"{file}: rope_type 'llama3' needs {field}");
    }

    private static JsonElement? Object(JsonElement json, string name, string file) =>
        !json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
            : value.ValueKind == JsonValueKind.Object ? value
            : throw new PolicyFormatException($"{file}: {name} = {value.GetRawText()} is no object");

    internal static bool Switch(JsonElement json, string name, string file) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
        && (value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw new PolicyFormatException($"{file}: {name} = {value.GetRawText()} is neither true nor false"));

    private static string Text(JsonElement json, string name, string file) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new PolicyFormatException($"{file}: {name} is missing or no text");

    private static int Integer(JsonElement json, string name, string file) =>
        OptionalInteger(json, name, file) ?? throw new PolicyFormatException($"{file}: {name} is missing");

    internal static int? OptionalInteger(JsonElement json, string name, string file)
    {
        if (!json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var number) || number <= 0)
            throw new PolicyFormatException($"{file}: {name} = {value.GetRawText()} is no positive whole number");
        return number;
    }

    private static double? Number(JsonElement json, string name, string file)
    {
        if (!json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.Number || !(value.GetDouble() is var number && double.IsFinite(number) && number > 0))
            throw new PolicyFormatException($"{file}: {name} = {value.GetRawText()} is no positive number");
        return number;
    }

    // One, or, as chat models have end tokens, a list.
    private static TokenIds TokenIdsOf(JsonElement json, string name, string file)
    {
        if (!json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return [];
        if (value.ValueKind != JsonValueKind.Array)
            return [Id(value)];
        return value.GetArrayLength() > 0 ? [.. value.EnumerateArray().Select(Id)] : throw Bad();

        int Id(JsonElement one) => one.ValueKind == JsonValueKind.Number && one.TryGetInt32(out var id) ? id : throw Bad();

        PolicyFormatException Bad() => new($"{file}: {name} = {value.GetRawText()} is no token id");
    }

    private static bool IsFalse(JsonElement value) => value.ValueKind == JsonValueKind.False;

    private static bool IsNull(JsonElement value) => value.ValueKind == JsonValueKind.Null;

    private static bool IsZero(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.GetDouble() == 0;

    private static bool IsOne(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.GetDouble() == 1;
}

/// <summary>The frequency scaling of Llama 3.1 and later (<c>rope_type</c> "llama3").</summary>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalMaxPositions);
