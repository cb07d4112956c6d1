namespace MassDpo.Policy.Chat;

/// <summary>The chat templates that are rendered, by name, and how the templates of published checkpoints are told apart.</summary>
public static class ChatTemplates
{
    private sealed record Family(Func<string, string, ChatTemplate> Make, bool NeedsTokens = true)
    {
        public static Family ChatMl(string? defaultSystem) => new((_, _) => new ChatMlTemplate(defaultSystem), NeedsTokens: false);
    }

    private static readonly Dictionary<string, Family> Families = new(StringComparer.Ordinal)
    {
        ["chatml"] = Family.ChatMl(null),
        ["qwen2"] = Family.ChatMl("You are a helpful assistant."),
        ["qwen2.5"] = Family.ChatMl("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
        ["qwen2.5-math"] = Family.ChatMl(@"Please reason step by step, and put your final answer within \boxed{}."),
        ["qwen3"] = new((_, _) => new Qwen3Template(), NeedsTokens: false),
        ["smollm2"] = Family.ChatMl("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
        ["llama3"] = new((bos, _) => new Llama3Template(bos, null)),
        ["llama3.1"] = new((bos, _) => new Llama3Template(bos, "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n")),
        ["mistral"] = new((bos, eos) => new MistralTemplate(bos, eos)),
        ["mistral-v0.1"] = new((bos, eos) => new MistralTemplate(bos, eos + " ")),
    };

    /// <summary>Llama 3.2's, which writes the day on which it is run.</summary>
    private const string OfToday = "llama3.2";

    // TemplateText.HashOf of the templates that checkpoints are published with.
    private static readonly Dictionary<string, string> NameByHash = new(StringComparer.Ordinal)
    {
        ["009f7e639a556c0e8a4fa68d38338367"] = "chatml",
        // The same, after add_generation_prompt was given its default.
        ["d08e3686736a9aeeced29fe97fce675e"] = "chatml",
        // Qwen 3's of July 2025 have neither a system message of their own nor thoughts.
        ["8bd0c9ce7e0365b6f8bcfc69c9a9272b"] = "chatml",
        ["c22c7870dac4c4bb2757120bcd0ceaf6"] = "qwen2",
        ["03ba57c3054f4c5a5f1a899a966eab2c"] = "qwen2.5",
        ["81c014674f0d7489b15f186f13a11c11"] = "qwen2.5-math",
        ["77da9bc09f4669009228ad35fddbadd7"] = "qwen3",
        ["e6d81fce121529f6740eac634db837c5"] = "smollm2",
        ["ea33db04680d1744406d612d11742aec"] = "llama3",
        ["e43cd8fac3dede2d0031728d43be7dcf"] = "llama3.1",
        ["528e8e37dee78f4cb8996776efb0cb72"] = OfToday,
        // Of 0.2 and Mixtral, that with a sentence for other roles, and the one without.
        ["3a5d832c5cd4301ff18bca015a9c8bb1"] = "mistral",
        ["d3dbb56f6e1eecfb695ff935bce7c996"] = "mistral",
        ["e5b895b42107d78299267c27a4743791"] = "mistral-v0.1",
    };

    /// <summary>What <see cref="Named"/> knows.</summary>
    public static IReadOnlyCollection<string> Names => Families.Keys;

    /// <summary>A template by its name.</summary>
    /// <param name="name">one of <see cref="Names"/></param>
    /// <param name="bos">the text of the BOS token; null: none</param>
    /// <param name="eos">the text of the end token; null: none</param>
    /// <param name="why">null, or why there is none: a sentence with the remedy</param>
    public static ChatTemplate? Named(string name, string? bos, string? eos, out string? why)
    {
        var family = Families[name];
        why = family.NeedsTokens && (bos is null || eos is null)
            ? $"the {name} template writes the BOS and the end token, and neither tokenizer_config.json nor config.json names both: set bos_token and eos_token"
            : null;
        return why is null ? family.Make(bos ?? "", eos ?? "") : null;
    }

    /// <summary>The name of the family that a Jinja template is of; null where it is none of them.</summary>
    /// <param name="template">as the checkpoint has it</param>
    /// <param name="file">that it is in</param>
    /// <param name="why">null, or why there is none: a sentence with the remedy</param>
    public static string? Recognise(string template, string file, out string? why)
    {
        var name = TemplateText.HashOf(template) is { } hash ? NameByHash.GetValueOrDefault(hash) : null;
        why = name switch
        {
            null => $"{file}: its chat template is none of those that are rendered ({string.Join(", ", Names)}): "
                + "name the one that says the same with ingest.chat-template, or give prompt and responses as texts",
            OfToday => $"{file}: its chat template writes the day on which it is run, so that no two runs would see the same text: "
                + "set ingest.chat-template = llama3.1, which says the same with a fixed day",
            _ => null,
        };
        return why is null ? name : null;
    }
}
