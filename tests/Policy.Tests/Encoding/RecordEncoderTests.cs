using System.Text.Json;
using MassDpo.Policy.Chat;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Encoding;

public sealed class RecordEncoderTests
{
    private const int Bos = WordLevelTokenizer.BosId;
    private const int Eos = WordLevelTokenizer.EosId;

    // Items a…h are tokens 3…10.
    private static readonly WordLevelTokenizer Items = WordLevelTokenizer.Create("abcdefgh".Select(c => c.ToString()), splitsAtWhitespace: false);
    private static readonly WordLevelTokenizer Words = WordLevelTokenizer.Create("abcdefgh".Select(c => c.ToString()), splitsAtWhitespace: true);
    private static readonly PolicyConfig Config = MadePolicy.Config(positions: 8);

    private static PreferenceRecord History(string history, params string[] candidates) =>
        new() { Prompt = Prompt.OfHistory([.. history.Split(' ', StringSplitOptions.RemoveEmptyEntries)]), Candidates = candidates };

    private static PreferenceRecord Text(string prompt, params string[] candidates) =>
        new() { Prompt = Prompt.OfText(prompt), Candidates = candidates };

    private static EncodedRecord Encoded(RecordEncoder encoder, PreferenceRecord record, Duplicates duplicates = Duplicates.Drop)
    {
        var encoded = encoder.Encode(record, duplicates, out var why);
        Assert.Null(why);
        return encoded!;
    }

    private static Rejection Rejected(RecordEncoder encoder, PreferenceRecord record, Duplicates duplicates = Duplicates.Drop)
    {
        Assert.Null(encoder.Encode(record, duplicates, out var why));
        return why!;
    }

    public static TheoryData<string, int[], int> Histories => new()
    {
        { "", [Bos], 0 },
        { "a", [Bos, 3], 0 },
        { "h a a", [Bos, 10, 3, 3], 0 },
        // Eight positions: BOS, six items, the response.
        { "a b c d e f", [Bos, 3, 4, 5, 6, 7, 8], 0 },
        { "h g a b c d e f", [Bos, 3, 4, 5, 6, 7, 8], 0 },
        { "a x b y", [Bos, 3, 4], 2 },
        { "x y", [Bos], 2 },
        { "<s> a <unk> </s> B", [Bos, 3], 4 },
    };

    [Theory]
    [MemberData(nameof(Histories))]
    public void A_history_is_BOS_and_its_newest_items_without_unknown_ones_which_are_counted(string history, int[] prompt, int unknown)
    {
        var encoded = Encoded(new RecordEncoder(Items, Config), History(history, "a", "b"));
        Assert.Equal(prompt, encoded.Tokens.Prompt);
        Assert.Equal([[3], [4]], encoded.Tokens.Responses);
        Assert.Equal((unknown, 0), (encoded.UnknownItems, encoded.DroppedDuplicates));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_policy_with_room_for_no_history_still_gets_BOS(int positions) =>
        Assert.Equal([Bos], Encoded(new RecordEncoder(Items, MadePolicy.Config(positions: positions)), History("a b c", "a", "b")).Tokens.Prompt);

    [Fact]
    public void Rejected_items_outside_the_vocabulary_are_dropped_with_their_numbers_and_counted()
    {
        var record = History("a ?", "b", "?", "c", "<unk>", "d", "!") with
        {
            Rewards = [1, 2, 3, 4, double.NaN, 6],
            ReferenceLogps = [-1, -2, -3, -4, -5, -6],
        };
        var encoded = Encoded(new RecordEncoder(Items, Config), record);
        Assert.Equal(["b", "c", "d"], encoded.Record.Candidates);
        Assert.Equal([[4], [5], [6]], encoded.Tokens.Responses);
        Assert.Equal([1, 3, double.NaN], encoded.Record.Rewards);
        Assert.Equal([-1, -3, -5], encoded.Record.ReferenceLogps);
        Assert.Equal(4, encoded.UnknownItems);
    }

    [Fact]
    public void An_item_outside_the_vocabulary_never_becomes_an_unknown_token()
    {
        var encoder = new RecordEncoder(Items, Config);
        foreach (var item in new[] { "?", "<unk>", "<s>", "" })
        {
            var why = Rejected(encoder, History("a", item, "b"));
            Assert.Equal(DeadLetterCodes.UnknownItem, why.Code);
            Assert.Contains($"'{item}'", why.Reason);
            Assert.Contains("--items", why.Reason);
        }
        var none = Rejected(encoder, History("a", "b", "?", "!"));
        Assert.Equal(DeadLetterCodes.EmptyPool, none.Code);
        Assert.Contains("none of the rejected items is in the policy's vocabulary", none.Reason);
    }

    [Fact]
    public void A_history_needs_a_policy_with_a_BOS_token()
    {
        var why = Rejected(new RecordEncoder(Items, Config with { BosTokenId = null }), History("a", "a", "b"));
        Assert.Equal(DeadLetterCodes.Unsupported, why.Code);
        Assert.Contains("bos_token_id", why.Reason);
    }

    [Fact]
    public void A_text_is_the_tokens_of_the_whole_its_responses_end_with_the_end_token()
    {
        var encoded = Encoded(new RecordEncoder(Words, Config), Text("a b", " c d", " c", " ?", ""));
        Assert.Equal([Bos, 3, 4], encoded.Tokens.Prompt);
        Assert.Equal([[5, 6, Eos], [5, Eos], [2, Eos], [Eos]], encoded.Tokens.Responses);
        Assert.Equal((0, 0), (encoded.UnknownItems, encoded.DroppedDuplicates));
    }

    [Fact]
    public void Tokens_that_merge_across_the_boundary_count_to_every_response()
    {
        var encoder = new RecordEncoder(new PairTokenizer(bos: true), MadePolicy.Config(vocabulary: 1000));
        var merging = Encoded(encoder, Text("xa", "b", "c"));
        Assert.Equal([Bos, 'x'], merging.Tokens.Prompt);
        Assert.Equal([[PairTokenizer.Pair, Eos], ['a', 'c', Eos]], merging.Tokens.Responses);
        // The whole prompt may merge away: then BOS alone is shared.
        Assert.Equal([Bos], Encoded(encoder, Text("a", "b", "ab")).Tokens.Prompt);
    }

    [Fact]
    public void Whatever_the_texts_prompt_and_response_together_are_the_tokens_of_the_whole()
    {
        var tokenizer = new PairTokenizer(bos: true);
        var encoder = new RecordEncoder(tokenizer, MadePolicy.Config(vocabulary: 1000));
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new StableRandom(seed, 0xE2C);
            var record = Text(Letters(ref random), [.. Enumerable.Range(0, 2 + random.Below(5)).Select(_ => Letters(ref random))]);
            if (encoder.Encode(record, Duplicates.Keep, out var why) is not { } encoded)
            {
                Assert.Fail($"seed {seed}: {why!.Reason}");
                return;
            }
            var pool = encoded.Tokens;
            Assert.Equal(record.Candidates.Count, pool.Candidates);
            Assert.NotEmpty(pool.Prompt);
            for (var i = 0; i < pool.Candidates; i++)
            {
                Assert.NotEmpty(pool.Responses[i]);
                Assert.Equal([Bos, .. tokenizer.Encode(record.Prompt.Text + record.Candidates[i]), Eos], [.. pool.Prompt, .. pool.Responses[i]]);
            }
            // No more counts to the responses than has to: the prompt is the longest that all share with the prompt's own tokens.
            int[] alone = [Bos, .. tokenizer.Encode(record.Prompt.Text)];
            Assert.Equal(alone[..pool.Prompt.Length], pool.Prompt);
            if (pool.Prompt.Length < alone.Length)
                Assert.Contains(pool.Responses, response => response[0] != alone[pool.Prompt.Length]);
        }

        static string Letters(ref StableRandom random)
        {
            var letters = new char[random.Below(8)];
            for (var i = 0; i < letters.Length; i++)
                letters[i] = "abc"[random.Below(3)];
            return new string(letters);
        }
    }

    [SharedDataTheory("fixtures/trl", "fixtures/hf")]
    [InlineData("curve-full-llama")]
    [InlineData("curve-full-qwen3-accumulate")]
    [InlineData("curve-lora-qwen2")]
    public void The_tokens_of_a_text_are_those_that_TRL_trains_on(string curve)
    {
        using var told = JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf($"fixtures/trl/{curve}.json")));
        var folder = SharedData.PathOf($"fixtures/hf/{told.RootElement.GetProperty("model").GetString()}");
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
        var tokenizer = TokenizerFile.Load(Path.Combine(folder, "tokenizer.json"));
        var eos = config.RootElement.GetProperty("eos_token_id").GetInt32();
        var encoder = new RecordEncoder(tokenizer, MadePolicy.Config(tokenizer.VocabularySize, positions: 256) with { EosTokenId = eos });
        var records = told.RootElement.GetProperty("records").EnumerateArray().ToList();
        Assert.NotEmpty(records);
        foreach (var record in records)
        {
            // TRL has put the text of the end token after a response.
            string Response(string name) => record.GetProperty(name).GetString() is { } text && text.EndsWith(tokenizer.TextOf(eos)!, StringComparison.Ordinal)
                ? text[..^tokenizer.TextOf(eos)!.Length] : throw new InvalidDataException(name);
            int[] Ids(string name) => [.. record.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
            var pool = Encoded(encoder, Text(record.GetProperty("prompt").GetString()!, Response("chosen"), Response("rejected"))).Tokens;
            Assert.Equal([.. Ids("prompt_ids"), .. Ids("chosen_ids")], [.. pool.Prompt, .. pool.Responses[0]]);
            Assert.Equal([.. Ids("prompt_ids"), .. Ids("rejected_ids")], [.. pool.Prompt, .. pool.Responses[1]]);
            Assert.Equal(Ids("prompt_ids"), pool.Prompt);
        }
    }

    [Fact]
    public void A_text_may_have_as_many_tokens_as_the_policy_has_positions()
    {
        var encoder = new RecordEncoder(Words, Config);
        Assert.Equal(4, Encoded(encoder, Text("a b c", " d", " d e f")).Tokens.Responses[1].Length);
        var why = Rejected(encoder, Text("a b c", " d", " d e f g"));
        Assert.Equal(DeadLetterCodes.TooLong, why.Code);
        Assert.Contains("9 tokens", why.Reason);
        Assert.Contains("positions for 8", why.Reason);
        Assert.Equal(DeadLetterCodes.TooLong, Rejected(encoder, Text("a b c", " d e f g", " d")).Code);
    }

    [Fact]
    public void Where_nothing_stands_before_the_first_token_the_record_is_refused()
    {
        var encoder = new RecordEncoder(new PairTokenizer(bos: false), MadePolicy.Config(vocabulary: 1000));
        foreach (var record in new[] { Text("", "x", "y"), Text("a", "b", "c") })
        {
            var why = Rejected(encoder, record);
            Assert.Equal(DeadLetterCodes.Field, why.Code);
            Assert.Contains("share no token", why.Reason);
        }
        Assert.Equal(['c'], Encoded(encoder, Text("c", "x", "y")).Tokens.Prompt);
    }

    [Fact]
    public void An_empty_response_is_its_end_token_and_without_one_it_is_refused()
    {
        Assert.Equal([[Eos], [4, Eos]], Encoded(new RecordEncoder(Words, Config), Text("a", "", " b")).Tokens.Responses);
        var endless = new RecordEncoder(Words, Config with { EosTokenId = null });
        Assert.Equal([[4], [5]], Encoded(endless, Text("a", " b", " c")).Tokens.Responses);
        var why = Rejected(endless, Text("a", " b", ""));
        Assert.Equal(DeadLetterCodes.Field, why.Code);
        Assert.Contains("eos_token_id", why.Reason);
    }

    [Fact]
    public void A_word_for_which_the_tokenizer_has_nothing_is_refused_by_name()
    {
        using var folder = new TempFolder();
        var tokenizer = TokenizerFile.Load(folder.Write("tokenizer.json",
            """{"model":{"type":"WordLevel","vocab":{"a":0,"b":1}},"pre_tokenizer":{"type":"WhitespaceSplit"}}"""));
        var encoder = new RecordEncoder(tokenizer, Config);
        foreach (var record in new[] { Text("zebra", " a", " b"), Text("a", " zebra", " b"), Text("a", " b", " a zebra") })
        {
            var why = Rejected(encoder, record);
            Assert.Equal(DeadLetterCodes.UnknownItem, why.Code);
            Assert.Contains("'zebra'", why.Reason);
        }
        Assert.Equal([0], Encoded(encoder, Text("a", " b", " a b")).Tokens.Prompt);
    }

    public static TheoryData<string, string, int> Repeats => new()
    {
        { "a b c", "a b c", 0 },
        { "a b b c", "a b c", 1 },
        { "a b a c", "a b c", 1 },
        { "a a b", "a b", 1 },
        { "a b c c b a d", "a b c d", 3 },
    };

    [Theory]
    [MemberData(nameof(Repeats))]
    public void Duplicates_are_dropped_and_counted_or_kept_with_their_numbers_either_way(string candidates, string kept, int dropped)
    {
        string[] all = candidates.Split(' ');
        double[] numbers = [.. Enumerable.Range(0, all.Length).Select(i => (double)i)];
        foreach (var prompt in new[] { Prompt.OfHistory(["h"]), Prompt.OfText("h ") })
        {
            var encoder = new RecordEncoder(prompt.Form == PromptForm.History ? Items : Words, MadePolicy.Config());
            var record = new PreferenceRecord { Prompt = prompt, Candidates = all, Rewards = numbers, ReferenceLogps = [.. numbers.Select(n => -n)] };
            var without = Encoded(encoder, record, Duplicates.Drop);
            Assert.Equal(kept.Split(' '), without.Record.Candidates);
            double[] first = [.. kept.Split(' ').Select(text => (double)Array.IndexOf(all, text))];
            Assert.Equal(first, without.Record.Rewards);
            Assert.Equal(first.Select(n => -n), without.Record.ReferenceLogps);
            Assert.Equal((dropped, kept.Split(' ').Length), (without.DroppedDuplicates, without.Tokens.Candidates));
            var with = Encoded(encoder, record, Duplicates.Keep);
            Assert.Same(record, with.Record);
            Assert.Equal((0, all.Length), (with.DroppedDuplicates, with.Tokens.Candidates));
        }
    }

    [Theory]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(200)]
    public void Duplicates_are_found_among_any_number_of_candidates(int candidates)
    {
        string[] all = [.. Enumerable.Range(0, candidates).Select(i => $"{(i < candidates - 2 ? i : i - candidates / 2)}")];
        var encoder = new RecordEncoder(WordLevelTokenizer.Create(all.Distinct(), splitsAtWhitespace: false), MadePolicy.Config());
        var encoded = Encoded(encoder, History("0", all));
        Assert.Equal(2, encoded.DroppedDuplicates);
        Assert.Equal(all[..^2], encoded.Record.Candidates);
    }

    [Fact]
    public void A_pool_of_nothing_but_the_chosen_response_is_refused_unless_duplicates_are_kept()
    {
        var encoder = new RecordEncoder(Items, Config);
        var why = Rejected(encoder, History("h", "a", "a", "a"));
        Assert.Equal(DeadLetterCodes.EmptyPool, why.Code);
        Assert.Contains("equals the chosen one", why.Reason);
        Assert.Equal([[3], [3], [3]], Encoded(encoder, History("h", "a", "a", "a"), Duplicates.Keep).Tokens.Responses);
        foreach (var record in new[] { History("h", "a"), History("h"), Text("h", "a") })
        {
            Assert.Equal(DeadLetterCodes.EmptyPool, Rejected(encoder, record, Duplicates.Keep).Code);
            Assert.Contains("no rejected response", Rejected(encoder, record).Reason);
        }
    }

    [Fact]
    public void A_reason_stays_short_however_long_the_item_and_cuts_no_character()
    {
        var why = Rejected(new RecordEncoder(Items, Config), History("h", string.Concat(Enumerable.Repeat("x😀", 10_000)), "a"));
        Assert.InRange(why.Reason.Length, 100, 300);
        Assert.Equal(why.Reason, System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(why.Reason)));
    }

    [Fact]
    public void A_history_as_text_is_BOS_and_its_items_each_with_the_end_token_after_it()
    {
        var encoded = Encoded(new RecordEncoder(Words, MadePolicy.Config(positions: 20)), History("a b", "c d", "e", "") with { Prompt = Prompt.OfHistory(["a b", "c"]) });
        Assert.Equal([Bos, 3, 4, Eos, 5, Eos], encoded.Tokens.Prompt);
        Assert.Equal([[5, 6, Eos], [7, Eos], [Eos]], encoded.Tokens.Responses);
        Assert.Equal((0, 0), (encoded.UnknownItems, encoded.DroppedDuplicates));
    }

    [Theory]
    // BOS, the longest candidate with its end token: 4 of 8 positions. The oldest items go, whole.
    [InlineData(8, "a", "b", new[] { Bos, 3, Eos, 4, Eos })]
    [InlineData(8, "a b", "c", new[] { Bos, 5, Eos })]
    [InlineData(9, "a b", "c", new[] { Bos, 3, 4, Eos, 5, Eos })]
    [InlineData(8, "a", "b c d e", new[] { Bos })]
    [InlineData(4, "a", "b", new[] { Bos })]
    public void Of_a_long_history_as_text_the_newest_items_stay(int positions, string older, string newer, int[] prompt)
    {
        var record = new PreferenceRecord { Prompt = Prompt.OfHistory([older, newer]), Candidates = ["f", "g h"] };
        Assert.Equal(prompt, Encoded(new RecordEncoder(Words, MadePolicy.Config(positions: positions)), record).Tokens.Prompt);
    }

    [Fact]
    public void A_candidate_that_no_position_is_left_for_is_too_long()
    {
        var why = Rejected(new RecordEncoder(Words, MadePolicy.Config(positions: 3)), History("a", "f", "g h"));
        Assert.Equal(DeadLetterCodes.TooLong, why.Code);
        Assert.Contains("4 tokens", why.Reason);
        Assert.Contains("positions for 3", why.Reason);
    }

    [Fact]
    public void A_history_as_text_needs_a_policy_with_both_tokens()
    {
        foreach (var (config, named) in new[] { (Config with { BosTokenId = null }, "bos_token_id"), (Config with { EosTokenId = null }, "eos_token_id") })
        {
            var why = Rejected(new RecordEncoder(Words, config), History("a", "a", "b"));
            Assert.Equal(DeadLetterCodes.Unsupported, why.Code);
            Assert.Contains(named, why.Reason);
        }
    }

    private static PreferenceRecord Chat(string user, params string[] answers) =>
        new() { Prompt = Prompt.OfChat([new ChatMessage(ChatRoles.User, user)]), Candidates = answers };

    [Fact]
    public void A_chat_is_the_text_of_its_template_to_the_end_of_the_turn_without_BOS_or_end_token_of_the_encoders_own()
    {
        var tokenizer = new PairTokenizer(bos: true);
        var config = MadePolicy.Config(vocabulary: 60_000, positions: 500);
        var pool = Encoded(new RecordEncoder(tokenizer, config, ChatFormat.OfNew(config, tokenizer, "chatml")), Chat("xa", "b", "")).Tokens;
        Assert.Equal(tokenizer.Encode("<|im_start|>user\nxa<|im_end|>\n<|im_start|>assistant\n"), pool.Prompt);
        Assert.Equal([tokenizer.Encode("b<|im_end|>\n"), tokenizer.Encode("<|im_end|>\n")], pool.Responses);
    }

    [Fact]
    public void Where_a_template_goes_on_otherwise_after_the_prompt_the_response_begins_where_they_part()
    {
        var tokenizer = new PairTokenizer(bos: true);
        var config = MadePolicy.Config(vocabulary: 60_000, positions: 500);
        // Qwen 3 begins an answer with a thought, which its generation prompt leaves to the policy.
        var pool = Encoded(new RecordEncoder(tokenizer, config, ChatFormat.OfNew(config, tokenizer, "qwen3")), Chat("x", "b", "c")).Tokens;
        Assert.Equal(tokenizer.Encode("<think>\n\n</think>\n\nb<|im_end|>\n"), pool.Responses[0]);
    }

    [Fact]
    public void Duplicates_of_a_chat_are_dropped_and_its_template_must_be_there()
    {
        var tokenizer = new PairTokenizer(bos: true);
        var config = MadePolicy.Config(vocabulary: 60_000, positions: 500);
        var encoded = Encoded(new RecordEncoder(tokenizer, config, ChatFormat.OfNew(config, tokenizer, "chatml")), Chat("x", "b", "c", "b"));
        Assert.Equal((1, 2), (encoded.DroppedDuplicates, encoded.Tokens.Candidates));
        foreach (var (encoder, named) in new[]
        {
            (new RecordEncoder(tokenizer, config), "as texts"),
            (new RecordEncoder(tokenizer, config, ChatFormat.OfNew(config, tokenizer, ChatFormat.Auto)), "ingest.chat-template"),
            (new RecordEncoder(tokenizer, config, ChatFormat.OfNew(config, Words, "qwen3")), "thoughts"),
        })
        {
            var why = Rejected(encoder, Chat("x", "<think></think>b", "c"));
            Assert.Equal(DeadLetterCodes.Unsupported, why.Code);
            Assert.Contains(named, why.Reason);
        }
    }

    public static TheoryData<int?, int?, TruncationMode, int[], int[][], int> Truncations => new()
    {
        // Of BOS a b c and the responses d e </s> and d </s>.
        { null, null, TruncationMode.KeepStart, [Bos, 3, 4, 5], [[6, 7, Eos], [6, Eos]], 0 },
        { 7, 4, TruncationMode.KeepStart, [Bos, 3, 4, 5], [[6, 7, Eos], [6, Eos]], 0 },
        { 7, 4, TruncationMode.KeepEnd, [Bos, 3, 4, 5], [[6, 7, Eos], [6, Eos]], 0 },
        // The ends of responses: each is what TRL would leave of it alone.
        { 6, null, TruncationMode.KeepStart, [Bos, 3, 4, 5], [[6, 7], [6, Eos]], 1 },
        { 5, null, TruncationMode.KeepStart, [Bos, 3, 4, 5], [[6], [6]], 3 },
        // The beginning of the prompt, for the longest response.
        { 6, null, TruncationMode.KeepEnd, [3, 4, 5], [[6, 7, Eos], [6, Eos]], 1 },
        { 4, null, TruncationMode.KeepEnd, [5], [[6, 7, Eos], [6, Eos]], 3 },
        // The prompt first, whatever the mode.
        { null, 2, TruncationMode.KeepStart, [4, 5], [[6, 7, Eos], [6, Eos]], 2 },
        { 5, 2, TruncationMode.KeepStart, [4, 5], [[6, 7, Eos], [6, Eos]], 2 },
        { 4, 2, TruncationMode.KeepStart, [4, 5], [[6, 7], [6, Eos]], 3 },
        { 4, 2, TruncationMode.KeepEnd, [5], [[6, 7, Eos], [6, Eos]], 3 },
    };

    [Theory]
    [MemberData(nameof(Truncations))]
    public void What_is_too_long_is_truncated_as_set_and_counted(int? whole, int? prompt, TruncationMode mode, int[] left, int[][] responses, int cut)
    {
        var encoder = new RecordEncoder(Words, MadePolicy.Config(positions: 20), truncation: new Truncation(whole, prompt, mode));
        var encoded = Encoded(encoder, Text("a b c", " d e", " d"), Duplicates.Keep);
        Assert.Equal(left, encoded.Tokens.Prompt);
        Assert.Equal(responses, encoded.Tokens.Responses);
        Assert.Equal(cut, encoded.CutTokens);
    }

    [Theory]
    [InlineData(4, TruncationMode.KeepStart, "cut every response whole")]
    [InlineData(3, TruncationMode.KeepStart, "cut every response whole")]
    [InlineData(3, TruncationMode.KeepEnd, "leave nothing of the prompt")]
    [InlineData(2, TruncationMode.KeepEnd, "leave nothing of the prompt")]
    public void A_record_of_which_nothing_would_be_left_is_too_long(int whole, TruncationMode mode, string reason)
    {
        var encoder = new RecordEncoder(Words, MadePolicy.Config(positions: 20), truncation: new Truncation(whole, null, mode));
        var why = Rejected(encoder, Text("a b c", " d e", " d"));
        Assert.Equal(DeadLetterCodes.TooLong, why.Code);
        Assert.Contains(reason, why.Reason);
        Assert.Contains("ingest.max-length", why.Reason);
    }

    [Fact]
    public void A_text_longer_than_the_policy_may_be_truncated_to_its_positions() =>
        Assert.Equal(2, Encoded(new RecordEncoder(Words, Config, truncation: new Truncation(8, null, TruncationMode.KeepStart)), Text("a b c", " d", " d e f g h")).CutTokens);

    /// <summary>Characters as tokens, but "ab" is one: enough to merge across a boundary.</summary>
    private sealed class PairTokenizer(bool bos) : Tokenizer
    {
        public const int Pair = 500;

        public override int VocabularySize => 501;

        public override IReadOnlyList<int> Prefix => bos ? [Bos] : [];

        public override int[] Encode(string text) => [.. text.Replace("ab", "\u01f4", StringComparison.Ordinal).Select(c => (int)c)];

        public override int? IdOf(string item) => null;

        public override string? TextOf(int id) => id == Bos ? "<s>" : id == Eos ? "</s>" : null;

        public override string Decode(ReadOnlySpan<int> ids, bool skipSpecial) => throw new NotSupportedException();

        public override System.Text.Json.Nodes.JsonObject ToJson() => throw new NotSupportedException();
    }
}
