using System.IO.Compression;
using System.Text;
using System.Text.Json;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using static MassDpo.Policy.Tests.GoldenNumbers;

namespace MassDpo.Policy.Tests.Tokenizers;

/// <summary>The tokenizer of stories260K, read into the form of Llama 2's, gives the ids that llama2.c gives.</summary>
public sealed class Llama2cTokenizerTests
{
    private const string Stories = "data/models/stories260K";

    private static readonly Lazy<JsonElement> Golden = new(() => JsonDocument.Parse(File.ReadAllText(SharedData.PathOf(Stories + "/golden.json"))).RootElement);

    private static string File512 => SharedData.PathOf(Stories + "/tok512.bin");

    [SharedDataFact(Stories)]
    public void Texts_become_the_ids_that_llama2_c_gives_and_come_back()
    {
        var tokenizer = Llama2cTokenizer.Load(File512);
        Assert.Equal(512, tokenizer.VocabularySize);
        var texts = Golden.Value.GetProperty("scored_texts").EnumerateArray().ToList();
        Assert.Equal(8, texts.Count);
        foreach (var json in texts.Append(Golden.Value.GetProperty("next_token_logits_after")))
        {
            var text = json.GetProperty("text").GetString()!;
            var ids = tokenizer.Prefix.Concat(tokenizer.Encode(text)).ToArray();
            Assert.Equal(Ints(json.GetProperty("tokens")), ids);
            Assert.Equal(text, tokenizer.Decode(ids, skipSpecial: true));
        }
        var greedy = Golden.Value.GetProperty("greedy_temperature0");
        Assert.Equal(greedy.GetProperty("text").GetString(), tokenizer.Decode(Ints(greedy.GetProperty("tokens")), skipSpecial: true));
    }

    [SharedDataFact(Stories)]
    public void A_pool_of_texts_has_the_tokens_of_its_parts_and_end_tokens()
    {
        var config = MadePolicy.Config(vocabulary: 512, positions: 512) with { BosTokenId = Llama2cTokenizer.BosId, EosTokenId = Llama2cTokenizer.EosId };
        var encoder = new RecordEncoder(Llama2cTokenizer.Load(File512), config);
        var pools = Golden.Value.GetProperty("candidate_pools").EnumerateArray().ToList();
        Assert.Equal(3, pools.Count);
        foreach (var json in pools)
        {
            var candidates = json.GetProperty("candidates_first_is_chosen").EnumerateArray().ToList();
            var record = new PreferenceRecord
            {
                Prompt = Prompt.OfText(json.GetProperty("prompt").GetString()!),
                Candidates = [.. candidates.Select(candidate => " " + candidate.GetProperty("text").GetString())],
            };
            var encoded = encoder.Encode(record, Duplicates.Keep, out var why);
            Assert.Null(why);
            Assert.Equal(Ints(json.GetProperty("prompt_tokens")), encoded!.Tokens.Prompt);
            Assert.Equal(candidates.Select(candidate => (int[])[.. Ints(candidate.GetProperty("tokens")), Llama2cTokenizer.EosId]), encoded.Tokens.Responses);
        }
    }

    [SharedDataFact(Stories, "data/qa/qasc-dev.jsonl.gz")]
    public void Questions_and_answers_become_the_ids_of_its_algorithm()
    {
        var tokenizer = Llama2cTokenizer.Load(File512);
        var tokens = Llama2cTokenizer.ReadTokens(File512);
        using var lines = new StreamReader(new GZipStream(File.OpenRead(SharedData.PathOf("data/qa/qasc-dev.jsonl.gz")), CompressionMode.Decompress));
        var rows = 0;
        for (; rows < 300 && lines.ReadLine() is { } line; rows++)
        {
            using var json = JsonDocument.Parse(line);
            foreach (var candidate in json.RootElement.GetProperty("candidates").EnumerateArray())
            {
                var text = json.RootElement.GetProperty("prompt").GetString() + candidate.GetString();
                Assert.Equal(Reference(text, tokens), tokenizer.Encode(text));
            }
        }
        Assert.Equal(300, rows);
    }

    // encode() of llama2.c's run.c: a space before, characters or their bytes, then always the pair whose token has the highest score, the leftmost of equals.
    private static List<int> Reference(string text, IReadOnlyList<Llama2cToken> tokens)
    {
        var ids = new List<int>();
        foreach (var rune in (" " + text).EnumerateRunes())
        {
            if (Find(rune.ToString()) is { } known)
                ids.Add(known);
            else
                ids.AddRange(System.Text.Encoding.UTF8.GetBytes(rune.ToString()).Select(value => value + 3));
        }
        while (true)
        {
            var (at, best) = (-1, -1);
            for (var i = 0; i + 1 < ids.Count; i++)
                if (Find(tokens[ids[i]].Text + tokens[ids[i + 1]].Text) is { } merged && (best < 0 || tokens[merged].Score > tokens[best].Score))
                    (at, best) = (i, merged);
            if (at < 0)
                return ids;
            ids[at] = best;
            ids.RemoveAt(at + 1);
        }

        int? Find(string piece) => Ids(tokens).TryGetValue(piece, out var id) ? id : null;
    }

    private static Dictionary<string, int>? _ids;

    private static Dictionary<string, int> Ids(IReadOnlyList<Llama2cToken> tokens) =>
        _ids ??= tokens.Select((token, id) => (token.Text, id)).ToDictionary(token => token.Text, token => token.id, StringComparer.Ordinal);
}
