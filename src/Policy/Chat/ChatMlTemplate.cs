using System.Text;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Chat;

/// <summary>ChatML: each turn between <c>&lt;|im_start|&gt;role</c> and <c>&lt;|im_end|&gt;</c>.</summary>
/// <param name="defaultSystem">what a chat that does not begin with a system message begins with; null: nothing</param>
internal sealed class ChatMlTemplate(string? defaultSystem) : ChatTemplate
{
    public override string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var text = new StringBuilder();
        if (defaultSystem is not null && messages[0].Role != ChatRoles.System)
            AddTurn(text, ChatRoles.System, defaultSystem);
        foreach (var message in messages)
            AddTurn(text, message.Role, message.Content);
        return addGenerationPrompt ? text.Append("<|im_start|>assistant\n").ToString() : text.ToString();
    }

    internal static void AddTurn(StringBuilder text, string role, string content) =>
        text.Append("<|im_start|>").Append(role).Append('\n').Append(content).Append("<|im_end|>\n");
}
