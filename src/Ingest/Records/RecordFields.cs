using System.Globalization;
using System.Text.Json;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Records;

/// <summary>The fields of one record as they are read, before it is known which form they make.</summary>
/// <param name="known">texts that need not be made anew, by their UTF-8; null where it has none of that</param>
/// <param name="owned">the record's bytes where parts of them may be kept; null: they are copied</param>
internal sealed class RecordFields(Func<ReadOnlySpan<byte>, string?>? known, ReadOnlyMemory<byte>? owned)
{
    // What a rule speaks of, the usual first: no text is made of these.
    private static readonly string[] Names =
        ["prompt", "chosen", "rejected", "id", "meta", "candidates", "chosen_index", "ranked", "rewards", "reference_logps"];

    private static readonly byte[][] NamesUtf8 = [.. Names.Select(System.Text.Encoding.UTF8.GetBytes)];

    // A bit for each of the names, and the others.
    private int _seen;
    private HashSet<string>? _seenOthers;
    private SortedDictionary<int, string>? _numbered;
    private string? _id;
    private Prompt? _prompt;
    private string? _chosen;
    private List<string>? _rejected;
    private List<string>? _candidates;
    private List<string>? _ranked;
    private int? _chosenIndex;
    private List<double>? _rewards;
    private List<double>? _referenceLogps;
    private ReadOnlyMemory<byte>? _meta;
    private List<string>? _unknown;
    private string? _chat;
    private List<ChatMessage>? _messages;

    // Responses that are messages, by the instance of text that stands for each of them: texts, which are the rule, cost nothing by this.
    private Dictionary<string, Response>? _answers;

    /// <summary>The field that is read just now; null while it is its name.</summary>
    public string? Current { get; private set; }

    /// <summary>Reads the value of the property that the reader stands at.</summary>
    public void Read(ref Utf8JsonReader reader, ReadOnlySpan<byte> utf8)
    {
        Current = null;
        var place = IndexOfName(reader);
        var name = place >= 0 ? Names[place] : reader.GetString()!;
        Current = Excerpt.Of(name);
        if (place >= 0 ? (_seen & 1 << place) != 0 : !(_seenOthers ??= new(StringComparer.Ordinal)).Add(name))
            throw Bad($"'{Current}' is given twice: keep one of them");
        if (place >= 0)
            _seen |= 1 << place;
        var rawName = reader.ValueSpan;
        reader.Read();
        switch (name)
        {
            case "id":
                _id = reader.TokenType switch
                {
                    JsonTokenType.String => reader.GetString(),
                    JsonTokenType.Number => Text(reader.ValueSpan),
                    JsonTokenType.Null => null,
                    _ => throw Wrong(name, "a text", reader),
                };
                break;
            case "prompt":
                _prompt = ReadPrompt(ref reader);
                break;
            case "conversations" or "messages":
                if (_chat is not null)
                    throw Bad("'conversations' and 'messages' are both given: keep one of them");
                if (reader.TokenType != JsonTokenType.StartArray)
                    throw Wrong(name, "a list of messages", reader);
                (_chat, _messages) = (name, MessageReader.Read(ref reader, name));
                break;
            case "chosen":
                _chosen = ReadResponse(ref reader, name);
                break;
            case "rejected":
                _rejected = reader.TokenType == JsonTokenType.StartArray ? OneOrMore(ReadResponses(ref reader, name)) : [ReadResponse(ref reader, name)];
                break;
            case "candidates":
                _candidates = ReadResponses(ref reader, name);
                break;
            case "ranked":
                _ranked = ReadResponses(ref reader, name);
                break;
            case "chosen_index":
                _chosenIndex = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var index)
                    ? index
                    : throw Wrong(name, "a whole number", reader);
                break;
            case "rewards":
                _rewards = ReadNumbers(ref reader, name);
                break;
            case "reference_logps":
                _referenceLogps = ReadNumbers(ref reader, name);
                break;
            case "meta":
                var from = (int)reader.TokenStartIndex;
                reader.Skip();
                var to = (int)reader.BytesConsumed;
                _meta = owned is { } bytes ? bytes[from..to] : utf8[from..to].ToArray();
                break;
            default:
                if (name.StartsWith("rejected", StringComparison.Ordinal)
                    && int.TryParse(name.AsSpan("rejected".Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                {
                    if (!(_numbered ??= []).TryAdd(number, ReadResponse(ref reader, name)))
                        throw Bad($"'{Current}' is 'rejected{number}' again: keep one of them");
                    break;
                }
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                // As they came: escapes in names stay too.
                (_unknown ??= []).Add($"\"{Text(rawName)}\":{Text(utf8[start..(int)reader.BytesConsumed])}");
                break;
        }
    }

    /// <summary>Puts the fields together.</summary>
    /// <exception cref="RecordFormatException">a field is missing, or two contradict each other</exception>
    public PreferenceRecord ToRecord()
    {
        if (_numbered is not null)
        {
            if (_rejected is not null)
                throw Bad($"'rejected' and 'rejected{_numbered.Keys.First()}' are both given: keep one form");
            _rejected = [.. _numbered.Values];
        }
        var candidates = Responses();
        if (candidates.Count < 2)
            throw Empty(_ranked is not null ? "ranked" : "rejected");
        // Beside a prompt 'messages' are a whole dialogue, which other trainers learn from.
        if (_prompt is not null && _chat == "conversations")
            throw Bad("'prompt' and 'conversations' are both given: keep one of them");
        var prompt = _prompt ?? (_messages is null ? null : Prompt.OfChat(_messages));
        if (_answers is not null || prompt?.Form == PromptForm.Chat)
        {
            (prompt, candidates) = ChatPrompt.Of(prompt, [.. candidates.Select(ResponseOf)]);
        }
        else if (prompt is null)
        {
            var common = CommonPrompt.Of(candidates);
            prompt = Prompt.OfText(common);
            candidates = [.. candidates.Select(text => text[common.Length..])];
        }
        foreach (var (name, numbers) in (ReadOnlySpan<(string, List<double>?)>)[("rewards", _rewards), ("reference_logps", _referenceLogps)])
            if (numbers is not null && numbers.Count != candidates.Count)
                throw Bad($"'{name}' has {numbers.Count} numbers for {candidates.Count} candidates: give the chosen one's, then one for each other");
        return new PreferenceRecord
        {
            Id = _id,
            Prompt = prompt,
            Candidates = candidates,
            Rewards = _rewards,
            ReferenceLogps = _referenceLogps,
            Ranked = _ranked is not null,
            MetaUtf8 = _meta,
            UnknownFields = _unknown is null ? null : "{" + string.Join(",", _unknown) + "}",
        };
    }

    private Response ResponseOf(string text) => _answers is not null && _answers.TryGetValue(text, out var answer) ? answer : new Response(text, null);

    private string StandIn(Response answer)
    {
        var text = new string('\0', 2);
        (_answers ??= new(ReferenceEqualityComparer.Instance)).Add(text, answer);
        return text;
    }

    // A list of messages is one response (TRL's form), unless they all are answers: then each of them is.
    private List<string> OneOrMore(List<string> texts)
    {
        if (_answers is null)
            return texts;
        var responses = texts.ConvertAll(ResponseOf);
        return responses.TrueForAll(response => response is { Text: null, IsOneMessage: true }) && responses.Exists(response => response.Messages![0].Role != ChatRoles.Assistant)
            ? [StandIn(new Response(null, responses.ConvertAll(response => response.Messages![0])))]
            : texts;
    }

    private List<string> Responses()
    {
        ReadOnlySpan<bool> given = [_chosen is not null || _rejected is not null, _candidates is not null || _chosenIndex is not null, _ranked is not null];
        var forms = given.Count(true);
        if (forms > 1)
            throw Bad("give one of: 'chosen' with 'rejected', 'candidates' with 'chosen_index', 'ranked'");
        if (_ranked is not null)
            return _ranked;
        if (_candidates is not null || _chosenIndex is not null)
        {
            if (_candidates is null || _chosenIndex is null)
                throw Bad(_candidates is null
                    ? "'chosen_index' is given without 'candidates': give both"
                    : "'candidates' is given without 'chosen_index': give both");
            if (_candidates.Count < 2)
                throw Empty("candidates");
            if (_chosenIndex < 0 || _chosenIndex >= _candidates.Count)
                throw Bad($"'chosen_index' {_chosenIndex} is outside the {_candidates.Count} candidates: it counts from 0");
            var chosen = _candidates[_chosenIndex.Value];
            _candidates.RemoveAt(_chosenIndex.Value);
            _candidates.Insert(0, chosen);
            return _candidates;
        }
        if (_chosen is null || _rejected is null)
            throw Bad(forms == 0
                ? "no responses: give 'chosen' with 'rejected', 'candidates' with 'chosen_index', or 'ranked'"
                : _chosen is null ? "'rejected' is given without 'chosen': give both" : "'chosen' is given without 'rejected': give both");
        _rejected.Insert(0, _chosen);
        return _rejected;
    }

    private static int IndexOfName(in Utf8JsonReader reader)
    {
        for (var i = 0; i < NamesUtf8.Length; i++)
            if (reader.ValueIsEscaped ? reader.ValueTextEquals(NamesUtf8[i]) : reader.ValueSpan.SequenceEqual(NamesUtf8[i]))
                return i;
        return -1;
    }

    private Prompt? ReadPrompt(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String:
                return Prompt.OfText(reader.GetString()!);
            case JsonTokenType.StartArray:
                return Prompt.OfChat(MessageReader.Read(ref reader, "prompt"));
            case JsonTokenType.StartObject:
                reader.Read();
                if (reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals("history"u8))
                    throw Bad("'prompt' as an object is {\"history\": [\"item\", …]}");
                reader.Read();
                var items = OpenList(reader, "prompt.history");
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(ReadItem(ref reader, "prompt.history"));
                reader.Read();
                return reader.TokenType == JsonTokenType.EndObject
                    ? Prompt.OfHistory(items)
                    : throw Bad("'prompt' as an object has 'history' alone: put other fields beside 'prompt'");
            default:
                throw Wrong("prompt", "a text, messages or {\"history\": […]}", reader);
        }
    }

    private List<string> ReadResponses(ref Utf8JsonReader reader, string name)
    {
        var list = OpenList(reader, name);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            list.Add(ReadResponse(ref reader, name));
        return list;
    }

    private static List<string> OpenList(in Utf8JsonReader reader, string name) =>
        // Room for a usual pool, and for its chosen one before it.
        reader.TokenType == JsonTokenType.StartArray ? new List<string>(24) : throw Wrong(name, "a list", reader);

    private string ReadItem(ref Utf8JsonReader reader, string name) =>
        reader.TokenType != JsonTokenType.String ? throw Wrong(name, "a text", reader)
        : known is not null && !reader.ValueIsEscaped && known(reader.ValueSpan) is { } text ? text
        : reader.GetString()!;

    private string ReadResponse(ref Utf8JsonReader reader, string name)
    {
        var isOne = reader.TokenType == JsonTokenType.StartObject;
        return isOne || reader.TokenType == JsonTokenType.StartArray
            ? StandIn(new Response(null, MessageReader.Read(ref reader, name)) { IsOneMessage = isOne })
            : ReadItem(ref reader, name);
    }

    private static List<double>? ReadNumbers(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Wrong(name, "a list of numbers (null where unknown)", reader);
        var numbers = new List<double>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            numbers.Add(reader.TokenType switch
            {
                JsonTokenType.Null => double.NaN,
                JsonTokenType.Number when reader.TryGetDouble(out var number) && double.IsFinite(number) => number,
                _ => throw Wrong(name, "a list of numbers (null where unknown)", reader, "holds"),
            });
        }
        return numbers;
    }

    private static string Text(ReadOnlySpan<byte> utf8) => System.Text.Encoding.UTF8.GetString(utf8);

    private static RecordFormatException Bad(string reason) => new(DeadLetterCodes.Field, reason);

    private static RecordFormatException Empty(string name) =>
        new(DeadLetterCodes.EmptyPool, $"'{name}' leaves no rejected response to compare the chosen one with: give at least one, or drop the record");

    private static RecordFormatException Wrong(string name, string expected, in Utf8JsonReader reader, string verb = "is") =>
        Bad($"'{name}' {verb} {Found(reader)} where {expected} is expected");

    private static string Found(in Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a text",
        JsonTokenType.Number => Excerpt.Of(Text(reader.ValueSpan)),
        JsonTokenType.True or JsonTokenType.False => "true or false",
        _ => "null",
    };
}
