using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Records;

/// <summary>Prompt and responses of a record that has messages: a chat to its last message before the assistant's, and what the assistant may say then.</summary>
internal static class ChatPrompt
{
    private const string OneAnswer = "only the assistant's next message is trained on";

    /// <summary>Why messages are no prompt, with the remedy; null where they are one.</summary>
    public static string? Flaw(IReadOnlyList<ChatMessage> messages) =>
        messages.Count == 0 ? "there are no messages: give at least the user's"
        : messages.FirstOrDefault(message => !ChatRoles.IsOne(message.Role)) is { } other ? UnknownRole(other.Role)
        : messages[^1].Role == ChatRoles.Assistant ? "the last message is the assistant's, and responses begin a turn of their own: end with the user's message"
        : null;

    /// <summary>A role that nothing is rendered for.</summary>
    public static string UnknownRole(string? role) =>
        $"a message of '{Excerpt.Of(role ?? "null")}' is not supported: leave tools out; supported are system, user and assistant (human and gpt)";

    /// <summary>Puts prompt and responses together, some of which are messages.</summary>
    /// <param name="prompt">as given; null: absent</param>
    /// <param name="responses">at least two</param>
    /// <exception cref="RecordFormatException">they do not go together, or a response is more than one message of the assistant</exception>
    public static (Prompt Prompt, List<string> Candidates) Of(Prompt? prompt, IReadOnlyList<Response> responses)
    {
        if (prompt?.Form == PromptForm.History)
            throw Bad("'prompt' is a history and a response holds messages: give items as texts");
        var messages = prompt?.Form == PromptForm.Chat ? prompt.Messages : Common(prompt, responses);
        if (Flaw(messages) is { } flaw)
            throw new RecordFormatException(DeadLetterCodes.Unsupported, $"the chat before the responses: {flaw}");
        var skipped = prompt?.Form == PromptForm.Chat ? 0 : messages.Count;
        return (Prompt.OfChat(messages), [.. responses.Select(response => response.Text ?? Answer(response.Messages!, skipped))]);
    }

    // Without a prompt of messages it is what all responses begin with, as in TRL. A text beside them is one that it repeats.
    private static ChatMessage[] Common(Prompt? prompt, IReadOnlyList<Response> responses)
    {
        if (responses.Any(response => response.Messages is null))
            throw Bad("some responses are messages and others texts, without a prompt of messages: give 'prompt' as messages");
        var first = responses[0].Messages!;
        var common = responses.Min(response => response.Messages!.Count) - 1;
        foreach (var response in responses)
        {
            var same = 0;
            while (same < common && response.Messages![same] == first[same])
                same++;
            common = same;
        }
        if (common <= 0)
            throw Bad("the responses are messages that do not begin alike: give 'prompt' as messages");
        var shared = first.Take(common).ToArray();
        return prompt is null || shared.Any(message => message.Content == prompt.Text) ? shared
            : throw Bad("'prompt' is a text, and the responses are messages that do not begin with it: give 'prompt' as messages");
    }

    private static string Answer(IReadOnlyList<ChatMessage> messages, int from)
    {
        if (messages.Count == from)
            throw Bad("a response holds no message: give the assistant's");
        if (messages.Count > from + 1)
            throw new RecordFormatException(DeadLetterCodes.Unsupported,
                $"a response of {messages.Count - from} messages: {OneAnswer}: put the messages before the last one into 'prompt', one record per answer");
        return messages[from].Role == ChatRoles.Assistant ? messages[from].Content : throw new RecordFormatException(DeadLetterCodes.Unsupported,
            $"a response is a message of the {messages[from].Role}'s: {OneAnswer}");
    }

    private static RecordFormatException Bad(string reason) => new(DeadLetterCodes.Field, reason);
}
