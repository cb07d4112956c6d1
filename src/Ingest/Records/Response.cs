using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Records;

/// <summary>A response as it is read: a text, or messages.</summary>
/// <param name="Text">null: messages</param>
/// <param name="Messages">null: a text</param>
internal readonly record struct Response(string? Text, List<ChatMessage>? Messages)
{
    /// <summary>Whether it was written as a message, not as a list of them.</summary>
    public bool IsOneMessage { get; init; }
}
