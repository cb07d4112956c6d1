using System.Text;
using System.Text.Json;

namespace MassDpo.Shared.Contracts;

/// <summary>How the prompt of a record is given, which decides how its responses are read.</summary>
public enum PromptForm
{
    /// <summary>Text; the responses are its continuations.</summary>
    Text,
    /// <summary>A history of items; the responses are single items, one token each, without an end token.</summary>
    History,
    /// <summary>Messages; the responses are what the assistant may say next, rendered with them by the policy's chat template.</summary>
    Chat,
}

/// <summary>What comes before the responses: a text, a history of items (oldest first), or the messages of a chat.</summary>
public sealed record Prompt(PromptForm Form, string Text, IReadOnlyList<string> Items)
{
    /// <summary>Of a chat, oldest first, the assistant's never last; otherwise none.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; init; } = [];

    public static Prompt OfText(string text) => new(PromptForm.Text, text, []);

    public static Prompt OfHistory(IReadOnlyList<string> items) => new(PromptForm.History, "", items);

    public static Prompt OfChat(IReadOnlyList<ChatMessage> messages) => new(PromptForm.Chat, "", []) { Messages = messages };
}

/// <summary>
/// One preference: a prompt, the preferred response and a pool of rejected ones. Immutable.
/// </summary>
public sealed record PreferenceRecord
{
    /// <summary>The record's own id; null until a position gives it one.</summary>
    public string? Id { get; init; }

    public required Prompt Prompt { get; init; }

    /// <summary>The candidates' texts, items or, in a chat, the contents of the assistant's message; index 0 is the chosen one.</summary>
    public required IReadOnlyList<string> Candidates { get; init; }

    /// <summary>A reward per candidate, in the candidates' order; NaN where unknown. Null: none given.</summary>
    public IReadOnlyList<double>? Rewards { get; init; }

    /// <summary>Log-probabilities under the user's own reference, in the candidates' order; NaN where unknown. Null: none given.</summary>
    public IReadOnlyList<double>? ReferenceLogps { get; init; }

    /// <summary>Whether the rejected ones are in order of preference, best first.</summary>
    public bool Ranked { get; init; }

    /// <summary>The record's <c>meta</c>. Read anew each time that it is asked for, which few do.</summary>
    public JsonElement? Meta
    {
        get => MetaUtf8 is { } utf8 ? JsonElement.Parse(utf8.Span) : null;
        init => MetaUtf8 = value is { } meta ? Encoding.UTF8.GetBytes(meta.GetRawText()) : null;
    }

    /// <summary>The same as it came, as JSON in UTF-8.</summary>
    public ReadOnlyMemory<byte>? MetaUtf8 { get; init; }

    /// <summary>Fields that no rule speaks of, as they came: <c>{"name": value}</c> as JSON text. Null: none.</summary>
    public string? UnknownFields { get; init; }
}

/// <summary>Where a record came from, for messages and dead letters: line numbers count from 1.</summary>
/// <param name="File">a file's path, topic/partition, or the name of a source</param>
/// <param name="Line">line in the file, or offset in the partition; 0 where there are neither</param>
/// <param name="Raw">the bytes as they came, cut at <see cref="RawLimit"/></param>
/// <param name="RawLength">how many bytes there were before the cut</param>
public sealed record RecordOrigin(string File, long Line, ReadOnlyMemory<byte> Raw, long RawLength)
{
    /// <summary>Bytes of a record kept beside it, for dead letters.</summary>
    public const int RawLimit = 4096;

    /// <summary>When it was produced, where the source knows.</summary>
    public DateTimeOffset? Time { get; init; }

    // Of bytes that were cut; what is kept whole is hashed when it is asked for, which is seldom.
    private readonly string? _hashOfCut;

    /// <summary>Hash of all the bytes.</summary>
    public string RawHash
    {
        get => _hashOfCut ?? ContentHash.Of(Raw.Span);
        init => _hashOfCut = value;
    }

    /// <summary>The origin of bytes that are another's: a copy is kept.</summary>
    public static RecordOrigin Of(string file, long line, ReadOnlySpan<byte> raw, DateTimeOffset? time = null) => raw.Length > RawLimit
        ? new(file, line, raw[..RawLimit].ToArray(), raw.Length) { RawHash = ContentHash.Of(raw), Time = time }
        : new(file, line, raw.ToArray(), raw.Length) { Time = time };

    /// <summary>The origin of bytes that nobody writes to again: they are kept themselves, unless they are cut.</summary>
    public static RecordOrigin OfOwned(string file, long line, ReadOnlyMemory<byte> raw, DateTimeOffset? time = null) => raw.Length > RawLimit
        ? Of(file, line, raw.Span, time)
        : new(file, line, raw, raw.Length) { Time = time };
}
