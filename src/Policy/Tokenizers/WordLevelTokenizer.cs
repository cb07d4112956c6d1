using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// A tokenizer of type WordLevel: every word, or every item, is one token. Left out and refused by name: normalisers, added tokens that are no words
/// of the vocabulary, pre-tokenizers other than WhitespaceSplit (or none: a text is one word), post-processors other than a template that puts tokens
/// before a text.
/// </summary>
public sealed class WordLevelTokenizer : Tokenizer
{
    // Every item of every record is looked up.
    private readonly FrozenDictionary<string, int> _ids;
    private readonly Utf8Index? _items;
    private readonly bool[] _isSpecial;
    private readonly string?[] _texts;
    private readonly int? _unknown;
    private readonly bool _splitsAtWhitespace;
    private readonly HashSet<string> _special;

    private WordLevelTokenizer(Dictionary<string, int> ids, int? unknown, bool splitsAtWhitespace, IEnumerable<string> special,
        IReadOnlyList<int> prefix)
    {
        (_ids, _unknown, _splitsAtWhitespace, Prefix) = (ids.ToFrozenDictionary(StringComparer.Ordinal), unknown, splitsAtWhitespace, prefix);
        _special = new HashSet<string>(special, StringComparer.Ordinal);
        _texts = new string?[ids.Count == 0 ? 0 : ids.Values.Max() + 1];
        foreach (var (text, id) in ids)
            _texts[id] = text;
        _isSpecial = [.. _texts.Select(text => text is not null && _special.Contains(text))];
        _items = splitsAtWhitespace ? null : new Utf8Index(ids.Keys);
    }

    public override int VocabularySize => _texts.Length;

    public override IReadOnlyList<int> Prefix { get; }

    public override bool IsOfItems => !_splitsAtWhitespace;

    public override string? UnknownToken => _unknown is { } id ? _texts[id] : null;

    public override int? IdOf(string item) => _ids.TryGetValue(item, out var id) && !_isSpecial[id] ? id : null;

    public override Func<ReadOnlySpan<byte>, string?>? KnownTexts => _items is { } items ? items.Find : null;

    public override string? TextOf(int id) => id >= 0 && id < _texts.Length ? _texts[id] : null;

    /// <inheritdoc/>
    /// <exception cref="PolicyFormatException">a word is unknown and the vocabulary names no token for unknown words</exception>
    public override int[] Encode(string text)
    {
        if (!_splitsAtWhitespace)
            return text.Length == 0 ? [] : [Id(text)];
        var ids = new List<int>();
        var rest = text.AsSpan();
        while (true)
        {
            rest = rest.TrimStart();
            if (rest.IsEmpty)
                return [.. ids];
            var end = 0;
            while (end < rest.Length && !char.IsWhiteSpace(rest[end]))
                end++;
            ids.Add(Id(rest[..end].ToString()));
            rest = rest[end..];
        }
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        var words = new List<string>(ids.Length);
        foreach (var id in ids)
            if (TextOf(id) is { } word && !(skipSpecial && _special.Contains(word)))
                words.Add(word);
        return string.Join(' ', words);
    }

    private int Id(string word) => _ids.TryGetValue(word, out var id) ? id
        : _unknown ?? throw new PolicyFormatException(
            $"'{Encoding.Excerpt.Of(word)}' is not in the vocabulary, and the tokenizer names no token for unknown words: set unk_token");

    /// <summary>
    /// A new vocabulary: the special tokens <c>&lt;s&gt;</c> (0), <c>&lt;/s&gt;</c> (1) and <c>&lt;unk&gt;</c> (2), then <paramref name="words"/>
    /// in order.
    /// </summary>
    /// <param name="words">distinct</param>
    /// <param name="splitsAtWhitespace">whether a text is split into words; false: each text is one item</param>
    public static WordLevelTokenizer Create(IEnumerable<string> words, bool splitsAtWhitespace)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var word in SpecialTokens.Concat(words))
            ids.TryAdd(word, ids.Count);
        return new WordLevelTokenizer(ids, unknown: 2, splitsAtWhitespace, SpecialTokens, prefix: [BosId]);
    }

    /// <summary>Of a vocabulary of <see cref="Create"/>.</summary>
    public const int BosId = 0;

    /// <summary>Of a vocabulary of <see cref="Create"/>.</summary>
    public const int EosId = 1;

    private static readonly string[] SpecialTokens = ["<s>", "</s>", "<unk>"];

    internal static WordLevelTokenizer Read(JsonElement json, string file)
    {
        TokenizerFile.Refuse(json, "normalizer", file);
        var pre = TokenizerFile.TypeOf(json, "pre_tokenizer");
        if (pre is not (null or "WhitespaceSplit"))
            throw new PolicyFormatException($"{file}: pre_tokenizer '{pre}' is not supported with WordLevel; supported is WhitespaceSplit, or none");
        var model = json.GetProperty("model");
        var ids = TokenizerFile.ReadVocabulary(model, file);
        var special = new List<string>();
        if (json.TryGetProperty("added_tokens", out var added) && added.ValueKind == JsonValueKind.Array)
        {
            foreach (var token in added.EnumerateArray())
            {
                var content = token.GetProperty("content").GetString() ?? throw new PolicyFormatException($"{file}: an added token has no content");
                if (!ids.TryGetValue(content, out var id) || id != token.GetProperty("id").GetInt32())
                    throw new PolicyFormatException(
                        $"{file}: added token '{content}' is not in the vocabulary under its id, which is not supported with WordLevel");
                special.Add(content);
            }
        }
        int? unknown = model.TryGetProperty("unk_token", out var unk) && unk.GetString() is { } name && ids.TryGetValue(name, out var unknownId)
            ? unknownId
            : null;
        return new WordLevelTokenizer(ids, unknown, pre is not null, special, TokenizerFile.ReadPrefix(json, ids.Values.ToHashSet().Contains, file));
    }

    /// <inheritdoc/>
    public override JsonObject ToJson()
    {
        var vocabulary = new JsonObject();
        for (var id = 0; id < _texts.Length; id++)
            if (_texts[id] is { } text)
                vocabulary[text] = id;
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. _special.OrderBy(text => _ids[text]).Select(text => TokenizerFile.SpecialToken(text, _ids[text]))]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = _splitsAtWhitespace ? new JsonObject { ["type"] = "WhitespaceSplit" } : null,
            ["post_processor"] = TokenizerFile.PrefixTemplate([.. Prefix.Select(id => (_texts[id]!, id))]),
            ["decoder"] = null,
            ["model"] = new JsonObject { ["type"] = "WordLevel", ["vocab"] = vocabulary, ["unk_token"] = UnknownToken },
        };
    }
}
