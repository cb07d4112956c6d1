using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Tokenizers;

public sealed class BpeTrainerTests
{
    // The special tokens, and GPT-2's characters for bytes in their order.
    private static readonly string[] Alphabet = ["<s>", "</s>", .. new[] { (33, 94), (161, 12), (174, 82), (256, 68) }
        .SelectMany(range => Enumerable.Range(range.Item1, range.Item2)).Select(c => ((char)c).ToString())];

    [Fact]
    public void The_most_frequent_pair_is_merged_first_of_several_the_one_with_the_smallest_ids()
    {
        // Four times l o, then w e and e r; of the rest a b before x y.
        var json = BpeTrainer.Train(["lower lower", "low lo", "xy", "ab"], 263).ToJson();
        Assert.Equal([("l", "o"), ("lo", "w"), ("e", "r"), ("low", "er"), ("a", "b")], ReferenceBpe.MergesOf(json));
    }

    [Fact]
    public void Merges_are_those_of_a_readable_trainer()
    {
        for (var seed = 0; seed < 150; seed++)
        {
            var random = new StableRandom(seed, 0x7EA);
            var texts = Enumerable.Range(0, 1 + random.Below(30)).Select(_ => Text(seed, ref random)).ToList();
            var vocabulary = 258 + random.Below(120);
            var pieces = texts.SelectMany(text => Regex.Matches(text, Gpt2Splitter.Pattern, RegexOptions.CultureInvariant))
                .Select(match => match.Value);
            var trained = BpeTrainer.Train(texts, vocabulary);
            Assert.Equal(ReferenceBpe.Train(pieces, Alphabet, vocabulary), ReferenceBpe.MergesOf(trained.ToJson()));
            Assert.InRange(trained.VocabularySize, 258, vocabulary);
        }

        // Few letters, so that pairs overlap and tokens are spelt in several ways; or anything.
        static string Text(int seed, ref StableRandom random)
        {
            if (seed % 3 == 0)
                return MadeText.Of(ref random, 15, allPlanes: false);
            var letters = new char[random.Below(25)];
            for (var i = 0; i < letters.Length; i++)
                letters[i] = "ab "[random.Below(seed % 3 == 1 ? 2 : 3)];
            return new string(letters);
        }
    }

    [Fact]
    public void The_order_of_the_texts_changes_nothing()
    {
        string[] texts = ["the cat sat", "on the mat", "the bat", "Júpiter Maçã", "語 語"];
        Assert.Equal(BpeTrainer.Train(texts, 290).ToJson().ToJsonString(), BpeTrainer.Train(texts.Reverse(), 290).ToJson().ToJsonString());
    }

    [Fact]
    public void Ids_are_the_special_tokens_the_bytes_and_the_merges_as_they_were_learnt()
    {
        var tokenizer = BpeTrainer.Train(["aa aa"], 1000);
        Assert.Equal(260, tokenizer.VocabularySize);
        Assert.Equal([.. Alphabet, "aa", "Ġaa"], Enumerable.Range(0, 260).Select(tokenizer.TextOf));
        Assert.Equal([BpeTrainer.BosId], tokenizer.Prefix);
        Assert.Equal([BpeTrainer.EosId, 258, 259], tokenizer.Encode("</s>aa aa"));
        Assert.Null(tokenizer.UnknownToken);
        Assert.False(tokenizer.IsOfItems);
    }

    [Fact]
    public void Without_texts_there_are_the_bytes()
    {
        var tokenizer = BpeTrainer.Train([], 300);
        Assert.Equal(258, tokenizer.VocabularySize);
        Assert.Equal("é", tokenizer.Decode(tokenizer.Encode("é")));
    }

    [Fact]
    public void A_vocabulary_without_room_for_the_bytes_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => BpeTrainer.Train(["a"], 257));

    [Fact]
    public void It_ends_when_it_is_told_to()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => BpeTrainer.Train(["a b"], 300, stop.Token));
    }

    [SharedDataFact("fixtures/tokenizers/gpt2-style")]
    public void What_is_written_has_the_form_that_the_library_writes()
    {
        var theirs = JsonNode.Parse(File.ReadAllText(SharedData.PathOf("fixtures/tokenizers/gpt2-style/tokenizer.json")))!.AsObject();
        var ours = BpeTrainer.Train(["the cat sat on the mat"], 265).ToJson();
        Assert.Equal(theirs.Select(field => field.Key).Order(), ours.Select(field => field.Key).Order());
        foreach (var name in new[] { "normalizer", "pre_tokenizer", "decoder", "truncation", "padding" })
            Assert.True(JsonNode.DeepEquals(theirs[name], ours[name]), name);
        Assert.Equal(Fields(theirs["added_tokens"]![0]!), Fields(ours["added_tokens"]![0]!));
        Assert.Equal(Fields(theirs["model"]!), Fields(ours["model"]!));
        foreach (var (name, value) in theirs["model"]!.AsObject())
            if (name is not ("vocab" or "merges"))
                Assert.True(JsonNode.DeepEquals(value, ours["model"]![name]), name);
        Assert.All(ours["model"]!["merges"]!.AsArray(), merge => Assert.Equal(2, merge!.AsArray().Count));

        static IEnumerable<string> Fields(JsonNode json) => json.AsObject().Select(field => field.Key);
    }
}
