using System.Text;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Chat;

/// <summary>
/// ChatML as Qwen3's hybrid models have it: an answer that ends the chat begins with a thought, here an empty one. Thoughts within an answer, which the
/// template takes apart, and answers of tools are refused.
/// </summary>
internal sealed class Qwen3Template : ChatTemplate
{
    public override string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var question = messages.Count - 1;
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            if (messages[i].Role != ChatRoles.User)
                continue;
            question = i;
            break;
        }
        var text = new StringBuilder();
        for (var i = 0; i < messages.Count; i++)
        {
            var (role, content) = messages[i];
            if (role == ChatRoles.Assistant && content.Contains("</think>", StringComparison.Ordinal))
                throw new ChatFormatException("an answer holds a thought ('</think>'), which the qwen3 template moves: give answers without thoughts");
            if (role == ChatRoles.User && content.StartsWith("<tool_response>", StringComparison.Ordinal))
                throw new ChatFormatException("a user's message is the answer of a tool ('<tool_response>'), which is not rendered: leave tools out");
            var isLastAnswer = role == ChatRoles.Assistant && i > question && i == messages.Count - 1;
            ChatMlTemplate.AddTurn(text, role, isLastAnswer ? "<think>\n\n</think>\n\n" + content.TrimStart('\n') : content);
        }
        return addGenerationPrompt ? text.Append("<|im_start|>assistant\n").ToString() : text.ToString();
    }
}
