using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy;

/// <summary>
/// The fields of config.json by which positions see only so far back: <c>sliding_window</c>, for Qwen with <c>use_sliding_window</c> and from layer
/// <c>max_window_layers</c> on, or layer by layer in <c>layer_types</c> as transformers 5 writes them.
/// </summary>
internal static class AttentionWindow
{
    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";

    // Mistral's, where config.json does not say that there is none.
    private const int OfMistral = 4096;

    // Qwen's max_window_layers where it is silent.
    private const int FirstOfQwen = 28;

    /// <summary>The window, null where it leaves nothing out, and the first layer that has it.</summary>
    /// <exception cref="PolicyFormatException">a window where the family has none, or layers that take turns</exception>
    public static (int? Window, int FirstLayer) Read(JsonElement json, FamilyDefaults family, int layers, int positions, string file)
    {
        var window = PolicyConfig.OptionalInteger(json, "sliding_window", file);
        var first = 0;
        switch (family.Family)
        {
            case PolicyFamily.Llama when window is not null:
                throw new PolicyFormatException($"{file}: sliding_window = {window} is not supported with model_type 'llama': it would change the mathematics");
            case PolicyFamily.Mistral when !json.TryGetProperty("sliding_window", out _):
                window = OfMistral;
                break;
            case PolicyFamily.Qwen2 or PolicyFamily.Qwen3:
                if (!PolicyConfig.Switch(json, "use_sliding_window", file))
                    window = null;
                first = WindowLayers(json, file);
                break;
        }
        if (family.Family is PolicyFamily.Llama or PolicyFamily.Mistral && PolicyConfig.Switch(json, "use_sliding_window", file))
            throw new PolicyFormatException($"{file}: use_sliding_window = true is not supported with this model_type: sliding_window alone says it");
        if (json.TryGetProperty("layer_types", out var types) && types.ValueKind != JsonValueKind.Null)
            first = FirstSliding(types, layers, window, file);
        // What leaves nothing out is none, so that all that is fast without one is.
        return window is null || window >= positions || first >= layers ? (null, 0) : (window, first);
    }

    /// <summary>Writes what <see cref="Read"/> reads.</summary>
    public static void Write(PolicyConfig config, JsonObject json)
    {
        if (config.Family == PolicyFamily.Llama)
            return;
        json["sliding_window"] = config.Window;
        if (config.Family == PolicyFamily.Mistral)
            return;
        json["use_sliding_window"] = config.Window is not null;
        json["max_window_layers"] = config.Window is null ? config.Layers : config.FirstWindowedLayer;
        json["layer_types"] = new JsonArray([.. Enumerable.Range(0, config.Layers).Select(layer => (JsonNode)(config.WindowOf(layer) is null ? Full : Sliding))]);
    }

    private static int WindowLayers(JsonElement json, string file)
    {
        if (!json.TryGetProperty("max_window_layers", out var value) || value.ValueKind == JsonValueKind.Null)
            return FirstOfQwen;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var layers) && layers >= 0
            ? layers
            : throw new PolicyFormatException($"{file}: max_window_layers = {value.GetRawText()} is no number of layers");
    }

    private static int FirstSliding(JsonElement types, int layers, int? window, string file)
    {
        if (types.ValueKind != JsonValueKind.Array || types.GetArrayLength() != layers)
            throw new PolicyFormatException($"{file}: layer_types does not name one type for each of {layers} layers");
        var first = layers;
        for (var layer = 0; layer < layers; layer++)
        {
            var type = types[layer].ValueKind == JsonValueKind.String ? types[layer].GetString() : types[layer].GetRawText();
            if (type is not (Full or Sliding))
                throw new PolicyFormatException($"{file}: layer_types names '{type}', which is not supported; supported are {Full} and {Sliding}");
            if (type == Full && first < layers)
                throw new PolicyFormatException($"{file}: layer_types goes back to {Full} in layer {layer}, which is not supported: windows begin at one layer and stay");
            if (type == Sliding && window is null)
                throw new PolicyFormatException($"{file}: layer_types names {Sliding}, but no sliding_window is in use");
            if (type == Sliding)
                first = Math.Min(first, layer);
        }
        return first;
    }
}
