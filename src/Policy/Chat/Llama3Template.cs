using System.Text;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Chat;

/// <summary>Llama 3: BOS, each turn after a header with its role, trimmed, <c>&lt;|eot_id|&gt;</c> after it.</summary>
/// <param name="bos">the text of the BOS token</param>
/// <param name="systemHead">what the system message begins with, which is there then in every chat (Llama 3.1: two dates); null: nothing</param>
internal sealed class Llama3Template(string bos, string? systemHead) : ChatTemplate
{
    public override string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var text = new StringBuilder(bos);
        var first = 0;
        if (systemHead is not null)
        {
            var isSystem = messages[0].Role == ChatRoles.System;
            AddTurn(text, ChatRoles.System, systemHead + (isSystem ? Trim(messages[0].Content) : ""));
            first = isSystem ? 1 : 0;
        }
        for (var i = first; i < messages.Count; i++)
            AddTurn(text, messages[i].Role, Trim(messages[i].Content));
        return addGenerationPrompt ? text.Append(Header(ChatRoles.Assistant)).ToString() : text.ToString();
    }

    private static void AddTurn(StringBuilder text, string role, string content) => text.Append(Header(role)).Append(content).Append("<|eot_id|>");

    private static string Header(string role) => $"<|start_header_id|>{role}<|end_header_id|>\n\n";
}
