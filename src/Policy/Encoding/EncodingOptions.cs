using MassDpo.Policy.Chat;

namespace MassDpo.Policy.Encoding;

/// <summary>How records become tokens, beyond what the policy itself says.</summary>
/// <param name="ChatTemplate">as <see cref="ChatFormat.Load"/> takes it</param>
/// <param name="Truncation">of texts and chats</param>
public sealed record EncodingOptions(string ChatTemplate, Truncation Truncation)
{
    /// <summary>The policy's own chat template, and nothing truncated.</summary>
    public static EncodingOptions Default { get; } = new(ChatFormat.Auto, Truncation.None);
}
