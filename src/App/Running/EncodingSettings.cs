using MassDpo.Policy.Chat;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Running;

/// <summary>What settings say of how records become tokens.</summary>
internal static class EncodingSettings
{
    private static readonly Dictionary<string, string> Templates =
        ChatTemplates.Names.Prepend(ChatFormat.None).Prepend(ChatFormat.Auto).ToDictionary(name => name, StringComparer.Ordinal);

    private static readonly Dictionary<string, TruncationMode> Modes = new() { ["keep_start"] = TruncationMode.KeepStart, ["keep_end"] = TruncationMode.KeepEnd };

    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static EncodingOptions From(EffectiveSettings settings)
    {
        var (whole, prompt) = (Limit("ingest.max-length"), Limit("ingest.max-prompt-length"));
        if (whole is { } limit && prompt >= limit)
            throw settings.Outside("ingest.max-prompt-length", $"{prompt} with ingest.max-length = {limit}", "nothing would be left for a response: write less, or raise ingest.max-length");
        return new EncodingOptions(settings.Choice("ingest.chat-template", Templates), new Truncation(whole, prompt, settings.Choice("ingest.truncation-mode", Modes)));

        int? Limit(string key) => settings.Integer(key, 0, 1 << 30) is var tokens and > 0 ? tokens : null;
    }
}
