using System.Text.Json;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// The normaliser of a tokenizer of type BPE: NFC, Prepend, Replace of a text, a Sequence of them, or none; every other is refused by its name.
/// </summary>
internal sealed class TextNormalizer
{
    private readonly List<Func<string, string>> _steps = [];

    private TextNormalizer()
    {
    }

    /// <exception cref="PolicyFormatException">a type or field that is not supported</exception>
    public static TextNormalizer Read(JsonElement json, string file)
    {
        var normalizer = new TextNormalizer();
        if (TokenizerFile.TypeOf(json, "normalizer") is not null)
            normalizer.Add(json.GetProperty("normalizer"), file);
        return normalizer;
    }

    /// <summary>Thread-safe.</summary>
    public string Of(string text) => _steps.Aggregate(text, (before, step) => step(before));

    private void Add(JsonElement json, string file)
    {
        switch (json.TryGetProperty("type", out var type) ? type.GetString() : "unnamed")
        {
            case "Sequence":
                foreach (var part in json.GetProperty("normalizers").EnumerateArray())
                    Add(part, file);
                break;
            case "NFC":
                _steps.Add(CanonicalComposition.Of);
                break;
            case "Prepend":
                var before = json.GetProperty("prepend").GetString() ?? throw new PolicyFormatException($"{file}: normalizer: Prepend has no text");
                _steps.Add(text => text.Length == 0 ? text : before + text);
                break;
            case "Replace":
                var (pattern, content) = TokenizerFile.ReadReplace(json, "normalizer", file);
                _steps.Add(text => text.Replace(pattern, content, StringComparison.Ordinal));
                break;
            case var other:
                throw new PolicyFormatException(
                    $"{file}: normalizer '{other}' is not supported; supported are NFC, Prepend, Replace and a Sequence of them");
        }
    }
}
