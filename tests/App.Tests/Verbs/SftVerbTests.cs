using System.Text.Json;
using System.Text.RegularExpressions;
using MassDpo.App.Running;
using MassDpo.Policy;
using MassDpo.Policy.Tokenizers;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

/// <summary>A small policy from scratch.</summary>
public sealed class SftVerbTests : IDisposable
{
    private static readonly string[] Small = ["--layers", "1", "--hidden", "8", "--heads", "2", "--set", "sft.batch=4"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_vocabulary_has_given_items_then_prompts_chosen_and_rejected_ones()
    {
        var items = _folder.Write("items.txt", "zebra\nheron\n");
        await Sft(Items("a b"), "policy", "--items", items, "--epochs", "0");
        Assert.Equal(["<s>", "</s>", "<unk>", "zebra", "heron", "one", "two", "a b", "no", "three"], Vocabulary("policy"));
    }

    [Fact]
    public async Task The_words_of_texts_are_the_vocabulary_of_texts()
    {
        var data = Write("texts.jsonl", new { prompt = "what falls", chosen = " rain falls", rejected = new[] { " pearls" } });
        await Sft(data, "policy", "--epochs", "1");
        Assert.Equal(["<s>", "</s>", "<unk>", "what", "falls", "rain", "pearls"], Vocabulary("policy"));
        using var policy = LoadedPolicy.Load(_folder["policy"]);
        await Called.Well("eval", "--policy", _folder["policy"], "--data", data);
    }

    [Fact]
    public async Task A_byte_level_BPE_is_learnt_from_histories_as_texts_and_from_texts()
    {
        foreach (var (name, data) in new[] { ("titles", Items("song song", "long song")), ("texts", Write("texts.jsonl", new { prompt = "what song", chosen = " the long song", rejected = new[] { " pearls" } })) })
        {
            var called = await Sft(data, name, "--tokenizer", "bpe", "--vocabulary", "262", "--epochs", "1");
            Assert.Contains("a vocabulary of 262,", called.Out);
            Assert.DoesNotContain("note:", called.Out);
            using var policy = LoadedPolicy.Load(_folder[name]);
            Assert.Equal(262, policy.Weights.Config.VocabularySize);
            using var json = JsonDocument.Parse(File.ReadAllBytes(_folder[name, "tokenizer.json"]));
            Assert.Equal("BPE", json.RootElement.GetProperty("model").GetProperty("type").GetString());
            Assert.Equal("PreTrainedTokenizerFast", JsonDocument.Parse(File.ReadAllBytes(_folder[name, "tokenizer_config.json"])).RootElement.GetProperty("tokenizer_class").GetString());
            Assert.Null((await Called.Well("eval", "--policy", _folder[name], "--data", data, "--json")).Json["skipped"]);
        }
    }

    [Fact]
    public async Task A_policy_over_titles_learns_runs_and_takes_titles_that_it_has_never_seen()
    {
        var data = Items([.. Enumerable.Range(0, 40).Select(i => "song " + i % 4)]);
        await Sft(data, "titles", "--tokenizer", "bpe", "--vocabulary", "300", "--epochs", "12", "--learning-rate", "0.02", "--set", "sft.history-places=1");
        Assert.Equal(1, await HitRate("titles", data));
        var unseen = Write("unseen.jsonl", new { prompt = new { history = new[] { "Maçã", "two" } }, chosen = "song 1", rejected = new[] { "Júpiter", "語" } });
        Assert.Equal(1, await HitRate("titles", unseen));
        await Called.Well("run", "--data", unseen, "--policy", _folder["titles"], "--output", _folder["out"]);
        foreach (var name in new[] { "tokenizer.json", "tokenizer_config.json" })
            Assert.Equal(File.ReadAllBytes(_folder["titles", name]), File.ReadAllBytes(_folder["out", "policy", name]));
    }

    [Fact]
    public async Task A_policy_learns_from_chats_by_a_named_template_and_what_is_truncated_is_counted()
    {
        var data = _folder["chats.jsonl"];
        File.WriteAllLines(data, Enumerable.Range(0, 8).Select(i => JsonSerializer.Serialize(new
        {
            conversations = new[] { new { from = "human", value = $"what song is the {i}th?" } },
            chosen = new { from = "gpt", value = "the long song" },
            rejected = new { from = "gpt", value = "no song" },
        })));
        Assert.Contains("--tokenizer bpe", (await Called.With(["sft", "--data", data, "--policy", _folder["none"], .. Small])).Error);
        string[] template = ["--set", "ingest.chat-template=chatml"];
        await Sft(data, "policy", ["--tokenizer", "bpe", "--vocabulary", "270", "--epochs", "1", "--set", "sft.max-positions=256", .. template]);
        Assert.Equal(8, (int)(await Called.Well(["eval", "--policy", _folder["policy"], "--data", data, "--json", .. template])).Json["records"]!);
        // The policy itself names no template.
        Assert.Contains("ingest.chat-template", (await Called.With(["eval", "--policy", _folder["policy"], "--data", data])).Error);
        await Called.Well(["run", "--data", data, "--policy", _folder["policy"], "--output", _folder["out"], "--set", "ingest.max-prompt-length=10", .. template]);
        using var report = JsonDocument.Parse(File.ReadAllBytes(_folder["out", "report.json"]));
        var counts = report.RootElement.GetProperty("counts");
        Assert.Equal((8, 8), (counts.GetProperty("applied").GetInt32(), counts.GetProperty("truncated").GetInt32()));
        Assert.True(counts.GetProperty("cut_tokens").GetInt64() >= 8);
    }

    [Fact]
    public async Task A_vocabulary_that_the_texts_do_not_fill_is_told()
    {
        var called = await Sft(Items("a"), "policy", "--tokenizer", "bpe", "--epochs", "0");
        Assert.Matches(@"note: the texts have no more pairs to merge: the vocabulary has \d+ tokens, not 1,000", called.Out);
    }

    [Fact]
    public async Task Items_may_be_words_and_items_need_histories()
    {
        await Sft(Items("a b"), "words", "--tokenizer", "words", "--epochs", "1");
        Assert.Equal(["<s>", "</s>", "<unk>", "one", "two", "a", "b", "no", "three"], Vocabulary("words"));
        await Sft(Items("a b"), "items", "--tokenizer", "items", "--epochs", "0");
        Assert.Contains("a b", Vocabulary("items"));
        var texts = Write("texts.jsonl", new { prompt = "a", chosen = "b", rejected = new[] { "c" } });
        await Called.Refused(1, Words(texts, "policy", "--tokenizer", "items"), "1 of 1 records have a text as prompt");
        Assert.False(Directory.Exists(_folder["policy"]));
    }

    [Theory]
    [InlineData("--tokenizer", "unigram", "sft.tokenizer")]
    [InlineData("--vocabulary", "257", "sft.vocabulary")]
    [InlineData("--vocabulary", "many", "sft.vocabulary")]
    public async Task A_tokenizer_that_cannot_be_is_refused_by_name(string flag, string value, string key) =>
        await Called.Refused(2, Words(Items("a"), "policy", flag, value), flag, key);

    [Fact]
    public async Task A_csv_gives_its_column_of_items()
    {
        var items = _folder.Write("items.csv", "id,Title,year\n1,\"Comma, Comma\",2001\n2,plain,2002\n");
        await Sft(Items("a"), "policy", "--items", items, "--epochs", "0");
        Assert.Equal(["Comma, Comma", "plain"], Vocabulary("policy")[3..5]);
        await Called.Refused(1, Words(Items("a"), "other", "--items", _folder.Write("bad.csv", "id,year\n1,2001\n")), "bad.csv", "title, item, name");
    }

    [Fact]
    public async Task Sizes_are_as_asked_for()
    {
        await Called.Well("sft", "--data", Items("a"), "--policy", _folder["policy"], "--layers", "3", "--hidden", "12", "--heads", "2", "--epochs", "0", "--set", "sft.max-positions=9");
        var config = PolicyDirectory.LoadConfig(_folder["policy"]);
        Assert.Equal((3, 12, 2, 6, 9, 32), (config.Layers, config.HiddenSize, config.Heads, config.HeadSize, config.MaxPositions, config.IntermediateSize));
        Assert.Equal((WordLevelTokenizer.BosId, WordLevelTokenizer.EosId), (config.BosTokenId, config.EosTokenId));
    }

    [Fact]
    public async Task A_seed_gives_one_policy()
    {
        var data = Items("a", "b", "c", "d", "e", "f", "g");
        foreach (var (policy, seed) in new[] { ("one", "4"), ("again", "4"), ("other", "5") })
            await Sft(data, policy, "--seed", seed, "--epochs", "2");
        Assert.Equal(Weights("one"), Weights("again"));
        Assert.NotEqual(Weights("one"), Weights("other"));
    }

    [Fact]
    public async Task Without_epochs_the_policy_is_as_it_starts_and_with_them_it_learns()
    {
        var data = Items([.. Enumerable.Range(0, 40).Select(i => "song " + i % 4)]);
        await Sft(data, "cold", "--epochs", "0");
        await Sft(data, "again", "--epochs", "0");
        await Sft(data, "warm", "--epochs", "30", "--learning-rate", "0.02");
        Assert.Equal(Weights("cold"), Weights("again"));
        var (cold, warm) = (await HitRate("cold", data), await HitRate("warm", data));
        Assert.True(warm > cold + 0.4, $"{cold} {warm}");
    }

    [Fact]
    public async Task Evaluation_keeps_the_best_half_epoch()
    {
        var data = Items([.. Enumerable.Range(0, 24).Select(i => "song " + i % 6)]);
        // Held apart is the opposite of what is learnt: the more it learns, the worse.
        var opposite = Write("opposite.jsonl", [.. Enumerable.Range(0, 6).Select(i => (object)new { prompt = new { history = new[] { "one", "two" } }, chosen = "no", rejected = new[] { "song " + i } })]);
        var called = await Sft(data, "best", "--epochs", "6", "--learning-rate", "0.02", "--eval", opposite);
        var reports = Regex.Matches(called.Error, @"step (\d+) .* HR@1 ([\d.]+)%").Select(match => (Step: match.Groups[1].Value, Rate: match.Groups[2].Value)).ToList();
        Assert.Equal(12, reports.Count);
        var best = reports.MaxBy(report => double.Parse(report.Rate));
        Assert.NotEqual(best, reports[^1]);
        Assert.Contains($"kept the weights after update {best.Step}, HR@1 {best.Rate} %", called.Out);
        Assert.Equal(best.Rate, (100 * await HitRate("best", opposite)).ToString("F1"));
        await Sft(data, "last", "--epochs", "6", "--learning-rate", "0.02");
        Assert.NotEqual(Weights("last"), Weights("best"));
    }

    [Fact]
    public async Task Lines_and_records_that_cannot_be_learnt_from_are_told_and_passed_over()
    {
        var data = Items("a", "b");
        File.AppendAllText(data, "no record\n{}\n");
        var called = await Sft(data, "policy", "--epochs", "0");
        Assert.Contains($"note: 2 lines are no records and were passed over; the first, {data}, line 3: ", called.Out);
        Assert.Contains(" 2 records, ", called.Out);
    }

    [Fact]
    public async Task Only_so_many_records_are_used_as_asked_for()
    {
        var called = await Sft(Items("a", "b", "c"), "policy", "--epochs", "0", "--set", "sft.max-records=2");
        Assert.Contains(" 2 records, ", called.Out);
        Assert.DoesNotContain("c", Vocabulary("policy"));
    }

    [Fact]
    public async Task Histories_and_texts_together_are_refused()
    {
        var data = Write("mixed.jsonl", new { prompt = "a", chosen = "b", rejected = new[] { "c" } }, new { prompt = new { history = new[] { "a" } }, chosen = "b", rejected = new[] { "c" } });
        await Called.Refused(1, Words(data, "policy"), "1 of 2 records have a history");
        Assert.False(Directory.Exists(_folder["policy"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("no record\n")]
    public async Task Data_without_a_record_is_refused(string text)
    {
        await Called.Refused(1, Words(_folder.Write("data.jsonl", text), "policy"), "no record to learn from");
        Assert.False(Directory.Exists(_folder["policy"]));
    }

    [Fact]
    public async Task A_directory_that_holds_something_else_is_refused_and_left_as_it_is()
    {
        _folder.Write("mine/thesis.tex", "mine");
        _folder.Write("mine/config.json", "{}");
        await Called.Refused(1, Words(Items("a"), "mine"), _folder["mine"], "thesis.tex");
        Assert.Equal(("mine", "{}"), (File.ReadAllText(_folder["mine", "thesis.tex"]), File.ReadAllText(_folder["mine", "config.json"])));
        Assert.Equal(2, Directory.GetFileSystemEntries(_folder["mine"]).Length);
        _folder.Write("file", "mine");
        await Called.Refused(1, Words(Items("a"), "file"), _folder["file"], "is a file");
    }

    [Fact]
    public async Task Another_policy_is_replaced()
    {
        await Sft(Items("a"), "policy", "--epochs", "0", "--seed", "1");
        var before = Weights("policy");
        await Sft(Items("a"), "policy", "--epochs", "0", "--seed", "2");
        Assert.NotEqual(before, Weights("policy"));
    }

    private string[] Words(string data, string policy, params string[] words) => ["sft", "--data", data, "--policy", _folder[policy], .. Small, .. words];

    private Task<Called> Sft(string data, string policy, params string[] words) => Called.Well(Words(data, policy, words));

    // One record per chosen item, all with the same history.
    private string Items(params string[] chosen) =>
        Write("items.jsonl", [.. chosen.Select(item => (object)new { prompt = new { history = new[] { "one", "two" } }, chosen = item, rejected = new[] { "no", "three" } })]);

    private string Write(string name, params object[] records) => _folder.Write(name, string.Concat(records.Select(record => JsonSerializer.Serialize(record) + "\n")));

    private List<string> Vocabulary(string policy)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(_folder[policy, "tokenizer.json"]));
        Assert.Equal("WordLevel", json.RootElement.GetProperty("model").GetProperty("type").GetString());
        return [.. json.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject().OrderBy(word => word.Value.GetInt32()).Select(word => word.Name)];
    }

    private byte[] Weights(string policy) => File.ReadAllBytes(_folder[policy, "model.safetensors"]);

    private async Task<double> HitRate(string policy, string data) => (double)(await Called.Well("eval", "--policy", _folder[policy], "--data", data, "--json")).Json["hr@1"]!;
}
