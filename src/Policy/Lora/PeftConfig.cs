using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy.Lora;

/// <summary>
/// <c>adapter_config.json</c> of a PEFT directory. What would change the mathematics and is not supported (DoRA, biases, other initialisations that change
/// the base, …) is refused by its name; a field that nobody here knows is refused unless it is off.
/// </summary>
public static class PeftConfig
{
    // What changes nothing that is computed here.
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "inference_mode", "megatron_core", "peft_version", "qalora_group_size", "revision",
    };

    private static readonly HashSet<string> Read = new(StringComparer.Ordinal)
    {
        "peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "target_modules", "rank_pattern", "alpha_pattern", "bias", "init_lora_weights",
    };

    /// <summary>Reads a config.</summary>
    /// <returns>what it says, and the base that it names; null: none</returns>
    /// <exception cref="PolicyFormatException">missing or malformed, or of another kind of adapter</exception>
    public static (LoraOptions Options, string? Base) Load(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file), new JsonDocumentOptions { AllowDuplicateProperties = false });
            var json = document.RootElement;
            if (json.ValueKind != JsonValueKind.Object)
                throw new PolicyFormatException($"{file}: expected a JSON object");
            return (Options(json, file), Text(json, "base_model_name_or_path"));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new PolicyFormatException($"{file}: malformed: {e.Message}", e);
        }
    }

    /// <summary>The config of an adapter as PEFT writes it; <paramref name="baseModel"/> is where its base lies.</summary>
    public static JsonObject ToJson(LoraOptions options, string? baseModel) => new()
    {
        ["alpha_pattern"] = new JsonObject(options.AlphaPattern.Select(pattern => KeyValuePair.Create(pattern.Key, (JsonNode?)Number(pattern.Value)))),
        ["auto_mapping"] = null,
        ["base_model_name_or_path"] = baseModel,
        ["bias"] = "none",
        ["fan_in_fan_out"] = false,
        ["inference_mode"] = true,
        ["init_lora_weights"] = true,
        ["layers_pattern"] = null,
        ["layers_to_transform"] = null,
        ["lora_alpha"] = Number(options.Alpha),
        ["lora_dropout"] = options.Dropout,
        ["modules_to_save"] = null,
        ["peft_type"] = "LORA",
        ["r"] = options.Rank,
        ["rank_pattern"] = new JsonObject(options.RankPattern.Select(pattern => KeyValuePair.Create(pattern.Key, (JsonNode?)pattern.Value))),
        ["revision"] = null,
        ["target_modules"] = options.TargetPattern is { } regex ? regex : new JsonArray([.. options.Targets.Select(target => (JsonNode)target)]),
        ["task_type"] = "CAUSAL_LM",
        ["use_dora"] = false,
        ["use_rslora"] = options.RankStabilised,
    };

    /// <summary>What an adapter's numbers mean, as a text that is the same for the same meaning written alike.</summary>
    internal static string Fingerprint(LoraOptions options) => ToJson(options, null).ToJsonString();

    private static LoraOptions Options(JsonElement json, string file)
    {
        if (Text(json, "peft_type") is var type and not "LORA")
            throw new PolicyFormatException($"{file}: peft_type '{type}' is not supported; supported is LORA");
        if (Text(json, "task_type") is var task and not (null or "CAUSAL_LM"))
            throw new PolicyFormatException($"{file}: task_type '{task}' is not supported; supported is CAUSAL_LM");
        if (Text(json, "bias") is var bias and not (null or "none"))
            throw new PolicyFormatException($"{file}: bias '{bias}' is not supported: biases that are trained are no part of this adapter");
        // Some of them take what they start with out of the base.
        if (json.TryGetProperty("init_lora_weights", out var start) && start.ValueKind == JsonValueKind.String && start.GetString() is var how and not "gaussian")
            throw new PolicyFormatException($"{file}: init_lora_weights '{how}' is not supported: it may change the base; convert the adapter to plain LoRA (PEFT's save_pretrained does)");
        foreach (var field in json.EnumerateObject())
            if (!Read.Contains(field.Name) && !Harmless.Contains(field.Name) && !IsOff(field.Value))
                throw new PolicyFormatException($"{file}: {field.Name} = {Encoding.Excerpt.Of(field.Value.GetRawText())} is not supported: it would change the mathematics");
        var targets = json.TryGetProperty("target_modules", out var given) ? given : default;
        var isPattern = targets.ValueKind == JsonValueKind.String;
        if (!isPattern && targets.ValueKind != JsonValueKind.Array)
            throw new PolicyFormatException($"{file}: target_modules is missing: it names the matrices that the adapter adds to");
        return new LoraOptions
        {
            Rank = json.GetProperty("r").GetInt32() is > 0 and var rank ? rank : throw new PolicyFormatException($"{file}: r = {json.GetProperty("r").GetRawText()} is no rank"),
            Alpha = json.GetProperty("lora_alpha").GetDouble(),
            Dropout = json.TryGetProperty("lora_dropout", out var dropout) ? dropout.GetDouble() : 0,
            RankStabilised = json.TryGetProperty("use_rslora", out var stabilised) && stabilised.GetBoolean(),
            Targets = isPattern ? [] : [.. targets.EnumerateArray().Select(target => target.GetString()!).Order(StringComparer.Ordinal)],
            TargetPattern = isPattern ? targets.GetString() : null,
            RankPattern = Pattern(json, "rank_pattern", value => value.GetInt32() is > 0 and var own ? own : throw new FormatException("a rank below 1")),
            AlphaPattern = Pattern(json, "alpha_pattern", value => value.GetDouble()),
        };
    }

    private static KeyValuePair<string, T>[] Pattern<T>(JsonElement json, string name, Func<JsonElement, T> read) =>
        json.TryGetProperty(name, out var pattern) && pattern.ValueKind != JsonValueKind.Null
            ? [.. pattern.EnumerateObject().Select(entry => KeyValuePair.Create(entry.Name, read(entry.Value)))]
            : [];

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetString() : null;

    // A whole number as one: PEFT's own configs have 8, not 8.0.
    private static JsonNode Number(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15
        ? JsonValue.Create(long.Parse(value.ToString("F0", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture))
        : JsonValue.Create(value);

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };
}
