using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Tokenizers;

public sealed class BpeTokenizerTests
{
    private static readonly BpeTokenizer Trained = BpeTrainer.Train(Corpus(), 600);

    // Made words, so that merges are many and deep.
    private static IEnumerable<string> Corpus()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new StableRandom(seed, 0xC0B);
            yield return MadeText.Of(ref random, 20) + " the cat and the hat ababab aaaaaaaa 語語語";
        }
    }

    private static BpeTokenizer Read(JsonNode json)
    {
        using var folder = new TempFolder();
        return (BpeTokenizer)TokenizerFile.Load(folder.Write("tokenizer.json", json.ToJsonString()));
    }

    private static JsonObject Whole() => BpeTrainer.Train(["the cat and the hat, it's 2024"], 270).ToJson();

    private static JsonObject With(Action<JsonObject> change)
    {
        var json = Whole();
        change(json);
        return json;
    }

    [Fact]
    public void Every_text_comes_back_from_its_ids()
    {
        var cases = Config.QuickThrowOnFailure.WithMaxTest(3_000).WithReplay(20240608, 1709);
        Check.One(cases, Prop.ForAll(ArbMap.Default.ArbFor<UnicodeString>(), made =>
        {
            // Half a surrogate pair is no text.
            var text = System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(made.Get));
            Assert.Equal(text, Trained.Decode(Trained.Encode(text)));
        }));
    }

    [Fact]
    public void The_bytes_of_the_tokens_are_the_bytes_of_the_text()
    {
        for (var seed = 0; seed < 3_000; seed++)
        {
            var random = new StableRandom(seed, 0xB17);
            var text = MadeText.Of(ref random, 25);
            var ids = Trained.Encode(text);
            Assert.Equal(ReferenceBpe.ByteLevel(text), string.Concat(ids.Select(Trained.TextOf)));
            Assert.Equal(text, Trained.Decode(ids));
        }
    }

    [Fact]
    public void Words_short_and_long_are_merged_as_a_readable_tokenizer_does()
    {
        var merges = ReferenceBpe.MergesOf(Trained.ToJson());
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new StableRandom(seed, 0x3E1);
            var word = new StringBuilder();
            for (var left = seed % 4 == 0 ? 90 + random.Below(60) : 1 + random.Below(30); left > 0; left--)
                word.Append("aabthec"[random.Below(7)]);
            Assert.Equal(ReferenceBpe.Encode(word.ToString(), merges), Trained.Encode(word.ToString()).Select(id => Trained.TextOf(id)!));
        }
    }

    [Fact]
    public void A_word_is_the_same_the_second_time_and_on_any_thread()
    {
        var texts = Corpus().ToList();
        var fresh = BpeTrainer.Train(Corpus(), 600);
        var expected = texts.Select(Trained.Encode).ToList();
        Parallel.For(0, 8 * texts.Count, i => Assert.Equal(expected[i % texts.Count], fresh.Encode(texts[i % texts.Count])));
    }

    [Fact]
    public void Half_a_surrogate_pair_is_the_character_for_what_is_no_text() =>
        Assert.Equal("a\uFFFDb", Trained.Decode(Trained.Encode("a\ud83db")));

    [Fact]
    public void Bytes_that_are_no_text_and_ids_without_a_token_do_not_break_decoding()
    {
        var first = Trained.Encode("語")[0];
        var half = Trained.Encode("é")[..1];
        Assert.NotEqual("", Trained.Decode([first, -1, 100_000]));
        Assert.Contains('\uFFFD', BpeTrainer.Train([], 258).Decode(BpeTrainer.Train([], 258).Encode("語")[..2]));
        Assert.NotNull(Trained.Decode(half));
    }

    [Fact]
    public void What_is_written_is_read_back_the_same()
    {
        var read = Read(Trained.ToJson());
        Assert.Equal(Trained.ToJson().ToJsonString(), read.ToJson().ToJsonString());
        foreach (var text in Corpus().Take(50))
            Assert.Equal(Trained.Encode(text), read.Encode(text));
        Assert.Equal(Trained.Prefix, read.Prefix);
    }

    [Fact]
    public void Merges_may_be_written_as_one_text_each()
    {
        var read = Read(With(json => json["model"]!["merges"] =
            new JsonArray([.. ReferenceBpe.MergesOf(json).Select(merge => (JsonNode)$"{merge.Left} {merge.Right}")])));
        Assert.Equal(Read(Whole()).Encode("the cat"), read.Encode("the cat"));
    }

    [Fact]
    public void Special_tokens_are_found_in_a_text_and_left_out_of_it_on_request()
    {
        var ids = Trained.Encode("<s>cat</s></s>");
        Assert.Equal((BpeTrainer.BosId, BpeTrainer.EosId, BpeTrainer.EosId), (ids[0], ids[^2], ids[^1]));
        Assert.Equal("<s>cat</s></s>", Trained.Decode(ids));
        Assert.Equal("cat", Trained.Decode(ids, skipSpecial: true));
        Assert.Null(Trained.IdOf("cat"));
    }

    private static JsonObject Added(int id, string content, bool left = false, bool right = false, bool normalised = false) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["lstrip"] = left,
        ["rstrip"] = right,
        ["normalized"] = normalised,
        ["single_word"] = false,
        ["special"] = false,
    };

    [Fact]
    public void Of_added_tokens_the_leftmost_and_longest_is_found_and_may_swallow_spaces()
    {
        var size = Read(Whole()).VocabularySize;
        var tokenizer = Read(With(json =>
        {
            var added = json["added_tokens"]!.AsArray();
            added.Add((JsonNode)Added(size, "ab"));
            added.Add((JsonNode)Added(size + 1, "abc", left: true));
            added.Add((JsonNode)Added(size + 2, "bcd", right: true));
            added.Add((JsonNode)Added(size + 3, "ṡ", normalised: true));
            json["normalizer"] = new JsonObject { ["type"] = "NFC" };
        }));
        Assert.Equal(size + 4, tokenizer.VocabularySize);
        Assert.Equal([size + 1, .. tokenizer.Encode("d")], tokenizer.Encode("abcd"));
        Assert.Equal([size, .. tokenizer.Encode("  "), size], tokenizer.Encode("ab  ab"));
        Assert.Equal([size, size + 1], tokenizer.Encode("ab \n\u00a0 abc"));
        Assert.Equal([size + 2, size], tokenizer.Encode("bcd \t ab"));
        // Found only when the text is normalised.
        Assert.Equal([size + 3], tokenizer.Encode("s\u0307"));
    }

    [Fact]
    public void An_added_token_that_normalises_to_nothing_is_never_found()
    {
        var tokenizer = Read(With(json =>
        {
            json["added_tokens"]!.AsArray().Add((JsonNode)Added(300, "--", normalised: true));
            json["normalizer"] = JsonNode.Parse("""{"type":"Replace","pattern":{"String":"--"},"content":""}""");
        }));
        Assert.Equal("ab", tokenizer.Decode(tokenizer.Encode("a--b--")));
    }

    [Fact]
    public void Llama_2s_form_falls_back_on_bytes_and_merges_over_words()
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0 };
        for (var value = 0; value < 256; value++)
            vocabulary[$"<0x{value:X2}>"] = 1 + value;
        foreach (var token in new[] { "▁", "a", "b", "▁a", "▁a▁", "𝒜" })
            vocabulary[token] = vocabulary.Count;
        var tokenizer = Read(new JsonObject
        {
            ["normalizer"] = JsonNode.Parse("""
                {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
                """),
            ["decoder"] = JsonNode.Parse("""
                {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
                {"type":"Strip","content":" ","start":1,"stop":0}]}
                """),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["byte_fallback"] = true,
                ["vocab"] = vocabulary,
                ["merges"] = JsonNode.Parse("""["▁ a", "▁a ▁"]"""),
            },
        });
        Assert.Equal(["▁a▁", "▁a", "b", "𝒜", "<0xC3>", "<0xA9>"], tokenizer.Encode("a  ab𝒜é").Select(tokenizer.TextOf));
        Assert.Equal("a  ab𝒜é", tokenizer.Decode(tokenizer.Encode("a  ab𝒜é")));
        Assert.Equal("\uFFFD\uFFFDa", tokenizer.Decode([1 + 0xC3, 1 + 0xC3, 258]));
        Assert.Empty(tokenizer.Encode(""));
    }

    [Fact]
    public void Texts_that_fall_back_on_bytes_are_merged_as_a_readable_tokenizer_does_whatever_the_merges()
    {
        const string letters = "abcd_";
        for (var seed = 0; seed < 150; seed++)
        {
            var random = new StableRandom(seed, 0xFB);
            var tokens = letters.Select(letter => letter.ToString()).ToList();
            var merges = new List<(string Left, string Right)>();
            for (var left = 1 + random.Below(14); left > 0; left--)
            {
                var merge = (Left: tokens[random.Below(tokens.Count)], Right: tokens[random.Below(tokens.Count)]);
                if (merge.Left.Length + merge.Right.Length > 7 || merges.Contains(merge))
                    continue;
                merges.Add(merge);
                if (!tokens.Contains(merge.Left + merge.Right))
                    tokens.Add(merge.Left + merge.Right);
            }
            var vocabulary = new JsonObject();
            for (var value = 0; value < 256; value++)
                vocabulary[$"<0x{value:X2}>"] = value;
            foreach (var token in tokens)
                vocabulary[token] = vocabulary.Count;
            var tokenizer = Read(new JsonObject
            {
                ["model"] = new JsonObject
                {
                    ["type"] = "BPE",
                    ["byte_fallback"] = true,
                    ["vocab"] = vocabulary,
                    ["merges"] = new JsonArray([.. merges.Select(merge => (JsonNode)new JsonArray(merge.Left, merge.Right))]),
                },
            });
            for (var text = 0; text < 20; text++)
            {
                var made = new StringBuilder();
                for (var left = text == 0 ? 130 : 1 + random.Below(25); left > 0; left--)
                    made.Append(letters[random.Below(letters.Length)]);
                Assert.Equal(ReferenceBpe.Encode(made.ToString(), merges), tokenizer.Encode(made.ToString()).Select(id => tokenizer.TextOf(id)!));
            }
        }
    }

    [Fact]
    public void Merges_of_bytes_are_made_where_characters_fall_back_on_them()
    {
        var vocabulary = new JsonObject();
        for (var value = 0; value < 256; value++)
            vocabulary[$"<0x{value:X2}>"] = value;
        vocabulary["<0xC3><0xA9>"] = 256;
        var tokenizer = Read(new JsonObject
        {
            ["model"] = new JsonObject { ["type"] = "BPE", ["byte_fallback"] = true, ["vocab"] = vocabulary, ["merges"] = JsonNode.Parse("""[["<0xC3>","<0xA9>"]]""") },
        });
        Assert.Equal([256, 0x61, 256], tokenizer.Encode("éaé"));
    }

    [Fact]
    public void A_whole_word_of_the_vocabulary_may_go_before_merges()
    {
        var json = Whole();
        json["model"]!["vocab"]!["Ġmat"] = 270;
        Assert.NotEqual([270], Read(json).Encode(" mat"));
        json["model"]!["ignore_merges"] = true;
        Assert.Equal([270], Read(json).Encode(" mat"));
    }

    [Fact]
    public void A_space_may_be_put_before_each_text()
    {
        var tokenizer = Read(With(json => json["pre_tokenizer"]!["add_prefix_space"] = true));
        Assert.Equal(tokenizer.Encode(" the cat"), tokenizer.Encode("the cat"));
        Assert.Empty(tokenizer.Encode(""));
    }

    [Fact]
    public void Templates_in_a_row_put_their_tokens_before_a_text()
    {
        var tokenizer = Read(With(json =>
        {
            var template = json["post_processor"]!.DeepClone();
            var processors = new JsonArray(new JsonObject { ["type"] = "ByteLevel" }, template);
            json["post_processor"] = new JsonObject { ["type"] = "Sequence", ["processors"] = processors };
        }));
        Assert.Equal([BpeTrainer.BosId], tokenizer.Prefix);
    }

    public static TheoryData<string, string, string> Refused => new()
    {
        // Which component, what it becomes, what the message names.
        { "normalizer", """{"type":"NFKC"}""", "normalizer 'NFKC'" },
        { "normalizer", """{"type":"Sequence","normalizers":[{"type":"Lowercase"}]}""", "normalizer 'Lowercase'" },
        { "normalizer", """{"type":"Replace","pattern":{"Regex":"a+"},"content":"b"}""", "Replace of" },
        { "pre_tokenizer", """{"type":"Metaspace"}""", "pre_tokenizer 'Metaspace'" },
        { "pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]}""", "'Digits' after ByteLevel" },
        { "pre_tokenizer", """{"type":"Digits","individual_digits":true}""", "does not end with ByteLevel" },
        { "pre_tokenizer", """{"type":"Split","pattern":{"Regex":"\\p{Han}+"},"behavior":"Isolated","invert":false}""", "\\p{Han}+" },
        { "pre_tokenizer", """{"type":"Split","pattern":{"String":" "},"behavior":"Isolated","invert":false}""", "Split by" },
        { "pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Removed","invert":false}""", "'Removed'" },
        { "pre_tokenizer", "null", "byte_fallback" },
        { "post_processor", """{"type":"RobertaProcessing"}""", "post_processor 'RobertaProcessing'" },
        { "decoder", """{"type":"WordPiece"}""", "decoder 'WordPiece'" },
        { "decoder", """{"type":"Strip","content":"ab","start":1,"stop":0}""", "Strip of 'ab'" },
        { "added_tokens", """[{"id":0,"content":""}]""", "no content" },
        { "added_tokens", """[{"id":3,"content":"<s>"}]""", "'<s>' has id 3" },
        { "added_tokens", """[{"id":3,"content":"<x>"}]""", "'<x>' has id 3" },
        { "added_tokens", """[{"id":-1,"content":"<x>"}]""", "'<x>' has id -1" },
        { "added_tokens", """[{"id":2000000,"content":"<x>"}]""", "'<x>' has id 2000000" },
        { "added_tokens", """[{"id":300,"content":"<x>","single_word":true}]""", "single_word" },
        { "added_tokens", "7", "malformed" },
        { "model.dropout", "0.1", "dropout = 0.1" },
        { "model.continuing_subword_prefix", "\"##\"", "continuing_subword_prefix" },
        { "model.end_of_word_suffix", "\"</w>\"", "end_of_word_suffix" },
        { "model.merges", """[["t"]]""", "no pair of tokens" },
        { "model.merges", """["t h e"]""", "no pair of tokens" },
        { "model.merges", """[null]""", "no pair of tokens" },
        { "model.merges", """[["q","z"]]""", "'qz', which is not in the vocabulary" },
        { "model.merges", """[["qq","z"]]""", "'qq', which is not in the vocabulary" },
        { "model.merges", "7", "malformed" },
        { "model.vocab", """{"a":0}""", "not in the vocabulary" },
        { "model.vocab.Ā", "999999", "far apart" },
        { "model.vocab.!", "2.5", "malformed" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_is_not_supported_is_refused_by_file_and_component(string path, string value, string named)
    {
        using var folder = new TempFolder();
        var json = Whole();
        var names = path.Split('.');
        var target = names[..^1].Aggregate((JsonNode)json, (node, name) => node[name]!);
        target[names[^1]] = JsonNode.Parse(value);
        var file = folder.Write("tokenizer.json", json.ToJsonString());
        var refusal = Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(file));
        Assert.Contains(named, refusal.Message);
        Assert.Contains(file, refusal.Message);
    }

    [Fact]
    public void A_byte_without_a_token_is_refused_by_name_in_the_file_or_where_few_texts_have_it_in_the_text()
    {
        var json = Whole();
        json["model"]!["merges"] = new JsonArray();
        json["model"]!["vocab"]!.AsObject().Remove("Ã");
        var tokenizer = Read(json);
        Assert.Equal("the cat", tokenizer.Decode(tokenizer.Encode("the cat")));
        Assert.Contains("byte 0xC3", Assert.Throws<PolicyFormatException>(() => tokenizer.Encode("caté")).Message);
        json["model"]!["vocab"]!.AsObject().Remove("Ġ");
        Assert.Contains("byte 0x20", Assert.Throws<PolicyFormatException>(() => Read(json)).Message);
    }

    [Fact]
    public void A_name_that_is_no_valid_unicode_is_refused()
    {
        using var folder = new TempFolder();
        var whole = BpeTrainer.Train(["the cat sat on the cat"], 260).ToJson().ToJsonString();
        folder.Write("tokenizer.json", whole.Replace("\"type_id\"", "\"typ\\udc00e_id\""));
        var e = Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(folder["tokenizer.json"]));
        Assert.Contains(folder["tokenizer.json"], e.Message);
    }

    [Fact]
    public void Whatever_is_done_to_a_file_it_is_read_or_refused()
    {
        using var folder = new TempFolder();
        var whole = System.Text.Encoding.UTF8.GetBytes(Whole().ToJsonString());
        var valid = 0;
        for (var i = 0; i < 3000; i++)
        {
            var random = new StableRandom(i, 0xB9E);
            var mutant = Mutations.Of(whole, ref random);
            File.WriteAllBytes(folder["tokenizer.json"], mutant);
            try
            {
                var tokenizer = TokenizerFile.Load(folder["tokenizer.json"]);
                // What was read works.
                Assert.All(tokenizer.Prefix, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
                var ids = tokenizer.Encode("the cat <s> é");
                Assert.All(ids, id => Assert.NotNull(tokenizer.TextOf(id)));
                tokenizer.Decode(ids);
                tokenizer.ToJson().ToJsonString();
                valid++;
            }
            catch (PolicyFormatException)
            {
                // As it should be.
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} gives {e.GetType().Name}: {e.Message}\n{e.StackTrace}");
            }
        }
        Assert.InRange(valid, 50, 3000);
    }
}
