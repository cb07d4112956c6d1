using System.Text;
using System.Text.Json;
using MassDpo.Ingest.Records;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Tests.Records;

/// <summary>The forms of design.md "Records", and what is refused.</summary>
public sealed class RecordParserTests
{
    private static PreferenceRecord Parse(string json) => RecordParser.Parse(Encoding.UTF8.GetBytes(json));

    private static RecordFormatException Refusal(ReadOnlySpan<byte> json)
    {
        var bytes = json.ToArray();
        return Assert.Throws<RecordFormatException>(() => RecordParser.Parse(bytes));
    }

    private const string Turn = """{"role":"user","content":"hi"}""";
    private const string Hi = "[" + Turn + "]";

    private static string Chat(string prompt, string chosen, string rejected) => $$"""{"prompt":{{prompt}},"chosen":{{chosen}},"rejected":{{rejected}}}""";

    public static TheoryData<string, string[]> ChatForms => new()
    {
        { Chat(Hi, "\"a\"", """["b","c"]"""), ["a", "b", "c"] },
        { Chat(Hi, """{"role":"assistant","content":"a"}""", """{"role":"assistant","content":"b"}"""), ["a", "b"] },
        // TRL's: a list of one message is a response; of several answers each is one.
        { Chat(Hi, """[{"role":"assistant","content":"a"}]""", """[{"role":"assistant","content":"b"}]"""), ["a", "b"] },
        { Chat(Hi, """[{"role":"assistant","content":"a"}]""", """[{"role":"assistant","content":"b"},{"role":"assistant","content":"c"}]"""), ["a", "b", "c"] },
        { Chat(Hi, "\"a\"", """[[{"role":"assistant","content":"b"}],"c",{"from":"gpt","value":"d"}]"""), ["a", "b", "c", "d"] },
        { """{"conversations":[{"from":"human","value":"hi"}],"chosen":{"from":"gpt","value":"a"},"rejected":{"from":"gpt","value":"b"}}""", ["a", "b"] },
        { $$"""{"messages":{{Hi}},"ranked":["a",{"role":"assistant","content":"b","name":"x","tool_calls":null}]}""", ["a", "b"] },
        { $$"""{"messages":{{Hi}},"candidates":["b","a"],"chosen_index":1}""", ["a", "b"] },
        { $$"""{"messages":{{Hi}},"chosen":"a","rejected1":{"role":"assistant","content":"b"} ,"rejected2":"c"}""", ["a", "b", "c"] },
        // Without a prompt it is what whole dialogues share; a text that repeats it, and the dialogue that others learn from, change nothing.
        { $$"""{"chosen":[{{Turn}},{"role":"assistant","content":"a"}],"rejected":[{{Turn}},{"role":"assistant","content":"b"}]}""", ["a", "b"] },
        { $$"""{"prompt":"hi","messages":[{{Turn}},{"role":"assistant","content":"a"}],"chosen":[{{Turn}},{"role":"assistant","content":"a"}],"rejected":[{{Turn}},{"role":"assistant","content":"b"}]}""", ["a", "b"] },
        { $$"""{"chosen":[{{Turn}},{"role":"assistant","content":"a"}],"rejected":[{{Turn}},{"role":"assistant","content":"a"}]}""", ["a", "a"] },
    };

    [Theory]
    [MemberData(nameof(ChatForms))]
    public void A_chat_comes_in_every_form_with_the_contents_of_its_answers(string json, string[] candidates)
    {
        var record = Parse(json);
        Assert.Equal(PromptForm.Chat, record.Prompt.Form);
        Assert.Equal([new ChatMessage(ChatRoles.User, "hi")], record.Prompt.Messages);
        Assert.Equal(candidates, record.Candidates);
    }

    [Fact]
    public void The_messages_of_a_chat_keep_their_order_their_roles_and_their_texts()
    {
        var record = Parse("""
            {"conversations":[{"from":"system","value":" s "},{"from":"human","value":"é"},{"from":"gpt","value":"x"},{"role":"user","content":""}],"chosen":"a","rejected":"b"}
            """);
        Assert.Equal([new("system", " s "), new("user", "é"), new("assistant", "x"), new ChatMessage("user", "")], record.Prompt.Messages);
    }

    public static TheoryData<string, string[]> TextForms => new()
    {
        { """{"prompt":"p","chosen":"a","rejected":["b","c"]}""", ["a", "b", "c"] },
        { """{"prompt":"p","chosen":"a","rejected":"b"}""", ["a", "b"] },
        { """{"prompt":"p","chosen":"a","rejected1":"b","rejected2":"c","rejected10":"e","rejected3":"d"}""", ["a", "b", "c", "d", "e"] },
        { """{"prompt":"p","candidates":["b","a","c"],"chosen_index":1}""", ["a", "b", "c"] },
        { """{"prompt":"p","chosen_index":0,"candidates":["a","b"]}""", ["a", "b"] },
        { """{"prompt":"p","candidates":["b","c","a"],"chosen_index":2}""", ["a", "b", "c"] },
        { """{"prompt":"p","ranked":["a","b","c"]}""", ["a", "b", "c"] },
        { """{"rejected":["b","b",""],"chosen":"","prompt":"p"}""", ["", "b", "b", ""] },
        { """  { "prompt" : "p" , "chosen" : "\u0061" , "rejected" : [ "\ud83d\ude00" , "é\n" ] }  """, ["a", "😀", "é\n"] },
    };

    [Theory]
    [MemberData(nameof(TextForms))]
    public void Responses_come_in_every_form_with_the_chosen_one_first(string json, string[] candidates)
    {
        var record = Parse(json);
        Assert.Equal((PromptForm.Text, "p"), (record.Prompt.Form, record.Prompt.Text));
        Assert.Equal(candidates, record.Candidates);
        Assert.Equal(json.Contains("ranked", StringComparison.Ordinal), record.Ranked);
        Assert.Null(record.Id);
        Assert.Null(record.Rewards);
        Assert.Null(record.ReferenceLogps);
        Assert.Null(record.Meta);
        Assert.Null(record.UnknownFields);
    }

    [Fact]
    public void A_history_keeps_its_items_in_order()
    {
        var record = Parse("""{"prompt":{"history":["Ke$ha","Café Del Mar","K's Choice"]},"chosen":"x","rejected":["y"]}""");
        Assert.Equal(PromptForm.History, record.Prompt.Form);
        Assert.Equal(["Ke$ha", "Café Del Mar", "K's Choice"], record.Prompt.Items);
        Assert.Equal(["x", "y"], record.Candidates);
        Assert.Empty(Parse("""{"prompt":{"history":[]},"chosen":"x","rejected":["y"]}""").Prompt.Items);
    }

    public static TheoryData<string, string, string[]> AbsentPrompts => new()
    {
        // What texts have in common, whole characters only.
        { """{"chosen":"2+2=4","rejected":["2+2=5","2+2=22"]}""", "2+2=", ["4", "5", "22"] },
        { """{"chosen":"yes","rejected":["no"]}""", "", ["yes", "no"] },
        { """{"prompt":null,"chosen":"ab","rejected":["ac"]}""", "a", ["b", "c"] },
        { """{"chosen":"x😀","rejected":["x😁"]}""", "x", ["😀", "😁"] },
        { """{"chosen":"same","rejected":["same"]}""", "same", ["", ""] },
        { """{"ranked":["ab1","ab2","ab3"]}""", "ab", ["1", "2", "3"] },
        { """{"candidates":["ab1","ab2"],"chosen_index":1}""", "ab", ["2", "1"] },
        // Dialogues are cut at the last turn that all share, though the responses begin alike.
        { """{"chosen":"\n\nHuman: hi\n\nAssistant: I do","rejected":"\n\nHuman: hi\n\nAssistant: I do not"}""",
            "\n\nHuman: hi\n\nAssistant:", [" I do", " I do not"] },
        {
            """
            {"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
            "rejected":["\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: e"]}
            """,
            "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", [" d", " e"]
        },
        // They part within a turn of the human's: the last turn that both share is the one before.
        {
            """
            {"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c1\n\nAssistant: d",
            "rejected":["\n\nHuman: a\n\nAssistant: b\n\nHuman: c2\n\nAssistant: d"]}
            """,
            "\n\nHuman: a\n\nAssistant:", [" b\n\nHuman: c1\n\nAssistant: d", " b\n\nHuman: c2\n\nAssistant: d"]
        },
    };

    [Theory]
    [MemberData(nameof(AbsentPrompts))]
    public void An_absent_prompt_is_what_the_texts_share(string json, string prompt, string[] candidates)
    {
        var record = Parse(json);
        Assert.Equal((PromptForm.Text, prompt), (record.Prompt.Form, record.Prompt.Text));
        Assert.Equal(candidates, record.Candidates);
    }

    [Theory]
    [InlineData("\"a:b\"", "a:b")]
    [InlineData("\"\"", "")]
    [InlineData("17", "17")]
    [InlineData("-12345678901234567890.50e+3", "-12345678901234567890.50e+3")]
    [InlineData("null", null)]
    public void An_id_is_a_text_and_a_number_as_it_was_written(string id, string? expected) =>
        Assert.Equal(expected, Parse($$"""{"id":{{id}},"prompt":"p","chosen":"a","rejected":["b"]}""").Id);

    [Fact]
    public void Numbers_per_candidate_come_chosen_first_and_null_is_unknown()
    {
        var record = Parse("""{"prompt":"p","chosen":"a","rejected":["b","c"],"rewards":[1,null,-2.5e3],"reference_logps":[null,-1e-300,0]}""");
        Assert.Equal([1, double.NaN, -2500], record.Rewards);
        Assert.Equal([double.NaN, -1e-300, 0], record.ReferenceLogps);
        var indexed = Parse("""{"prompt":"p","candidates":["b","a"],"chosen_index":1,"rewards":[2,1]}""");
        Assert.Equal(["a", "b"], indexed.Candidates);
        Assert.Equal([2, 1], indexed.Rewards);
        Assert.Null(Parse("""{"prompt":"p","chosen":"a","rejected":["b"],"rewards":null}""").Rewards);
    }

    [Fact]
    public void Meta_is_kept_as_it_came()
    {
        const string meta = """{ "u" : [1.50, "\u00e9", {"x":null}] }""";
        var record = Parse($$"""{"prompt":"p","meta":{{meta}},"chosen":"a","rejected":["b"]}""");
        Assert.Equal(meta, record.Meta!.Value.GetRawText());
    }

    [Fact]
    public void Unknown_fields_are_kept_byte_for_byte_name_and_value()
    {
        var record = Parse("""
            {"sc\u006fre" : 1.50,"prompt":"p","naïve+<>":{ "a" : [ 1 , "\u00e9" ] },"chosen":"a",
            "s":"\ud800","rejected":["b"],"l":null,"rejectedly":[]}
            """);
        Assert.Equal("""{"sc\u006fre":1.50,"naïve+<>":{ "a" : [ 1 , "\u00e9" ] },"s":"\ud800","l":null,"rejectedly":[]}""", record.UnknownFields);
        using var json = JsonDocument.Parse(record.UnknownFields!);
        Assert.Equal(1.5, json.RootElement.GetProperty("score").GetDouble());
    }

    /// <summary>A record, its code, and what the message names: the field, the reason, the remedy.</summary>
    public static TheoryData<string, string, string[]> Refused => new()
    {
        // Not one JSON object.
        { "", DeadLetterCodes.Json, ["not JSON", "one JSON object"] },
        { "{", DeadLetterCodes.Json, ["not JSON", "one JSON object"] },
        { """{"prompt":"p","chosen":"a","rejected":["b"]""", DeadLetterCodes.Json, ["not JSON"] },
        { """{"prompt":"p","chosen":"a","rejected":["b"]} x""", DeadLetterCodes.Json, ["not JSON", "'x'"] },
        { """{"prompt":"p","chosen":"a","rejected":["b"]}{}""", DeadLetterCodes.Json, ["not JSON", "one JSON object"] },
        { """{"prompt":"p",}""", DeadLetterCodes.Json, ["not JSON"] },
        { """{'prompt':'p'}""", DeadLetterCodes.Json, ["not JSON"] },
        { """{"prompt":"p" /* c */}""", DeadLetterCodes.Json, ["not JSON"] },
        { "{\"prompt\":\"a\tb\"}", DeadLetterCodes.Json, ["not JSON"] },
        { """["prompt"]""", DeadLetterCodes.Json, ["not a JSON object", "{\"prompt\""] },
        { "7", DeadLetterCodes.Json, ["not a JSON object"] },
        { "NaN", DeadLetterCodes.Json, ["not JSON"] },
        { "prompt,chosen,rejected", DeadLetterCodes.Json, ["not JSON"] },
        // Texts that are no Unicode.
        { """{"prompt":"\ud83d","chosen":"a","rejected":["b"]}""", DeadLetterCodes.Encoding, ["'prompt'", "\\ud800", "pairs"] },
        { """{"prompt":"p","chosen":"\ude00\ud83d","rejected":["b"]}""", DeadLetterCodes.Encoding, ["'chosen'", "pairs"] },
        { """{"prompt":"p","chosen":"a","rejected":["b","\udc00"]}""", DeadLetterCodes.Encoding, ["'rejected'"] },
        { """{"prompt":"p","\ud800":1,"chosen":"a"}""", DeadLetterCodes.Encoding, ["the name of a field"] },
        // Fields given twice.
        { """{"prompt":"p","chosen":"a","chosen":"a","rejected":["b"]}""", DeadLetterCodes.Field, ["'chosen'", "twice", "keep one"] },
        { """{"prompt":"p","ch\u006fsen":"a","chosen":"a","rejected":["b"]}""", DeadLetterCodes.Field, ["'chosen'", "twice"] },
        { """{"x":1,"x":1,"chosen":"a","rejected":["b"]}""", DeadLetterCodes.Field, ["'x'", "twice"] },
        { """{"chosen":"a","rejected1":"b","rejected01":"c"}""", DeadLetterCodes.Field, ["'rejected01'", "'rejected1'", "keep one"] },
        // Wrong types.
        { """{"id":["a"]}""", DeadLetterCodes.Field, ["'id'", "a list", "a text is expected"] },
        { """{"id":true}""", DeadLetterCodes.Field, ["'id'", "true or false", "a text is expected"] },
        { """{"prompt":5}""", DeadLetterCodes.Field, ["'prompt'", "5", "{\"history\""] },
        { """{"prompt":{}}""", DeadLetterCodes.Field, ["'prompt'", "{\"history\""] },
        { """{"prompt":{"items":["a"]}}""", DeadLetterCodes.Field, ["'prompt'", "{\"history\""] },
        { """{"prompt":{"history":["a"],"x":1}}""", DeadLetterCodes.Field, ["'prompt'", "'history' alone"] },
        { """{"prompt":{"history":["a"],"history":["a"]}}""", DeadLetterCodes.Field, ["'prompt'", "'history' alone"] },
        { """{"prompt":{"history":"a"}}""", DeadLetterCodes.Field, ["'prompt.history'", "a text", "a list is expected"] },
        { """{"prompt":{"history":["a",{"id":1}]}}""", DeadLetterCodes.Field, ["'prompt.history'", "an object", "a text is expected"] },
        { """{"prompt":{"history":["a",7]}}""", DeadLetterCodes.Field, ["'prompt.history'", "7", "a text is expected"] },
        { """{"chosen":null}""", DeadLetterCodes.Field, ["'chosen'", "null", "a text is expected"] },
        { """{"chosen":12345}""", DeadLetterCodes.Field, ["'chosen'", "12345", "a text is expected"] },
        { """{"rejected":null}""", DeadLetterCodes.Field, ["'rejected'", "null", "a text is expected"] },
        { """{"rejected":["a",null]}""", DeadLetterCodes.Field, ["'rejected'", "null", "a text is expected"] },
        { """{"rejected2":false}""", DeadLetterCodes.Field, ["'rejected2'", "true or false", "a text is expected"] },
        { """{"candidates":"a"}""", DeadLetterCodes.Field, ["'candidates'", "a list is expected"] },
        { """{"ranked":{"a":1}}""", DeadLetterCodes.Field, ["'ranked'", "an object", "a list is expected"] },
        { """{"chosen_index":"0"}""", DeadLetterCodes.Field, ["'chosen_index'", "a text", "a whole number is expected"] },
        { """{"chosen_index":1.5}""", DeadLetterCodes.Field, ["'chosen_index'", "1.5", "a whole number is expected"] },
        { """{"chosen_index":99999999999}""", DeadLetterCodes.Field, ["'chosen_index'", "99999999999", "a whole number is expected"] },
        { """{"rewards":5}""", DeadLetterCodes.Field, ["'rewards'", "5", "a list of numbers"] },
        { """{"rewards":[1,"x"]}""", DeadLetterCodes.Field, ["'rewards'", "a text", "null where unknown"] },
        { """{"reference_logps":[1,-1e999]}""", DeadLetterCodes.Field, ["'reference_logps'", "-1e999", "null where unknown"] },
        { """{"reference_logps":[[1]]}""", DeadLetterCodes.Field, ["'reference_logps'", "a list", "null where unknown"] },
        // Fields that are missing, or contradict each other.
        { "{}", DeadLetterCodes.Field, ["no responses", "'chosen'", "'ranked'"] },
        { """{"prompt":"p"}""", DeadLetterCodes.Field, ["no responses", "'candidates'"] },
        { """{"prompt":"p","chosen":"a"}""", DeadLetterCodes.Field, ["'chosen'", "without 'rejected'", "give both"] },
        { """{"prompt":"p","rejected":["a"]}""", DeadLetterCodes.Field, ["'rejected'", "without 'chosen'", "give both"] },
        { """{"prompt":"p","rejected1":"a"}""", DeadLetterCodes.Field, ["'rejected'", "without 'chosen'"] },
        { """{"prompt":"p","candidates":["a","b"]}""", DeadLetterCodes.Field, ["'candidates'", "without 'chosen_index'", "give both"] },
        { """{"prompt":"p","chosen_index":0}""", DeadLetterCodes.Field, ["'chosen_index'", "without 'candidates'", "give both"] },
        { """{"prompt":"p","candidates":["a","b"],"chosen_index":2}""", DeadLetterCodes.Field, ["'chosen_index' 2", "2 candidates", "from 0"] },
        { """{"prompt":"p","candidates":["a","b"],"chosen_index":-1}""", DeadLetterCodes.Field, ["'chosen_index' -1", "from 0"] },
        { """{"chosen":"a","rejected":["b"],"rejected1":"c"}""", DeadLetterCodes.Field, ["'rejected'", "'rejected1'", "keep one"] },
        { """{"chosen":"a","rejected":["b"],"ranked":["a","b"]}""", DeadLetterCodes.Field, ["give one of", "'ranked'"] },
        { """{"candidates":["a","b"],"chosen_index":0,"ranked":["a","b"]}""", DeadLetterCodes.Field, ["give one of"] },
        { """{"candidates":["a","b"],"chosen_index":0,"rejected1":"b"}""", DeadLetterCodes.Field, ["give one of"] },
        { """{"prompt":"p","chosen":"a","rejected":["b"],"rewards":[1]}""",
            DeadLetterCodes.Field, ["'rewards'", "1 numbers for 2 candidates", "give the chosen one's"] },
        { """{"prompt":"p","ranked":["a","b"],"reference_logps":[1,2,3]}""", DeadLetterCodes.Field, ["'reference_logps'", "3 numbers for 2"] },
        // Pools with nothing to compare.
        { """{"prompt":"p","chosen":"a","rejected":[]}""", DeadLetterCodes.EmptyPool, ["'rejected'", "no rejected response", "give at least one"] },
        { """{"prompt":"p","ranked":["a"]}""", DeadLetterCodes.EmptyPool, ["'ranked'", "no rejected response", "give at least one"] },
        { """{"prompt":"p","ranked":[]}""", DeadLetterCodes.EmptyPool, ["'ranked'"] },
        { """{"prompt":"p","candidates":["a"],"chosen_index":0}""", DeadLetterCodes.EmptyPool, ["'candidates'", "give at least one"] },
        { """{"candidates":[],"chosen_index":0}""", DeadLetterCodes.EmptyPool, ["'candidates'"] },
        // Chats.
        { Chat("[]", "\"a\"", "[\"b\"]"), DeadLetterCodes.Unsupported, ["no messages", "give at least the user's"] },
        { Chat("""[{"role":"tool","content":"x"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Unsupported, ["'tool'", "leave tools out"] },
        { Chat("""[{"from":"observation","value":"x"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Unsupported, ["'observation'", "human and gpt"] },
        { Chat("""[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Unsupported, ["the last message is the assistant's", "end with the user's"] },
        { Chat("""[{"role":"user"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Field, ["'prompt'", "without a content"] },
        { Chat("""[{"content":"x"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Field, ["'prompt'", "without a role"] },
        { Chat("""[{"role":"user","content":"x","value":"y"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Field, ["two contents"] },
        { Chat("""[{"role":"user","from":"human"}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Field, ["says twice whose it is"] },
        { Chat("""[{"role":"user","content":7}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Field, ["'content'", "no text"] },
        { Chat("""[{"role":"user","content":[{"type":"text"}]}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Unsupported, ["'content'", "list of parts", "the text alone"] },
        { Chat("""[{"role":"user","content":"x","tool_calls":[]}]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Unsupported, ["'tool_calls'", "leave it out"] },
        { Chat("""["hi"]""", "\"a\"", "[\"b\"]"), DeadLetterCodes.Field, ["'prompt'", "no message", "\"role\""] },
        { Chat(Hi, """[{"role":"user","content":"a"}]""", "[\"b\"]"), DeadLetterCodes.Unsupported, ["a message of the user's"] },
        { Chat(Hi, """[{"role":"assistant","content":"a"},{"role":"user","content":"x"},{"role":"assistant","content":"c"}]""", "[\"b\"]"),
            DeadLetterCodes.Unsupported, ["a response of 3 messages", "one record per answer"] },
        { Chat(Hi, "[]", "[\"b\"]"), DeadLetterCodes.Field, ["holds no message"] },
        { """{"prompt":{"history":["x"]},"chosen":{"role":"assistant","content":"a"},"rejected":["b"]}""", DeadLetterCodes.Field, ["history", "items as texts"] },
        { """{"prompt":"p","chosen":{"role":"assistant","content":"a"},"rejected":["b"]}""", DeadLetterCodes.Field, ["'prompt' as messages"] },
        { """{"chosen":[{"role":"assistant","content":"a"}],"rejected":[{"role":"assistant","content":"b"}]}""", DeadLetterCodes.Field, ["do not begin alike", "'prompt' as messages"] },
        { $$"""{"prompt":"other","chosen":[{{Turn}},{"role":"assistant","content":"a"}],"rejected":[{{Turn}},{"role":"assistant","content":"b"}]}""",
            DeadLetterCodes.Field, ["'prompt' is a text", "'prompt' as messages"] },
        { $$"""{"messages":{{Hi}},"conversations":{{Hi}},"chosen":"a","rejected":"b"}""", DeadLetterCodes.Field, ["'conversations' and 'messages'", "keep one"] },
        { $$"""{"prompt":"x","conversations":{{Hi}},"chosen":"a","rejected":"b"}""", DeadLetterCodes.Field, ["'prompt' and 'conversations'", "keep one"] },
        { """{"messages":7,"chosen":"a","rejected":"b"}""", DeadLetterCodes.Field, ["'messages'", "a list of messages"] },
        { """{"messages":[],"chosen":"a","rejected":"b"}""", DeadLetterCodes.Unsupported, ["no messages"] },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_is_no_record_is_refused_by_code_and_field_with_the_reason_and_the_remedy(string json, string code, string[] named)
    {
        var refusal = Refusal(Encoding.UTF8.GetBytes(json));
        Assert.Equal(code, refusal.Code);
        Assert.All(named, part => Assert.Contains(part, refusal.Message));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(13)]
    [InlineData(40)]
    public void Bytes_that_are_no_UTF_8_are_refused_with_the_place_of_the_first(int place)
    {
        var json = Encoding.UTF8.GetBytes("""{"prompt":"prompt","chosen":"a","rejected":["b","cccc"]}""");
        json[place] = 0xE9;
        json[^3] = 0xFF;
        var refusal = Refusal(json);
        Assert.Equal(DeadLetterCodes.Encoding, refusal.Code);
        Assert.Contains($"at byte {place}:", refusal.Message);
        Assert.Contains("save the data as UTF-8", refusal.Message);
    }

    [Fact]
    public void A_character_cut_in_two_and_an_overlong_one_are_no_UTF_8()
    {
        Assert.Contains("at byte 2", Refusal([(byte)'{', (byte)'"', 0xF0, 0x9F, 0x98]).Message);
        Assert.Contains("at byte 1", Refusal([(byte)'{', 0xC0, 0x80, (byte)'}']).Message);
        Assert.Contains("at byte 1", Refusal([(byte)'{', 0xED, 0xA0, 0x80, (byte)'}']).Message);
    }

    [Fact]
    public void Nesting_as_deep_as_memory_is_refused_and_as_deep_as_allowed_is_kept()
    {
        var nested = (int depth) => $$"""{"prompt":"p","chosen":"a","rejected":["b"],"deep":{{new string('[', depth)}}{{new string(']', depth)}}}""";
        Assert.Contains(new string('[', 63), Parse(nested(63)).UnknownFields);
        foreach (var depth in new[] { 64, 100_000, 5_000_000 })
        {
            var refusal = Refusal(Encoding.UTF8.GetBytes(nested(depth)));
            Assert.Equal(DeadLetterCodes.Json, refusal.Code);
            Assert.Contains("depth of 64", refusal.Message);
        }
        Assert.Equal(DeadLetterCodes.Json, Refusal(Encoding.UTF8.GetBytes("""{"meta":""" + new string('[', 100_000))).Code);
        Assert.Equal(DeadLetterCodes.Field, Refusal(Encoding.UTF8.GetBytes("""{"rejected":""" + new string('[', 100_000))).Code);
    }

    [Fact]
    public void A_message_stays_short_however_long_the_name_or_the_number()
    {
        var name = new string('n', 100_000);
        Assert.InRange(Refusal(Encoding.UTF8.GetBytes($$"""{"{{name}}":1,"{{name}}":2}""")).Message.Length, 80, 200);
        Assert.InRange(Refusal(Encoding.UTF8.GetBytes($$"""{"chosen":{{new string('1', 100_000)}}}""")).Message.Length, 80, 200);
    }

    [Fact]
    public void A_record_of_a_mebibyte_is_read_whole()
    {
        var text = string.Concat(Enumerable.Range(0, 1 << 17).Select(i => (char)('a' + i % 26))) + "é";
        var rejected = Enumerable.Range(0, 7).Select(i => text + i * 2);
        var record = Parse(JsonSerializer.Serialize(new { prompt = text, chosen = text + "1", rejected }));
        Assert.Equal(text, record.Prompt.Text);
        Assert.Equal(8, record.Candidates.Count);
        Assert.Equal(text + "12", record.Candidates[7]);
    }
}
