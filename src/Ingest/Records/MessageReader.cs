using System.Text.Json;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Records;

/// <summary>
/// Reads messages: <c>{"role", "content"}</c>, or <c>{"from", "value"}</c> as ShareGPT has them. Calls of tools, thoughts and contents that are no text
/// are refused by name; other fields are passed over.
/// </summary>
internal static class MessageReader
{
    /// <summary>A list of messages, or a single one.</summary>
    /// <param name="reader">at the list's or the message's beginning; afterwards at its end</param>
    /// <param name="name">of the field</param>
    public static List<ChatMessage> Read(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
            return [ReadOne(ref reader, name)];
        var messages = new List<ChatMessage>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            messages.Add(reader.TokenType == JsonTokenType.StartObject ? ReadOne(ref reader, name) : throw Bad($"'{name}' holds what is no message: {Form}"));
        return messages;
    }

    private const string Form = "write {\"role\": \"user\", \"content\": \"…\"} or {\"from\": \"human\", \"value\": \"…\"}";

    private static ChatMessage ReadOne(ref Utf8JsonReader reader, string name)
    {
        string? role = null, content = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = reader.GetString()!;
            reader.Read();
            switch (field)
            {
                case "role" or "from":
                    if (role is not null)
                        throw Bad($"'{name}': a message says twice whose it is: keep one of 'role' and 'from'");
                    role = RoleOf(TextOf(ref reader, name, field));
                    break;
                case "content" or "value":
                    if (content is not null)
                        throw Bad($"'{name}': a message has two contents: keep one of 'content' and 'value'");
                    content = TextOf(ref reader, name, field);
                    break;
                case "tool_calls" or "function_call" or "reasoning_content" when reader.TokenType != JsonTokenType.Null:
                    throw new RecordFormatException(DeadLetterCodes.Unsupported, $"'{name}': '{field}' of a message is not rendered: leave it out, or write it into the content");
                default:
                    reader.Skip();
                    break;
            }
        }
        return role is not null && content is not null ? new ChatMessage(role, content)
            : throw Bad($"'{name}': a message without {(role is null ? "a role" : "a content")}: {Form}");
    }

    private static string TextOf(ref Utf8JsonReader reader, string name, string field) => reader.TokenType switch
    {
        JsonTokenType.String => reader.GetString()!,
        JsonTokenType.StartArray => throw new RecordFormatException(DeadLetterCodes.Unsupported,
            $"'{name}': '{field}' of a message is a list of parts, which is not supported: give the text alone"),
        _ => throw Bad($"'{name}': '{field}' of a message is no text: {Form}"),
    };

    private static string RoleOf(string name) => name switch
    {
        "human" => ChatRoles.User,
        "gpt" => ChatRoles.Assistant,
        _ when ChatRoles.IsOne(name) => name,
        _ => throw new RecordFormatException(DeadLetterCodes.Unsupported, ChatPrompt.UnknownRole(name)),
    };

    private static RecordFormatException Bad(string reason) => new(DeadLetterCodes.Field, reason);
}
