using System.Text.Json;
using MassDpo.Policy.Chat;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Chat;

public sealed class ChatTemplateTests
{
    private static readonly ChatMessage[] Talk =
        [new("user", " 2+2? \n"), new("assistant", "4\n"), new("user", "Sure?")];

    private static string Rendered(string name, bool prompt, params ChatMessage[] messages) =>
        ChatTemplates.Named(name, "<s>", "</s>", out _)!.Render(messages, prompt);

    [SharedDataFact("fixtures/chat/rendered.json")]
    public void Every_fixture_is_recognised_and_rendered_byte_for_byte()
    {
        using var cases = JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf("fixtures/chat/rendered.json")));
        Assert.True(cases.RootElement.GetArrayLength() >= 16);
        foreach (var one in cases.RootElement.EnumerateArray())
        {
            var family = ChatTemplates.Recognise(one.GetProperty("template").GetString()!, "file", out var why);
            Assert.Equal((one.GetProperty("family").GetString(), null), (family, why));
            var template = ChatTemplates.Named(family!, one.GetProperty("bos_token").GetString(), one.GetProperty("eos_token").GetString(), out _)!;
            ChatMessage[] messages = [.. one.GetProperty("messages").EnumerateArray().Select(message =>
                new ChatMessage(message.GetProperty("role").GetString()!, message.GetProperty("content").GetString()!))];
            Assert.Equal(one.GetProperty("rendered").GetString(), template.Render(messages, one.GetProperty("add_generation_prompt").GetBoolean()));
        }
    }

    public static TheoryData<string, string> Talks => new()
    {
        // What Jinja2 gives for the families' published templates.
        { "chatml", "<|im_start|>user\n 2+2? \n<|im_end|>\n<|im_start|>assistant\n4\n<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n" },
        {
            "qwen2.5", "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
            + "<|im_start|>user\n 2+2? \n<|im_end|>\n<|im_start|>assistant\n4\n<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n"
        },
        { "qwen3", "<|im_start|>user\n 2+2? \n<|im_end|>\n<|im_start|>assistant\n4\n<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n" },
        {
            "llama3", "<s><|start_header_id|>user<|end_header_id|>\n\n2+2?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n4<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nSure?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        },
        {
            "llama3.1", "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\n2+2?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n4<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nSure?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        },
        { "mistral", "<s>[INST]  2+2? \n [/INST]4\n</s>[INST] Sure? [/INST]" },
        { "mistral-v0.1", "<s>[INST]  2+2? \n [/INST]4\n</s> [INST] Sure? [/INST]" },
    };

    [Theory]
    [MemberData(nameof(Talks))]
    public void Families_write_a_talk_as_their_templates_do(string name, string text) => Assert.Equal(text, Rendered(name, prompt: true, Talk));

    [Fact]
    public void A_system_message_takes_the_place_of_the_families_own()
    {
        ChatMessage[] talk = [new("system", " Be brief. "), new("user", "Hi")];
        Assert.Equal("<|im_start|>system\n Be brief. <|im_end|>\n<|im_start|>user\nHi<|im_end|>\n", Rendered("qwen2", prompt: false, talk));
        Assert.Contains("Today Date: 26 Jul 2024\n\nBe brief.<|eot_id|><|start_header_id|>user", Rendered("llama3.1", prompt: false, talk));
    }

    [Fact]
    public void Qwen3_begins_an_answer_at_the_end_with_an_empty_thought()
    {
        var text = Rendered("qwen3", prompt: false, [.. Talk, new("assistant", "\nYes")]);
        Assert.EndsWith("<|im_start|>assistant\n<think>\n\n</think>\n\nYes<|im_end|>\n", text);
        Assert.Contains("<|im_start|>assistant\n4\n<|im_end|>", text);
    }

    [Theory]
    [InlineData("mistral", "system:be brief|user:hi", "no system message")]
    [InlineData("mistral", "user:hi|user:there", "message 2 is the user's")]
    [InlineData("mistral", "assistant:hi", "the user first")]
    [InlineData("qwen3", "user:hi|assistant:<think>x</think>y", "without thoughts")]
    [InlineData("qwen3", "user:<tool_response>1</tool_response>", "tool")]
    public void What_a_family_has_no_text_for_is_refused(string name, string talk, string reason)
    {
        ChatMessage[] messages = [.. talk.Split('|').Select(turn => turn.Split(':')).Select(turn => new ChatMessage(turn[0], turn[1]))];
        Assert.Contains(reason, Assert.Throws<ChatFormatException>(() => Rendered(name, prompt: true, messages)).Message);
    }

    [Theory]
    // However it is written.
    [InlineData("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}", "chatml")]
    [InlineData("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}\n", "chatml")]
    [InlineData("{# ChatML #}\n{%- for message in messages %}\n  {{- \"<|im_start|>\"+message.role+\"\\n\" + message.content + '<|im_end|>' + '\\n' -}}\n{% endfor %}\n{%if add_generation_prompt%}{{'<|im_start|>assistant\\n'}}{%endif%}", "chatml")]
    // Other texts, other conditions, white space that is written, tags that do not end.
    [InlineData("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}", null)]
    [InlineData("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}} {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}", null)]
    [InlineData("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}", null)]
    [InlineData("{% for message in messages %}{{'<|im_start|>", null)]
    [InlineData("{# no end", null)]
    [InlineData("{{", null)]
    [InlineData("", null)]
    public void A_template_is_known_by_what_it_says_and_by_nothing_less(string template, string? family)
    {
        Assert.Equal(family, ChatTemplates.Recognise(template, "x/tokenizer_config.json", out var why));
        if (family is not null)
            Assert.Null(why);
        else
            Assert.All(["x/tokenizer_config.json", "chatml", "ingest.chat-template"], part => Assert.Contains(part, why));
    }
}
