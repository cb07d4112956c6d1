using System.Text;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Chat;

/// <summary>Mistral Instruct 0.1 and 0.2, Mixtral: BOS, the user's turns in <c>[INST]</c>, the end token after the assistant's. There is no system message.</summary>
/// <param name="bos">the text of the BOS token</param>
/// <param name="afterAnswer">the text of the end token, and what follows it</param>
internal sealed class MistralTemplate(string bos, string afterAnswer) : ChatTemplate
{
    public override string Render(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var text = new StringBuilder(bos);
        for (var i = 0; i < messages.Count; i++)
        {
            var (role, content) = messages[i];
            if (role == ChatRoles.System)
                throw new ChatFormatException("the mistral template has no system message: put it before the first message of the user");
            if (role == ChatRoles.User != (i % 2 == 0))
                throw new ChatFormatException(
                    $"the mistral template wants user and assistant in turns, the user first, and message {i + 1} is the {role}'s: put neighbours of one role together");
            if (role == ChatRoles.User)
                text.Append("[INST] ").Append(content).Append(" [/INST]");
            else
                text.Append(content).Append(afterAnswer);
        }
        return text.ToString();
    }
}
