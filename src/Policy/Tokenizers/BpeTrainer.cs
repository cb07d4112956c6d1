using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// Learns a byte-level BPE from texts, as GPT-2's: pieces of its pattern, no space put before a text, all 256 bytes in the vocabulary, so that no
/// token for unknown text is needed. Each step merges the pair of neighbours that the texts have most often; of several that with the smallest id
/// on the left, then on the right, as the BpeTrainer of Hugging Face's tokenizers does. Two pairs that spell the same token share its id. The result
/// is a function of the texts alone, not of their order.
/// </summary>
public static class BpeTrainer
{
    /// <summary>Of <c>&lt;s&gt;</c>, which stands before a text.</summary>
    public const int BosId = 0;

    /// <summary>Of <c>&lt;/s&gt;</c>, which ends a response.</summary>
    public const int EosId = 1;

    /// <summary>The special tokens and the bytes.</summary>
    public const int LeastVocabulary = 258;

    private static readonly string[] SpecialTokens = ["<s>", "</s>"];

    /// <summary>
    /// Learns. Ids: <c>&lt;s&gt;</c>, <c>&lt;/s&gt;</c>, the bytes in the order of the characters that stand for them, then merges as they were
    /// learnt. The vocabulary is smaller than asked for where the texts have no more pairs.
    /// </summary>
    /// <param name="texts">a pair counts as often as it occurs in them</param>
    /// <param name="vocabulary">tokens in all, at least <see cref="LeastVocabulary"/></param>
    /// <param name="cancellation">ends it with an exception</param>
    public static BpeTokenizer Train(IEnumerable<string> texts, int vocabulary, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, LeastVocabulary);
        var tokens = new List<string>(SpecialTokens);
        tokens.AddRange(Enumerable.Range(0, 256).Select(value => ByteAlphabet.Of((byte)value).ToString()).Order(StringComparer.Ordinal));
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var token in tokens)
            ids.Add(token, ids.Count);
        var words = new PairCounts();
        foreach (var (word, count) in CountWords(texts, cancellation))
            words.Add([.. System.Text.Encoding.UTF8.GetBytes(word).Select(value => ids[ByteAlphabet.Of(value).ToString()])], count);
        var merges = new List<(int Left, int Right)>();
        var known = new Dictionary<(int Left, int Right), int>();
        while (tokens.Count < vocabulary && words.TakeMostFrequent() is { } pair)
        {
            cancellation.ThrowIfCancellationRequested();
            // A pair can come about again after its merge, where another merge spells one of its tokens anew: its merge is already in the list.
            if (!known.TryGetValue(pair, out var id))
            {
                var token = tokens[pair.Left] + tokens[pair.Right];
                if (!ids.TryGetValue(token, out id))
                {
                    ids.Add(token, id = tokens.Count);
                    tokens.Add(token);
                }
                known.Add(pair, id);
                merges.Add(pair);
            }
            words.Merge(pair, id);
        }
        return BpeTokenizer.Read(JsonSerializer.SerializeToElement(Json(tokens, merges)), "the trained tokenizer");
    }

    private static Dictionary<string, long> CountWords(IEnumerable<string> texts, CancellationToken cancellation)
    {
        var words = new Dictionary<string, long>(StringComparer.Ordinal);
        var counts = words.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
        {
            cancellation.ThrowIfCancellationRequested();
            for (var rest = text.AsSpan(); !rest.IsEmpty;)
            {
                var end = Gpt2Splitter.Instance.First(rest);
                CollectionsMarshal.GetValueRefOrAddDefault(counts, rest[..end], out _)++;
                rest = rest[end..];
            }
        }
        return words;
    }

    private static JsonObject Json(List<string> tokens, List<(int Left, int Right)> merges) => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. SpecialTokens.Select(TokenizerFile.SpecialToken)]),
        ["normalizer"] = null,
        ["pre_tokenizer"] = ByteLevel(addsSpace: false),
        ["post_processor"] = TokenizerFile.PrefixTemplate([(SpecialTokens[BosId], BosId)]),
        ["decoder"] = ByteLevel(addsSpace: true),
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. merges.Select(merge => (JsonNode)new JsonArray(tokens[merge.Left], tokens[merge.Right]))]),
        },
    };

    // As the library writes it; a decoder's add_prefix_space means nothing.
    private static JsonObject ByteLevel(bool addsSpace) =>
        new() { ["type"] = "ByteLevel", ["add_prefix_space"] = addsSpace, ["trim_offsets"] = true, ["use_regex"] = true };
}
