using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// A tokenizer of type BPE, over bytes as GPT-2, Llama 3 and Qwen 2 have it, or over characters with bytes to fall back on as Llama 2 has it. Added
/// tokens are found in the text first, what is between them is normalised, pre-tokenised and merged. What is not supported of a normaliser, a
/// pre-tokenizer, the model, a post-processor or a decoder is refused by its name. Thread-safe.
/// </summary>
public sealed class BpeTokenizer : Tokenizer
{
    private readonly TextNormalizer _normalizer;
    private readonly PreTokenizer _preTokenizer;
    private readonly BpeModel _model;
    private readonly TokenDecoder _decoder;
    private readonly AddedTokens? _added;
    private readonly AddedTokens? _addedToNormalised;
    private readonly string?[] _texts;
    private readonly HashSet<int> _special;

    // tokenizer.json without what the model holds, which is nearly all of it.
    private readonly Dictionary<string, JsonNode?> _components = [];
    private readonly Dictionary<string, JsonNode?> _modelFields = [];

    private static readonly string[] Components =
        ["truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"];

    private BpeTokenizer(JsonElement json, string file)
    {
        _normalizer = TextNormalizer.Read(json, file);
        _preTokenizer = PreTokenizer.Read(json, file);
        _model = BpeModel.Read(json.GetProperty("model"), _preTokenizer.IsByteLevel, file);
        _decoder = TokenDecoder.Read(json, file);
        var added = ReadAdded(json, file).ToList();
        var normalised = added.Where(token => token.IsNormalised)
            .Select(token => token.Token with { Content = _normalizer.Of(token.Token.Content) })
            // One that normalises away is never found.
            .Where(token => token.Content.Length > 0).ToList();
        var plain = added.Where(token => !token.IsNormalised).Select(token => token.Token).ToList();
        _added = plain.Count == 0 ? null : new AddedTokens(plain);
        _addedToNormalised = normalised.Count == 0 ? null : new AddedTokens(normalised);
        _special = [.. added.Where(token => token.IsSpecial).Select(token => token.Token.Id)];
        _texts = new string?[_model.Ids.Values.Concat(added.Select(token => token.Token.Id)).Max() + 1];
        foreach (var (text, id) in _model.Ids.Concat(added.Select(token => KeyValuePair.Create(token.Token.Content, token.Token.Id))))
            _texts[id] = text;
        Prefix = TokenizerFile.ReadPrefix(json, id => TextOf(id) is not null, file);
        foreach (var name in Components)
            if (json.TryGetProperty(name, out var component))
                _components[name] = JsonSerializer.SerializeToNode(component);
        foreach (var field in json.GetProperty("model").EnumerateObject())
            if (field.Name is not ("vocab" or "merges"))
                _modelFields[field.Name] = JsonSerializer.SerializeToNode(field.Value);
        UnknownToken = _modelFields.TryGetValue("unk_token", out var unknown) ? unknown?.GetValue<string>() : null;
    }

    public override int VocabularySize => _texts.Length;

    public override IReadOnlyList<int> Prefix { get; }

    public override string? UnknownToken { get; }

    /// <summary>Null, whatever the item: a text of several tokens is no item.</summary>
    public override int? IdOf(string item) => null;

    /// <summary>As the vocabulary writes it: GPT-2's letters for bytes.</summary>
    public override string? TextOf(int id) => id >= 0 && id < _texts.Length ? _texts[id] : null;

    /// <summary>The ids of a text. Half a surrogate pair counts as U+FFFD.</summary>
    public override int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 2 + 1);
        foreach (var part in Parts(_added, text))
        {
            if (part.Id is { } known)
            {
                ids.Add(known);
                continue;
            }
            var normalised = _normalizer.Of(part.Start == 0 && part.End == text.Length ? text : text[part.Start..part.End]);
            foreach (var inner in Parts(_addedToNormalised, normalised))
            {
                if (inner.Id is { } id)
                    ids.Add(id);
                else
                    AddPieces(normalised.AsSpan(inner.Start, inner.End - inner.Start), 0, ids);
            }
        }
        return [.. ids];
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
            if (TextOf(id) is { } text && !(skipSpecial && _special.Contains(id)))
                tokens.Add(text);
        return _decoder.Of(tokens);
    }

    /// <inheritdoc/>
    public override JsonObject ToJson()
    {
        var json = new JsonObject { ["version"] = "1.0" };
        foreach (var name in Components)
            json[name] = _components.GetValueOrDefault(name)?.DeepClone();
        var model = new JsonObject();
        foreach (var (name, value) in _modelFields)
            model[name] = value?.DeepClone();
        model["vocab"] = new JsonObject(_model.Ids.OrderBy(token => token.Value)
            .Select(token => KeyValuePair.Create(token.Key, (JsonNode?)token.Value)));
        model["merges"] = new JsonArray([.. _model.Merges.Select(merge => (JsonNode)new JsonArray(TextOf(merge.Left), TextOf(merge.Right)))]);
        json["model"] = model;
        return json;
    }

    internal static BpeTokenizer Read(JsonElement json, string file) => new(json, file);

    private static List<AddedTokens.Part> Parts(AddedTokens? added, string text) =>
        added is not null ? added.Split(text) : text.Length == 0 ? [] : [new AddedTokens.Part(0, text.Length, null)];

    private void AddPieces(ReadOnlySpan<char> text, int step, List<int> ids)
    {
        if (step == _preTokenizer.Splitters.Count)
        {
            _model.Encode(text, ids);
            return;
        }
        if (_preTokenizer.AddsSpace && step == _preTokenizer.Splitters.Count - 1 && text[0] != ' ')
            text = string.Concat(" ", text);
        while (!text.IsEmpty)
        {
            var end = _preTokenizer.Splitters[step].First(text);
            AddPieces(text[..end], step + 1, ids);
            text = text[end..];
        }
    }

    private IEnumerable<(AddedToken Token, bool IsNormalised, bool IsSpecial)> ReadAdded(JsonElement json, string file)
    {
        if (!json.TryGetProperty("added_tokens", out var tokens) || tokens.ValueKind == JsonValueKind.Null)
            yield break;
        var ids = _model.Ids.Values.ToHashSet();
        foreach (var token in tokens.EnumerateArray())
        {
            var content = token.GetProperty("content").GetString();
            if (string.IsNullOrEmpty(content))
                throw new PolicyFormatException($"{file}: an added token has no content");
            var id = token.GetProperty("id").GetInt32();
            if (_model.Ids.TryGetValue(content, out var known) ? known != id : !ids.Add(id) || id < 0 || id > ids.Count + 100_000)
                throw new PolicyFormatException(
                    $"{file}: added token '{Encoding.Excerpt.Of(content)}' has id {id}, which is negative, another token's, far from the others, "
                    + "or not its own in the vocabulary");
            if (Flag(token, "single_word"))
                throw new PolicyFormatException($"{file}: added token '{Encoding.Excerpt.Of(content)}': single_word is not supported");
            var found = new AddedToken(content, id, Flag(token, "lstrip"), Flag(token, "rstrip"));
            yield return (found, Flag(token, "normalized"), Flag(token, "special"));
        }
    }

    private static bool Flag(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.GetBoolean();
}
