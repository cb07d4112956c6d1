using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Chat;

/// <summary>
/// Writes messages as the text that a chat policy was trained on: what the Jinja template of a published family gives for messages of the roles
/// system, user and assistant, without tools, byte for byte. A family is code of our own, no template is run: what a template would do besides (tools,
/// thoughts) is refused. Thread-safe.
/// </summary>
public abstract class ChatTemplate
{
    /// <summary>The text of messages.</summary>
    /// <param name="messages">at least one</param>
    /// <param name="addGenerationPrompt">whether the beginning of the assistant's next turn follows, where the family has one</param>
    /// <exception cref="ChatFormatException">the family has no text for these messages</exception>
    public abstract string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt);

    // As Python's str.strip: the runtime knows four white characters fewer.
    private protected static string Trim(string text)
    {
        var (start, end) = (0, text.Length);
        while (start < end && IsSpace(text[start]))
            start++;
        while (end > start && IsSpace(text[end - 1]))
            end--;
        return text[start..end];

        static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\x1c' and <= '\x1f';
    }
}

/// <summary>Messages that a chat template has no text for. The message is a sentence with the reason and the remedy.</summary>
public sealed class ChatFormatException(string message) : Exception(message);
