using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy.Tokenizers;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Tokenizers;

public sealed class WordLevelTokenizerTests
{
    /// <summary>A vocabulary of a given size.</summary>
    public static WordLevelTokenizer Numbered(int size) => WordLevelTokenizer.Create(Enumerable.Range(0, size - 3).Select(i => "w" + i), splitsAtWhitespace: true);

    [Fact]
    public void Items_are_one_token_each_spaces_and_all()
    {
        var tokenizer = WordLevelTokenizer.Create(["Kylie Minogue", "Ke$ha", "K's Choice"], splitsAtWhitespace: false);
        Assert.Equal(6, tokenizer.VocabularySize);
        Assert.Equal(3, tokenizer.IdOf("Kylie Minogue"));
        Assert.Equal([4], tokenizer.Encode("Ke$ha"));
        Assert.Null(tokenizer.IdOf("Kylie"));
        Assert.Equal("K's Choice", tokenizer.TextOf(5));
    }

    [Fact]
    public void A_special_token_is_no_item()
    {
        var tokenizer = WordLevelTokenizer.Create(["a"], splitsAtWhitespace: false);
        Assert.Null(tokenizer.IdOf("<s>"));
        Assert.Null(tokenizer.IdOf("<unk>"));
    }

    [Fact]
    public void Texts_are_split_at_any_white_space_and_unknown_words_are_unknown()
    {
        var tokenizer = WordLevelTokenizer.Create(["the", "cat"], splitsAtWhitespace: true);
        Assert.Equal([3, 4, 2, 3], tokenizer.Encode("  the\u00a0cat\n sat\tthe "));
        Assert.Empty(tokenizer.Encode(" \n"));
        Assert.Equal([WordLevelTokenizer.BosId], tokenizer.Prefix);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_written_tokenizer_is_read_back_the_same(bool splits)
    {
        using var folder = new TempFolder();
        var written = WordLevelTokenizer.Create(["the", "cat", "Júpiter Maçã", "\"quoted\""], splits);
        var file = folder.Write("tokenizer.json", written.ToJson().ToJsonString());
        var read = TokenizerFile.Load(file);
        Assert.Equal(written.VocabularySize, read.VocabularySize);
        Assert.Equal(written.Prefix, read.Prefix);
        foreach (var text in new[] { "the", "the cat", "Júpiter Maçã", "dog", "" })
            Assert.Equal(written.Encode(text), read.Encode(text));
    }

    [SharedDataFact("fixtures/tokenizers/wordlevel")]
    public void Texts_get_the_ids_that_the_tokenizers_library_gives()
    {
        var folder = SharedData.PathOf("fixtures/tokenizers/wordlevel");
        var tokenizer = TokenizerFile.Load(Path.Combine(folder, "tokenizer.json"));
        var lines = File.ReadAllLines(Path.Combine(folder, "encodings.jsonl"));
        Assert.NotEmpty(lines);
        foreach (var line in lines)
        {
            using var json = JsonDocument.Parse(line);
            var text = json.RootElement.GetProperty("text").GetString()!;
            Assert.Equal(json.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(text));
        }
    }

    [SharedDataTheory("fixtures/tokenizers")]
    [InlineData("unigram-refuse", "Unigram")]
    [InlineData("wordpiece-refuse", "WordPiece")]
    public void Another_model_is_refused_by_its_name(string folder, string type)
    {
        var refusal = Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(SharedData.PathOf($"fixtures/tokenizers/{folder}/tokenizer.json")));
        Assert.Contains(type, refusal.Message);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { """{"model":{"type":"BPE"}}""", "BPE" },
        { """{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":{"type":"NFC"}}""", "NFC" },
        { """{"model":{"type":"WordLevel","vocab":{"a":0}},"pre_tokenizer":{"type":"Digits"}}""", "Digits" },
        { """{"model":{"type":"WordLevel","vocab":{"a":0}},"post_processor":{"type":"BertProcessing"}}""", "BertProcessing" },
        { """{"model":{"type":"WordLevel","vocab":{"a":0,"b":0}}}""", "doubled" },
        { """{"model":{"type":"WordLevel","vocab":{"a":"x"}}}""", "malformed" },
        { """{"model":{"type":"WordLevel"}}""", "malformed" },
        { """{"model":7}""", "no model" },
        { """{""", "malformed" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_is_not_supported_or_malformed_is_refused_by_name_and_file(string json, string named)
    {
        using var folder = new TempFolder();
        var file = folder.Write("tokenizer.json", json);
        var refusal = Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(file));
        Assert.Contains(named, refusal.Message);
        Assert.Contains(file, refusal.Message);
    }

    [Fact]
    public void A_token_after_the_text_is_refused()
    {
        var json = WordLevelTokenizer.Create(["a"], splitsAtWhitespace: true).ToJson();
        ((JsonArray)json["post_processor"]!["single"]!).Add(new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = "</s>" } });
        using var folder = new TempFolder();
        Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(folder.Write("tokenizer.json", json.ToJsonString())));
    }

    [Fact]
    public void A_vocabulary_of_items_gives_its_own_texts_by_their_utf8_and_null_for_others()
    {
        string[] items = ["", "a", "b", "ab", "\0", "12345678", "123456789", "zwölf 🎻", new string('x', 1000), .. Enumerable.Range(0, 500).Select(i => $"item {i}")];
        var known = WordLevelTokenizer.Create(items, splitsAtWhitespace: false).KnownTexts!;
        foreach (var item in items)
            Assert.Same(item, known(System.Text.Encoding.UTF8.GetBytes(item)));
        foreach (var other in new[] { "c", "aa", "1234567", "12345678\0", "item 500", new string('x', 999) })
            Assert.Null(known(System.Text.Encoding.UTF8.GetBytes(other)));
        Assert.Null(known([0xFF]));
        Assert.Null(WordLevelTokenizer.Create(items[1..], splitsAtWhitespace: true).KnownTexts);
    }
}
