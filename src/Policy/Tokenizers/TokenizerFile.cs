using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy.Tokenizers;

/// <summary>Reads <c>tokenizer.json</c>; a component that this build does not support is refused by its name.</summary>
public static class TokenizerFile
{
    /// <exception cref="PolicyFormatException">missing or malformed file, or a component that is not supported</exception>
    public static Tokenizer Load(string file)
    {
        if (!File.Exists(file))
            throw new PolicyFormatException($"{file} does not exist: a policy directory needs its tokenizer");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            var type = TypeOf(document.RootElement, "model")
                ?? throw new PolicyFormatException($"{file}: it has no model with a type");
            return type switch
            {
                "WordLevel" => WordLevelTokenizer.Read(document.RootElement, file),
                "BPE" => BpeTokenizer.Read(document.RootElement, file),
                _ => throw new PolicyFormatException($"{file}: model type '{type}' is not supported; supported are BPE and WordLevel"),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new PolicyFormatException($"{file}: malformed: {e.Message}", e);
        }
    }

    internal static string? TypeOf(JsonElement json, string component) =>
        json.TryGetProperty(component, out var value) && value.ValueKind == JsonValueKind.Object
            ? value.TryGetProperty("type", out var type) ? type.GetString() : "unnamed"
            : null;

    internal static void Refuse(JsonElement json, string component, string file)
    {
        if (TypeOf(json, component) is { } type)
            throw new PolicyFormatException($"{file}: {component} '{type}' is not supported here");
    }

    /// <summary>The vocabulary of a model: distinct tokens with distinct ids that are not far apart.</summary>
    internal static Dictionary<string, int> ReadVocabulary(JsonElement model, string file)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var word in model.GetProperty("vocab").EnumerateObject())
            if (!ids.TryAdd(word.Name, word.Value.GetInt32()))
                throw new PolicyFormatException($"{file}: '{Encoding.Excerpt.Of(word.Name)}' is in the vocabulary twice");
        if (ids.Values.Any(id => id < 0 || id >= ids.Count + 100_000) || ids.Values.Distinct().Count() != ids.Count)
            throw new PolicyFormatException($"{file}: the ids of the vocabulary are negative, doubled or far apart");
        return ids;
    }

    /// <summary>The fields of a component of type Replace: a text, not a regular expression, and what takes its place.</summary>
    internal static (string Pattern, string Content) ReadReplace(JsonElement json, string component, string file)
    {
        var pattern = json.GetProperty("pattern");
        return pattern.TryGetProperty("String", out var text) && text.GetString() is { Length: > 0 } literal
            && json.GetProperty("content").GetString() is { } content
            ? (literal, content)
            : throw new PolicyFormatException(
                $"{file}: {component}: Replace of {Encoding.Excerpt.Of(pattern.GetRawText())} is not supported; supported is a text");
    }

    /// <summary>An added token that is special.</summary>
    internal static JsonNode SpecialToken(string text, int id) => new JsonObject
    {
        ["id"] = id,
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    /// <summary>The ids that a TemplateProcessing post-processor puts before a single text; all of them satisfy <paramref name="isToken"/>.</summary>
    internal static IReadOnlyList<int> ReadPrefix(JsonElement json, Func<int, bool> isToken, string file)
    {
        return TypeOf(json, "post_processor") is null ? [] : ReadProcessor(json.GetProperty("post_processor"), isToken, file);
    }

    private static List<int> ReadProcessor(JsonElement post, Func<int, bool> isToken, string file)
    {
        var type = post.TryGetProperty("type", out var named) ? named.GetString() : "unnamed";
        var prefix = new List<int>();
        switch (type)
        {
            // It changes where tokens are said to begin, no ids.
            case "ByteLevel":
                return [];
            case "Sequence":
                foreach (var part in post.GetProperty("processors").EnumerateArray())
                    prefix.InsertRange(0, ReadProcessor(part, isToken, file));
                return prefix;
            case "TemplateProcessing":
                break;
            default:
                throw new PolicyFormatException($"{file}: post_processor '{type}' is not supported; supported are TemplateProcessing and ByteLevel");
        }
        var afterText = false;
        foreach (var piece in post.GetProperty("single").EnumerateArray())
        {
            if (piece.TryGetProperty("Sequence", out _))
            {
                afterText = true;
                continue;
            }
            if (afterText)
                throw new PolicyFormatException(
                    $"{file}: a post_processor that puts tokens after a text is not supported: the end token of a response comes from config.json");
            var name = piece.GetProperty("SpecialToken").GetProperty("id").GetString()
                ?? throw new PolicyFormatException($"{file}: post_processor: a special token has no id");
            foreach (var id in post.GetProperty("special_tokens").GetProperty(name).GetProperty("ids").EnumerateArray())
                prefix.Add(isToken(id.GetInt32())
                    ? id.GetInt32()
                    : throw new PolicyFormatException($"{file}: post_processor: '{name}' has id {id}, which is no token of the vocabulary"));
        }
        return prefix;
    }

    /// <summary>A TemplateProcessing post-processor that puts these tokens before a text; null where there are none.</summary>
    internal static JsonObject? PrefixTemplate(IReadOnlyList<(string Text, int Id)> prefix)
    {
        if (prefix.Count == 0)
            return null;
        JsonNode[] before = [.. prefix.Select(token => Special(token.Text, 0))];
        JsonNode[] beforeSecond = [.. prefix.Select(token => Special(token.Text, 1))];
        var tokens = new JsonObject();
        foreach (var (text, id) in prefix)
            tokens[text] = new JsonObject { ["id"] = text, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(text) };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([.. before, Sequence("A", 0)]),
            ["pair"] = new JsonArray([.. before.Select(node => node.DeepClone()), Sequence("A", 0), .. beforeSecond, Sequence("B", 1)]),
            ["special_tokens"] = tokens,
        };

        static JsonObject Sequence(string id, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = type } };

        static JsonObject Special(string text, int type) => new() { ["SpecialToken"] = new JsonObject { ["id"] = text, ["type_id"] = type } };
    }
}
