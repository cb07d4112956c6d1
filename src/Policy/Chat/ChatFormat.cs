using System.Text.Json;
using MassDpo.Policy.Tokenizers;

namespace MassDpo.Policy.Chat;

/// <summary>How messages become text for one policy: its template, or why it has none.</summary>
public sealed class ChatFormat
{
    private const string TemplateName = "chat_template.jinja";
    private const string TokenizerConfig = "tokenizer_config.json";

    /// <summary>The setting by which the checkpoint's own template is taken.</summary>
    public const string Auto = "auto";

    /// <summary>The setting by which chats are refused.</summary>
    public const string None = "none";

    private readonly ChatTemplate? _template;
    private readonly string? _why;

    private ChatFormat(ChatTemplate? template, string? why, string? name = null) => (_template, _why, Name) = (template, why, template is null ? null : name);

    /// <summary>The name of the template's family, one of <see cref="ChatTemplates.Names"/>; null where chats are refused.</summary>
    public string? Name { get; }

    /// <summary>Refuses chats.</summary>
    /// <param name="why">a sentence with the remedy</param>
    public static ChatFormat Without(string why) => new(null, why);

    /// <summary>
    /// The format of a policy directory: with <paramref name="setting"/> <c>auto</c> what its <c>chat_template.jinja</c>, or else the
    /// <c>chat_template</c> of its <c>tokenizer_config.json</c>, is recognised as. A template that is not recognised refuses chats, and them alone.
    /// </summary>
    /// <param name="setting"><c>auto</c>, <c>none</c>, or one of <see cref="ChatTemplates.Names"/></param>
    /// <exception cref="PolicyFormatException"><c>tokenizer_config.json</c> is malformed</exception>
    public static ChatFormat Load(string directory, PolicyConfig config, Tokenizer tokenizer, string setting)
    {
        if (setting == None)
            return Without("ingest.chat-template = none refuses chats: give prompt and responses as texts, or set it to auto or the name of a template");
        var file = Path.Combine(directory, TokenizerConfig);
        using var json = ReadConfig(file);
        var name = setting;
        if (setting == Auto)
        {
            if (Find(directory, file, json?.RootElement) is not var (template, at))
                return Without($"{directory} has no chat template (neither {TemplateName} nor chat_template in {TokenizerConfig}): "
                    + $"name one with ingest.chat-template ({string.Join(", ", ChatTemplates.Names)}), or give prompt and responses as texts");
            if (ChatTemplates.Recognise(template, at, out var unknown) is not { } recognised)
                return Without(unknown!);
            name = recognised;
        }
        return Named(name, TokenText("bos_token", config.BosTokenId), TokenText("eos_token", config.EosTokenId));

        string? TokenText(string key, int? id) => json is not null && Text(json.RootElement, key) is { } text ? text
            : id is { } known ? tokenizer.TextOf(known) : null;
    }

    /// <summary>A named template for a policy that has no directory yet.</summary>
    /// <param name="setting">as for <see cref="Load"/>; <c>auto</c> refuses chats: there is no checkpoint to ask</param>
    public static ChatFormat OfNew(PolicyConfig config, Tokenizer tokenizer, string setting) => setting is Auto or None
        ? Without($"a new policy has no chat template of its own: name one with ingest.chat-template ({string.Join(", ", ChatTemplates.Names)})")
        : Named(setting, config.BosTokenId is { } bos ? tokenizer.TextOf(bos) : null, config.EosTokenId is { } eos ? tokenizer.TextOf(eos) : null);

    private static ChatFormat Named(string name, string? bos, string? eos) => new(ChatTemplates.Named(name, bos, eos, out var why), why, name);

    /// <summary>The template; null with the reason, a sentence with the remedy.</summary>
    public ChatTemplate? Template(out string? why)
    {
        why = _why;
        return _template;
    }

    private static (string Template, string File)? Find(string directory, string configFile, JsonElement? config)
    {
        // The newer place goes before the older one, as in transformers.
        var own = Path.Combine(directory, TemplateName);
        if (File.Exists(own))
            return (File.ReadAllText(own), own);
        if (config is not { } json || !json.TryGetProperty("chat_template", out var template))
            return null;
        if (Text(json, "chat_template") is { } single)
            return (single, configFile);
        if (template.ValueKind != JsonValueKind.Array)
            return null;
        // Several by name: that for chats without tools is the default one.
        foreach (var entry in template.EnumerateArray())
            if (Text(entry, "name") == "default" && Text(entry, "template") is { } text)
                return (text, configFile);
        return null;
    }

    private static JsonDocument? ReadConfig(string file)
    {
        if (!File.Exists(file))
            return null;
        try
        {
            var json = JsonDocument.Parse(File.ReadAllBytes(file));
            return json.RootElement.ValueKind == JsonValueKind.Object ? json : throw new JsonException("it is no object");
        }
        catch (JsonException e)
        {
            throw new PolicyFormatException($"{file}: malformed: {e.Message}", e);
        }
    }

    // A text, or an added token with its content; half of a surrogate pair is no text.
    private static string? Text(JsonElement json, string key)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty(key, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.Object && !value.TryGetProperty("content", out value))
            return null;
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
