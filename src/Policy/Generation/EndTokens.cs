using System.Text.Json;

namespace MassDpo.Policy.Generation;

/// <summary>The tokens that end what a policy says: those that <c>eos_token_id</c> names, one or a list, in <c>config.json</c> and in <c>generation_config.json</c>.</summary>
public static class EndTokens
{
    private const string Field = "eos_token_id";

    private static readonly string[] Files = ["config.json", "generation_config.json"];

    /// <summary>Reads them from a checkpoint; none where it names none.</summary>
    /// <exception cref="PolicyFormatException">a file is malformed, or an id is none of the vocabulary</exception>
    public static IReadOnlySet<int> Load(string directory, PolicyConfig config)
    {
        var ends = new HashSet<int>();
        foreach (var file in Files.Select(name => Path.Combine(directory, name)).Where(File.Exists))
        {
            try
            {
                using var json = JsonDocument.Parse(File.ReadAllBytes(file));
                if (json.RootElement.ValueKind != JsonValueKind.Object)
                    throw new PolicyFormatException($"{file}: expected a JSON object");
                if (json.RootElement.TryGetProperty(Field, out var value) && value.ValueKind != JsonValueKind.Null)
                    ends.UnionWith(value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(one => Id(one, file)) : [Id(value, file)]);
            }
            catch (JsonException e)
            {
                throw new PolicyFormatException($"{file}: not JSON: {e.Message}", e);
            }
        }
        return ends;

        int Id(JsonElement value, string file) =>
            value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var id) ? throw new PolicyFormatException($"{file}: {Field} {value.GetRawText()} is no token id")
            : id < 0 || id >= config.VocabularySize ? throw new PolicyFormatException($"{file}: {Field} {id} is outside the vocabulary of {config.VocabularySize}")
            : id;
    }
}
