using System.Text.Json;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// The pre-tokenizer of a tokenizer of type BPE: splitters one after the other, the last of them of type ByteLevel, or none at all. Supported are
/// ByteLevel, Split by the patterns of GPT-2, Llama 3 and Qwen 2, and Digits; every other is refused by its name.
/// </summary>
/// <param name="Splitters">each splits what the one before left</param>
/// <param name="IsByteLevel">whether pieces are tokenised as bytes</param>
/// <param name="AddsSpace">before a piece that the last splitter gets, where it has none</param>
internal sealed record PreTokenizer(IReadOnlyList<Splitter> Splitters, bool IsByteLevel, bool AddsSpace)
{
    /// <exception cref="PolicyFormatException">a type, pattern or field that is not supported</exception>
    public static PreTokenizer Read(JsonElement json, string file)
    {
        var (splitters, isByteLevel, addsSpace) = (new List<Splitter>(), false, false);
        foreach (var part in Parts(json))
        {
            if (isByteLevel)
                throw new PolicyFormatException($"{file}: pre_tokenizer: '{part.Type}' after ByteLevel is not supported");
            switch (part.Type)
            {
                case "ByteLevel":
                    isByteLevel = true;
                    addsSpace = Flag(part.Json, "add_prefix_space", true);
                    if (Flag(part.Json, "use_regex", true))
                        splitters.Add(Gpt2Splitter.Instance);
                    else if (addsSpace)
                        throw new PolicyFormatException(
                            $"{file}: pre_tokenizer: ByteLevel with add_prefix_space and without use_regex is not supported");
                    break;
                case "Split":
                    splitters.Add(ReadSplit(part.Json, file));
                    break;
                case "Digits":
                    splitters.Add(new DigitSplitter(Flag(part.Json, "individual_digits", false)));
                    break;
                default:
                    throw new PolicyFormatException(
                        $"{file}: pre_tokenizer '{part.Type}' is not supported with BPE; "
                        + "supported are ByteLevel, Split, Digits and a Sequence of them");
            }
        }
        if (splitters.Count > 0 && !isByteLevel)
            throw new PolicyFormatException($"{file}: a pre_tokenizer that does not end with ByteLevel is not supported with BPE");
        return new PreTokenizer(splitters, isByteLevel, addsSpace);
    }

    private static IEnumerable<(string Type, JsonElement Json)> Parts(JsonElement json)
    {
        if (TokenizerFile.TypeOf(json, "pre_tokenizer") is not { } type)
            return [];
        var component = json.GetProperty("pre_tokenizer");
        return type == "Sequence"
            ? component.GetProperty("pretokenizers").EnumerateArray().Select(part => (part.GetProperty("type").GetString() ?? "unnamed", part))
            : [(type, component)];
    }

    private static Splitter ReadSplit(JsonElement json, string file)
    {
        if (json.GetProperty("behavior").GetString() is var behavior and not "Isolated")
            throw new PolicyFormatException($"{file}: pre_tokenizer: Split with behavior '{behavior}' is not supported; supported is Isolated");
        if (Flag(json, "invert", false))
            throw new PolicyFormatException($"{file}: pre_tokenizer: Split with invert is not supported");
        var pattern = json.GetProperty("pattern");
        var regex = pattern.TryGetProperty("Regex", out var text) ? text.GetString() : null;
        return regex switch
        {
            Gpt2Splitter.Pattern => Gpt2Splitter.Instance,
            Llama3Splitter.PatternOfThree => new Llama3Splitter(3),
            Llama3Splitter.PatternOfOne => new Llama3Splitter(1),
            // A pattern is read the same by no two engines: classes, cases and code points beyond 16 bits differ.
            _ => throw new PolicyFormatException(
                $"{file}: pre_tokenizer: Split by '{Encoding.Excerpt.Of(regex ?? pattern.GetRawText())}' is not supported; "
                + "supported are the patterns of GPT-2, Llama 3 and Qwen 2"),
        };
    }

    private static bool Flag(JsonElement json, string name, bool absent) => json.TryGetProperty(name, out var value) ? value.GetBoolean() : absent;
}
