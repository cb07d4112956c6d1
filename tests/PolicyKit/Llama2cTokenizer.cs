using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using MassDpo.Policy.Tokenizers;
using MassDpo.TestKit;

namespace MassDpo.PolicyKit;

/// <summary>A token of llama2.c's tokenizer file.</summary>
/// <param name="Text">as the file has it: a space is a space</param>
/// <param name="Score">of two pairs that can be merged the one that makes the token of the higher score goes first</param>
public readonly record struct Llama2cToken(string Text, float Score);

/// <summary>
/// Reads a tokenizer in llama2.c's format (the length of the longest token as int32; then of each token its score as float32, its length in bytes as int32, and its
/// UTF-8) into the form that Llama 2's <c>tokenizer.json</c> has: BPE over characters with bytes to fall back on, a space put before a text.
/// The format has no merges: they are all pairs of tokens that together are a token, by its score, as Hugging Face's converter of SentencePiece has it.
/// </summary>
public static class Llama2cTokenizer
{
    /// <summary>Of <c>&lt;s&gt;</c>, which stands before a text.</summary>
    public const int BosId = 1;

    /// <summary>Of <c>&lt;/s&gt;</c>.</summary>
    public const int EosId = 2;

    private const int FirstByteId = 3;
    private const int FirstPieceId = FirstByteId + 256;

    // SentencePiece writes a space so.
    private const string Space = "▁";

    private static readonly string[] SpecialTokens = ["<unk>", "<s>", "</s>"];

    /// <summary>The tokens in the order of their ids: three special ones, the 256 bytes, then pieces of text.</summary>
    public static IReadOnlyList<Llama2cToken> ReadTokens(string file)
    {
        var rest = File.ReadAllBytes(file).AsSpan(4);
        var tokens = new List<Llama2cToken>();
        while (!rest.IsEmpty)
        {
            var (score, length) = (BinaryPrimitives.ReadSingleLittleEndian(rest), BinaryPrimitives.ReadInt32LittleEndian(rest[4..]));
            tokens.Add(new Llama2cToken(Encoding.UTF8.GetString(rest.Slice(8, length)), score));
            rest = rest[(8 + length)..];
        }
        return tokens;
    }

    /// <exception cref="Policy.PolicyFormatException">the tokens make no BPE, or one that needs what is not supported</exception>
    public static Tokenizer Load(string file)
    {
        using var folder = new TempFolder();
        return TokenizerFile.Load(folder.Write("tokenizer.json", ToJson(ReadTokens(file)).ToJsonString()));
    }

    private static JsonObject ToJson(IReadOnlyList<Llama2cToken> tokens)
    {
        var texts = tokens.Select((token, id) => id < FirstByteId ? SpecialTokens[id] : token.Text.Replace(" ", Space, StringComparison.Ordinal)).ToList();
        var ids = texts.Select((text, id) => (text, id)).Skip(FirstPieceId).ToDictionary(token => token.text, token => token.id, StringComparer.Ordinal);
        var merges = from token in ids
                     from at in Enumerable.Range(1, token.Key.Length - 1)
                     let pair = (Left: token.Key[..at], Right: token.Key[at..])
                     where ids.ContainsKey(pair.Left) && ids.ContainsKey(pair.Right)
                     orderby tokens[token.Value].Score descending, ids[pair.Left], ids[pair.Right]
                     select (JsonNode)new JsonArray(pair.Left, pair.Right);
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. SpecialTokens.Select(TokenizerFile.SpecialToken)]),
            ["normalizer"] = JsonNode.Parse($$"""
                {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "{{Space}}"}, {"type": "Replace", "pattern": {"String": " "}, "content": "{{Space}}"}]}
                """),
            ["pre_tokenizer"] = null,
            ["post_processor"] = JsonNode.Parse($$$"""
                {
                  "type": "TemplateProcessing",
                  "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                  "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
                  "special_tokens": {"<s>": {"id": "<s>", "ids": [{{{BosId}}}], "tokens": ["<s>"]}}
                }
                """),
            ["decoder"] = JsonNode.Parse($$"""
                {
                  "type": "Sequence",
                  "decoders": [{"type": "Replace", "pattern": {"String": "{{Space}}"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
                }
                """),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = SpecialTokens[0],
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["ignore_merges"] = false,
                ["vocab"] = new JsonObject(texts.Select((text, id) => KeyValuePair.Create(text, (JsonNode?)id))),
                ["merges"] = new JsonArray([.. merges]),
            },
        };
    }
}
