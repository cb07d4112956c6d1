using System.Text.Json;

namespace MassDpo.Policy.Generation;

/// <summary>The tokens that end what a policy says: those that <c>eos_token_id</c> names, one or a list, in <c>config.json</c> and in <c>generation_config.json</c>.</summary>
public static class EndTokens
{
    private const string Field = "eos_token_id";
    private const string Name = "generation_config.json";

    /// <summary>Those of a config and of the file beside it; none where both name none.</summary>
    /// <exception cref="PolicyFormatException">the file is malformed, or an id is none of the vocabulary</exception>
    public static IReadOnlySet<int> Load(string directory, PolicyConfig config)
    {
        var ends = new HashSet<int>(config.EosTokenIds);
        var file = Path.Combine(directory, Name);
        if (!File.Exists(file))
            return ends;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new PolicyFormatException($"{file}: expected a JSON object");
            if (json.RootElement.TryGetProperty(Field, out var value) && value.ValueKind != JsonValueKind.Null)
                ends.UnionWith(value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(Id) : [Id(value)]);
            return ends;
        }
        catch (JsonException e)
        {
            throw new PolicyFormatException($"{file}: not JSON: {e.Message}", e);
        }

        int Id(JsonElement value) =>
            value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var id) ? throw new PolicyFormatException($"{file}: {Field} {value.GetRawText()} is no token id")
            : id < 0 || id >= config.VocabularySize ? throw new PolicyFormatException($"{file}: {Field} {id} is outside the vocabulary of {config.VocabularySize}")
            : id;
    }
}
