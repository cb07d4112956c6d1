using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy.Tokenizers;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Tokenizers;

/// <summary>What Hugging Face's tokenizers and llama.cpp give for the same files and texts.</summary>
public sealed class TokenizerFixtureTests
{
    public static TheoryData<string> Forms => ["gpt2-style", "llama2-style", "llama3-style", "qwen2-style", "wordlevel"];

    [SharedDataTheory("fixtures/tokenizers")]
    [MemberData(nameof(Forms))]
    public void Every_id_and_every_decoded_text_is_the_librarys(string form)
    {
        var folder = SharedData.PathOf($"fixtures/tokenizers/{form}");
        var tokenizer = TokenizerFile.Load(Path.Combine(folder, "tokenizer.json"));
        var lines = File.ReadAllLines(Path.Combine(folder, "encodings.jsonl"));
        Assert.True(lines.Length > 100);
        foreach (var line in lines)
        {
            using var json = JsonDocument.Parse(line);
            var text = json.RootElement.GetProperty("text").GetString()!;
            var ids = Ids(json.RootElement.GetProperty("ids"));
            Assert.Equal(ids, tokenizer.Encode(text));
            Assert.Equal(Ids(json.RootElement.GetProperty("ids_with_special")), tokenizer.Prefix.Concat(tokenizer.Encode(text)));
            Assert.Equal(json.RootElement.GetProperty("decoded").GetString(), tokenizer.Decode(ids));
        }
    }

    [SharedDataTheory("fixtures/tokenizers")]
    [InlineData("unigram-refuse", "Unigram")]
    [InlineData("wordpiece-refuse", "WordPiece")]
    public void Other_kinds_are_refused_by_file_and_name(string folder, string kind)
    {
        var file = SharedData.PathOf($"fixtures/tokenizers/{folder}/tokenizer.json");
        var refusal = Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(file)).Message;
        Assert.Contains(file, refusal);
        Assert.Contains($"'{kind}'", refusal);
    }

    [SharedDataFact("fixtures/tokenizers")]
    public void Every_tokenizer_that_is_there_is_held_against_its_library()
    {
        var folders = Directory.EnumerateDirectories(SharedData.PathOf("fixtures/tokenizers")).Select(folder => Path.GetFileName(folder));
        Assert.Equal(((IEnumerable<object[]>)Forms).Select(row => (string)row[0]).Order(StringComparer.Ordinal),
            folders.Where(name => !name.EndsWith("-refuse", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [SharedDataTheory("fixtures/tokenizers")]
    [MemberData(nameof(Forms))]
    public void What_is_written_is_what_was_read(string form)
    {
        var file = SharedData.PathOf($"fixtures/tokenizers/{form}/tokenizer.json");
        var read = JsonNode.Parse(File.ReadAllText(file))!;
        // What a WordLevel decoder lacks, and the type that a template gives to a second text, is not kept.
        if (form != "wordlevel")
            Assert.True(JsonNode.DeepEquals(read, TokenizerFile.Load(file).ToJson()));
    }

    [SharedDataTheory("fixtures/hf")]
    [InlineData("llama-tied")]
    [InlineData("llama3-rope")]
    [InlineData("mistral-window")]
    [InlineData("qwen2-bias")]
    [InlineData("qwen3-qknorm")]
    [InlineData("smollm-bf16")]
    public void The_tokenizers_of_the_family_are_read(string model) =>
        Assert.NotEmpty(TokenizerFile.Load(SharedData.PathOf($"fixtures/hf/{model}/tokenizer.json")).Encode("It's 2024 already."));

    [SharedDataFact("data/tokenizers/known-encodings.jsonl", "data/tokenizers/llama2/tokenizer.json")]
    public void The_whole_tokenizer_of_Llama_2_gives_the_known_ids()
    {
        var tokenizer = TokenizerFile.Load(SharedData.PathOf("data/tokenizers/llama2/tokenizer.json"));
        Assert.Equal((32000, 1), (tokenizer.VocabularySize, Assert.Single(tokenizer.Prefix)));
        Known("llama2", tokenizer);
    }

    [SharedDataFact("data/tokenizers/known-encodings.jsonl", "data/tokenizers/gpt2/vocab.json", "data/tokenizers/gpt2/merges.txt")]
    public void The_whole_tokenizer_of_GPT_2_gives_the_known_ids()
    {
        // The older form of two files, put together as tokenizer.json has it.
        var byteLevel = """{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}""";
        var json = new JsonObject
        {
            ["pre_tokenizer"] = JsonNode.Parse(byteLevel),
            ["decoder"] = JsonNode.Parse(byteLevel),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = JsonNode.Parse(File.ReadAllText(SharedData.PathOf("data/tokenizers/gpt2/vocab.json"))),
                ["merges"] = new JsonArray([.. File.ReadLines(SharedData.PathOf("data/tokenizers/gpt2/merges.txt"))
                    .Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)).Select(line => (JsonNode)line)]),
            },
        };
        using var folder = new TempFolder();
        Known("gpt2", TokenizerFile.Load(folder.Write("tokenizer.json", json.ToJsonString())));
    }

    // Its vocabulary is of characters, though it is said to be of bytes: spaces would be lost.
    [SharedDataFact("data/tokenizers/torchtitan-test/tokenizer.json")]
    public void A_tokenizer_that_would_lose_text_is_refused() =>
        Assert.Contains("byte 0x20", Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(SharedData.PathOf("data/tokenizers/torchtitan-test/tokenizer.json"))).Message);

    private static void Known(string name, Tokenizer tokenizer)
    {
        var lines = File.ReadAllLines(SharedData.PathOf("data/tokenizers/known-encodings.jsonl"));
        Assert.Equal(46, lines.Length);
        foreach (var line in lines)
        {
            using var json = JsonDocument.Parse(line);
            var text = json.RootElement.GetProperty("text").GetString()!;
            Assert.Equal(Ids(json.RootElement.GetProperty("ids").GetProperty(name)), tokenizer.Encode(text));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    private static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];
}
