using System.Text.Json.Nodes;
using MassDpo.Policy.Chat;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.Policy.Tests.Chat;

public sealed class ChatFormatTests
{
    private const string ChatMl = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private const string Mistral = "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        + "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}"
        + "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
        + "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}";

    // <s> and </s> are tokens 0 and 1.
    private static readonly WordLevelTokenizer Words = WordLevelTokenizer.Create(["a"], splitsAtWhitespace: true);
    private static readonly PolicyConfig Config = MadePolicy.Config() with { BosTokenId = 0, EosTokenId = 1 };

    private static ChatFormat Load(TempFolder folder, string setting = ChatFormat.Auto, PolicyConfig? config = null) => ChatFormat.Load(folder.Path, config ?? Config, Words, setting);

    private static string Why(ChatFormat format)
    {
        Assert.Null(format.Template(out var why));
        Assert.Null(format.Name);
        return why!;
    }

    private static string Hello(ChatFormat format) => format.Template(out _)!.Render([new ChatMessage("user", "a"), new ChatMessage("assistant", "b")], addGenerationPrompt: false);

    [Fact]
    public void The_template_is_that_of_its_own_file_or_else_of_the_tokenizers_config()
    {
        using var folder = new TempFolder();
        Assert.Contains("has no chat template", Why(Load(folder)));
        folder.Write("tokenizer_config.json", new JsonObject { ["chat_template"] = Mistral }.ToJsonString());
        Assert.Equal("mistral", Load(folder).Name);
        Assert.Equal("<s>[INST] a [/INST]b</s>", Hello(Load(folder)));
        folder.Write("chat_template.jinja", ChatMl);
        Assert.Equal("chatml", Load(folder).Name);
    }

    [Fact]
    public void Of_several_templates_the_default_one_is_taken()
    {
        using var folder = new TempFolder();
        JsonObject Named(string name, string template) => new() { ["name"] = name, ["template"] = template };
        folder.Write("tokenizer_config.json", new JsonObject { ["chat_template"] = new JsonArray(Named("tool_use", "{{ tools }}"), Named("default", ChatMl)) }.ToJsonString());
        Assert.Equal("chatml", Load(folder).Name);
        folder.Write("tokenizer_config.json", new JsonObject { ["chat_template"] = new JsonArray(Named("tool_use", ChatMl)) }.ToJsonString());
        Assert.Contains("has no chat template", Why(Load(folder)));
    }

    [Fact]
    public void BOS_and_end_token_are_those_of_the_tokenizers_config_or_else_of_the_policys()
    {
        using var folder = new TempFolder();
        folder.Write("tokenizer_config.json", new JsonObject { ["bos_token"] = "<B>", ["eos_token"] = new JsonObject { ["content"] = "<E>" } }.ToJsonString());
        Assert.Equal("<B>[INST] a [/INST]b<E>", Hello(Load(folder, "mistral")));
        folder.Write("tokenizer_config.json", new JsonObject { ["bos_token"] = null, ["eos_token"] = "<E>" }.ToJsonString());
        Assert.Equal("<s>[INST] a [/INST]b<E>", Hello(Load(folder, "mistral")));
        Assert.Contains("bos_token", Why(Load(folder, "mistral", Config with { BosTokenId = null })));
        Assert.NotEqual("", Hello(Load(folder, "chatml", Config with { BosTokenId = null, EosTokenId = null })));
    }

    [Fact]
    public void A_template_that_is_not_known_refuses_chats_by_file_and_one_that_is_named_takes_its_place()
    {
        using var folder = new TempFolder();
        var file = folder.Write("tokenizer_config.json", new JsonObject { ["chat_template"] = "{{ messages }}" }.ToJsonString());
        var why = Why(Load(folder));
        Assert.All([file, "ingest.chat-template", "llama3"], part => Assert.Contains(part, why));
        Assert.Equal("llama3", Load(folder, "llama3").Name);
        Assert.Contains("ingest.chat-template = none", Why(Load(folder, ChatFormat.None)));
        Assert.Contains("ingest.chat-template", Why(ChatFormat.OfNew(Config, Words, ChatFormat.Auto)));
        Assert.Equal("mistral", ChatFormat.OfNew(Config, Words, "mistral").Name);
    }

    [SharedDataFact("data/tokenizers/torchtitan-test/tokenizer_config.json")]
    public void A_published_template_of_no_family_is_refused_by_its_file()
    {
        var folder = SharedData.PathOf("data/tokenizers/torchtitan-test");
        Assert.Contains(Path.Combine(folder, "tokenizer_config.json"), Why(ChatFormat.Load(folder, Config, Words, ChatFormat.Auto)));
        // Its special tokens are named there.
        Assert.StartsWith("<|begin_of_text|><|start_header_id|>user", Hello(ChatFormat.Load(folder, Config, Words, "llama3")));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    public void A_tokenizers_config_that_is_none_is_refused_by_name(string json)
    {
        using var folder = new TempFolder();
        var file = folder.Write("tokenizer_config.json", json);
        Assert.Contains(file, Assert.Throws<PolicyFormatException>(() => Load(folder)).Message);
    }

    [Theory]
    [InlineData("""{"chat_template": 7}""")]
    [InlineData("""{"chat_template": [7, {"name": "default"}, {"name": "default", "template": 7}]}""")]
    [InlineData("""{"chat_template": [{"name": "\ud800", "template": "x"}]}""")]
    public void A_template_that_is_no_text_is_none(string json)
    {
        using var folder = new TempFolder();
        folder.Write("tokenizer_config.json", json);
        Assert.Contains("has no chat template", Why(Load(folder)));
    }
}
