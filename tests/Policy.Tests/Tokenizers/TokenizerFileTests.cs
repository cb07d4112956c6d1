using System.Text.Json.Nodes;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Tokenizers;

public sealed class TokenizerFileTests
{
    private static JsonObject Whole() => WordLevelTokenizer.Create(["the", "cat", "Júpiter Maçã"], splitsAtWhitespace: true).ToJson();

    private static string Refusal(string json)
    {
        using var folder = new TempFolder();
        var file = folder.Write("tokenizer.json", json);
        var refusal = Assert.Throws<PolicyFormatException>(() => TokenizerFile.Load(file));
        Assert.Contains(file, refusal.Message);
        return refusal.Message;
    }

    [Fact]
    public void A_word_that_is_in_the_vocabulary_twice_is_named() =>
        Assert.Contains("'cat' is in the vocabulary twice", Refusal("""{"model":{"type":"WordLevel","vocab":{"cat":0,"dog":1,"cat":2}}}"""));

    [Theory]
    [InlineData(-1)]
    [InlineData(6)]
    [InlineData(1_000_000_000)]
    public void A_template_that_puts_tokens_before_a_text_that_do_not_exist_is_refused(int id)
    {
        var json = Whole();
        json["post_processor"]!["special_tokens"]!["<s>"]!["ids"] = new JsonArray(id);
        Assert.Contains($"'<s>' has id {id}, which is no token of the vocabulary", Refusal(json.ToJsonString()));
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("200000")]
    [InlineData("2147483647")]
    public void Ids_that_leave_gaps_as_large_as_memory_are_refused(string id) =>
        Assert.Contains("far apart", Refusal("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":" + id + "}}}"));

    [Fact]
    public void An_added_token_must_be_a_word_under_its_own_id()
    {
        foreach (var (content, id) in new[] { ("<pad>", 6), ("<s>", 1) })
        {
            var json = Whole();
            json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = id, ["content"] = content });
            Assert.Contains($"added token '{content}'", Refusal(json.ToJsonString()));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"model\":null}")]
    [InlineData("{\"model\":{\"type\":7}}")]
    [InlineData("{\"model\":{\"vocab\":{}}}")]
    [InlineData("{\"model\":{\"type\":\"WordLevel\",\"vocab\":[]}}")]
    [InlineData("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":1.5}}}")]
    [InlineData("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"\\ud800\":0}}}")]
    [InlineData("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":7}}")]
    [InlineData("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}},\"added_tokens\":[7]}")]
    [InlineData("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}},\"post_processor\":{\"type\":\"TemplateProcessing\"}}")]
    public void A_file_that_is_malformed_is_refused_by_name(string json) => Refusal(json);

    [Fact]
    public void Whatever_is_done_to_a_tokenizer_it_is_read_or_refused()
    {
        using var folder = new TempFolder();
        var whole = System.Text.Encoding.UTF8.GetBytes(Whole().ToJsonString());
        var valid = 0;
        for (var i = 0; i < 5000; i++)
        {
            var random = new StableRandom(i, 0x70C);
            var mutant = Mutations.Of(whole, ref random);
            File.WriteAllBytes(folder["tokenizer.json"], mutant);
            try
            {
                var tokenizer = TokenizerFile.Load(folder["tokenizer.json"]);
                // What was read works.
                Assert.All(tokenizer.Prefix, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
                foreach (var id in tokenizer.Encode("the cat"))
                    Assert.NotNull(tokenizer.TextOf(id));
                ((WordLevelTokenizer)tokenizer).ToJson().ToJsonString();
                valid++;
            }
            catch (PolicyFormatException)
            {
                // As it should be: of the file, or of a word that the changed vocabulary lacks.
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} gives {e.GetType().Name}: {e.Message}\n{System.Text.Encoding.UTF8.GetString(mutant)}");
            }
        }
        Assert.InRange(valid, 250, 2500);
    }
}
