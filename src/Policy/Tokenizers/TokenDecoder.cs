using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// The decoder of a tokenizer of type BPE: from tokens, as the vocabulary writes them, back to text. ByteLevel, ByteFallback, Replace of a text,
/// Fuse, Strip and a Sequence of them; without one, tokens are joined by spaces. Every other is refused by its name.
/// </summary>
internal sealed class TokenDecoder
{
    private readonly List<Func<List<string>, List<string>>> _steps = [];

    private TokenDecoder()
    {
    }

    /// <exception cref="PolicyFormatException">a type or field that is not supported</exception>
    public static TokenDecoder Read(JsonElement json, string file)
    {
        var decoder = new TokenDecoder();
        if (TokenizerFile.TypeOf(json, "decoder") is not null)
            decoder.Add(json.GetProperty("decoder"), file);
        return decoder;
    }

    /// <summary>Bytes that are no UTF-8 become U+FFFD.</summary>
    public string Of(List<string> tokens) =>
        string.Join(_steps.Count == 0 ? " " : "", _steps.Aggregate(tokens, (before, step) => step(before)));

    private void Add(JsonElement json, string file)
    {
        switch (json.TryGetProperty("type", out var type) ? type.GetString() : "unnamed")
        {
            case "Sequence":
                foreach (var part in json.GetProperty("decoders").EnumerateArray())
                    Add(part, file);
                break;
            case "ByteLevel":
                _steps.Add(FromBytes);
                break;
            case "ByteFallback":
                _steps.Add(FromFallback);
                break;
            case "Fuse":
                _steps.Add(tokens => [string.Concat(tokens)]);
                break;
            case "Replace":
                var (pattern, content) = TokenizerFile.ReadReplace(json, "decoder", file);
                _steps.Add(tokens => [.. tokens.Select(token => token.Replace(pattern, content, StringComparison.Ordinal))]);
                break;
            case "Strip":
                var stripped = json.GetProperty("content").GetString();
                if (stripped is not { Length: 1 })
                    throw new PolicyFormatException($"{file}: decoder: Strip of '{stripped}' is not supported; supported is one character");
                var (start, stop) = (json.GetProperty("start").GetInt32(), json.GetProperty("stop").GetInt32());
                _steps.Add(tokens => [.. tokens.Select(token => Strip(token, stripped[0], start, stop))]);
                break;
            case var other:
                throw new PolicyFormatException(
                    $"{file}: decoder '{other}' is not supported; "
                    + "supported are ByteLevel, ByteFallback, Replace, Fuse, Strip and a Sequence of them");
        }
    }

    // A token with a character that stands for no byte is its own text.
    private static List<string> FromBytes(List<string> tokens)
    {
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (token.All(character => ByteAlphabet.ByteOf(character) >= 0))
                bytes.AddRange(token.Select(character => (byte)ByteAlphabet.ByteOf(character)));
            else
                bytes.AddRange(System.Text.Encoding.UTF8.GetBytes(token));
        }
        return [System.Text.Encoding.UTF8.GetString([.. bytes])];
    }

    // Bytes in a row are one text, or, where they are no UTF-8, one U+FFFD each.
    private static List<string> FromFallback(List<string> tokens)
    {
        var texts = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (var token in tokens)
        {
            if (ByteOf(token) is { } value)
            {
                bytes.Add(value);
                continue;
            }
            Flush();
            texts.Add(token);
        }
        Flush();
        return texts;

        void Flush()
        {
            if (bytes.Count == 0)
                return;
            try
            {
                texts.Add(Strict.GetString([.. bytes]));
            }
            catch (DecoderFallbackException)
            {
                texts.Add(new string('\uFFFD', bytes.Count));
            }
            bytes.Clear();
        }
    }

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;

    private static string Strip(string token, char stripped, int most, int mostAtEnd)
    {
        var (start, end) = (0, token.Length);
        while (start < Math.Min(most, token.Length) && token[start] == stripped)
            start++;
        while (end > start && token.Length - end < mostAtEnd && token[end - 1] == stripped)
            end--;
        return token[start..end];
    }
}
