using System.Runtime.InteropServices;
using MassDpo.Policy.Chat;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Encoding;

/// <summary>What becomes of a candidate that equals another one.</summary>
public enum Duplicates
{
    /// <summary>It is dropped and counted.</summary>
    Drop,
    /// <summary>It stays in the pool.</summary>
    Keep,
}

/// <summary>A record as the policy sees it.</summary>
/// <param name="Record">without the candidates that were dropped</param>
/// <param name="Tokens">of the same candidates</param>
/// <param name="DroppedDuplicates">candidates that equal another one</param>
/// <param name="UnknownItems">candidates and history items that the vocabulary lacks</param>
/// <param name="CutTokens">that truncation took from the prompt and from all responses together</param>
public sealed record EncodedRecord(PreferenceRecord Record, EncodedPool Tokens, int DroppedDuplicates, int UnknownItems, int CutTokens = 0);

/// <summary>Why a record cannot be used: see <see cref="DeadLetterCodes"/>.</summary>
public sealed record Rejection(string Code, string Reason);

/// <summary>
/// Turns records into token ids. Where tokens are items, a history is the BOS token and one token per item, its responses one token each. Where they
/// are parts of text, each item is a text by itself, followed by the end token: BOS, item, end, item, end, …, and a response is an item and the end
/// token. Of a history longer than the policy's positions the newest items stay. A response to a text prompt is what prompt and response, tokenised
/// as one text, have beyond the tokens that the prompt and all candidates share, and the end token. A chat is the text that its template makes of it:
/// the prompt up to the beginning of the assistant's turn, prompt and response to the end of it; the template brings BOS and what ends a turn. Texts
/// and chats may be truncated. An item outside the vocabulary never becomes an unknown token.
/// </summary>
/// <param name="chat">how chats become text; null: they are refused</param>
/// <param name="truncation">of texts and chats; null: none</param>
public sealed class RecordEncoder(Tokenizer tokenizer, PolicyConfig config, ChatFormat? chat = null, Truncation? truncation = null)
{
    // Duplicates among this many are found without a set.
    private const int Few = 64;

    // Responses of one token, by token: made once.
    private readonly int[]?[] _single = new int[tokenizer.IsOfItems ? tokenizer.VocabularySize : 0][];

    private readonly Truncation _truncation = truncation ?? Truncation.None;

    /// <summary>What makes tokens of texts.</summary>
    public Tokenizer Tokenizer => tokenizer;

    /// <summary>How chats become text.</summary>
    public ChatFormat Chat { get; } = chat ?? ChatFormat.Without("chats are not read here: give prompt and responses as texts");

    /// <inheritdoc cref="Tokenizer.KnownTexts"/>
    public Func<ReadOnlySpan<byte>, string?>? KnownTexts => tokenizer.KnownTexts;

    /// <summary>Encodes a record, or says why it cannot be used. Thread-safe.</summary>
    public EncodedRecord? Encode(PreferenceRecord record, Duplicates duplicates, out Rejection? why)
    {
        var dropped = 0;
        if (duplicates == Duplicates.Drop)
            record = DropDuplicates(record, out dropped);
        if (record.Candidates.Count < 2)
        {
            why = new Rejection(DeadLetterCodes.EmptyPool, dropped > 0
                ? "every rejected response equals the chosen one: give another one, or drop the record"
                : "there is no rejected response to compare the chosen one with: give at least one, or drop the record");
            return null;
        }
        var encoded = record.Prompt.Form switch
        {
            PromptForm.Text => EncodeText(record, out why),
            PromptForm.Chat => EncodeChat(record, out why),
            _ => tokenizer.IsOfItems ? EncodeHistory(record, out why) : EncodeTitles(record, out why),
        };
        return encoded is null || dropped == 0 ? encoded : encoded with { DroppedDuplicates = dropped };
    }

    private EncodedRecord? EncodeHistory(PreferenceRecord record, out Rejection? why)
    {
        if (config.BosTokenId is not { } bos)
        {
            why = new Rejection(DeadLetterCodes.Unsupported,
                "a history begins with the BOS token, and the policy's config.json has no bos_token_id: set it");
            return null;
        }
        var candidates = Span(record.Candidates);
        if (tokenizer.IdOf(candidates[0]) is not { } chosen)
        {
            why = new Rejection(DeadLetterCodes.UnknownItem,
                $"the chosen item '{Excerpt.Of(candidates[0])}' is not in the policy's vocabulary: add it with sft --items, "
                + "or drop the record");
            return null;
        }
        // Room for BOS and, in loaders that feed the response too, the response.
        var room = Math.Max(0, config.MaxPositions - 2);
        var items = record.Prompt.Items;
        var prompt = new int[Math.Min(items.Count, room) + 1];
        prompt[0] = bos;
        var (length, unknown) = (1, 0);
        for (var i = Math.Max(0, items.Count - room); i < items.Count; i++)
        {
            if (tokenizer.IdOf(items[i]) is { } id)
                prompt[length++] = id;
            else
                unknown++;
        }
        Array.Resize(ref prompt, length);
        var responses = new int[candidates.Length][];
        responses[0] = Single(chosen);
        length = 1;
        List<int>? kept = null;
        for (var i = 1; i < candidates.Length; i++)
        {
            if (tokenizer.IdOf(candidates[i]) is { } id)
            {
                responses[length++] = Single(id);
                kept?.Add(i);
            }
            else
            {
                kept ??= [.. Enumerable.Range(0, i)];
                unknown++;
            }
        }
        if (length < 2)
        {
            why = new Rejection(DeadLetterCodes.EmptyPool,
                "none of the rejected items is in the policy's vocabulary: add them with sft --items, or drop the record");
            return null;
        }
        Array.Resize(ref responses, length);
        why = null;
        return new EncodedRecord(kept is null ? record : Keep(record, kept), new EncodedPool(prompt, responses), 0, unknown);
    }

    private int[] Single(int id) => _single[id] ??= [id];

    // An item is tokenised by itself, so that it is the same tokens wherever it stands, and no token reaches over its end.
    private EncodedRecord? EncodeTitles(PreferenceRecord record, out Rejection? why)
    {
        if (config.BosTokenId is not { } bos || config.EosTokenId is not { } eos)
        {
            why = new Rejection(DeadLetterCodes.Unsupported,
                "a history as text begins with the BOS token and each of its items ends with the end token, and the policy's config.json has no "
                + $"{(config.BosTokenId is null ? "bos_token_id" : "eos_token_id")}: set it");
            return null;
        }
        int[][] responses;
        var titles = new Stack<int[]>();
        try
        {
            responses = [.. record.Candidates.Select(Title)];
            var longest = responses.Max(response => response.Length);
            var room = config.MaxPositions - 1 - longest;
            if (room < 0)
            {
                why = new Rejection(DeadLetterCodes.TooLong,
                    $"a candidate with BOS before and the end token after it has {longest + 1} tokens, "
                    + $"the policy has positions for {config.MaxPositions}: shorten it");
                return null;
            }
            var items = record.Prompt.Items;
            for (var i = items.Count - 1; i >= 0; i--)
            {
                var title = Title(items[i]);
                room -= title.Length;
                if (room < 0)
                    break;
                titles.Push(title);
            }
        }
        catch (PolicyFormatException e)
        {
            why = new Rejection(DeadLetterCodes.UnknownItem, e.Message);
            return null;
        }
        why = null;
        return new EncodedRecord(record, new EncodedPool([bos, .. titles.SelectMany(title => title)], responses), 0, 0);

        int[] Title(string item) => [.. tokenizer.Encode(item), eos];
    }

    private EncodedRecord? EncodeText(PreferenceRecord record, out Rejection? why)
    {
        int[] end = config.EosTokenId is { } eos ? [eos] : [];
        return EncodeWhole(record, record.Prompt.Text, [.. record.Candidates.Select(candidate => record.Prompt.Text + candidate)],
            text => [.. tokenizer.Prefix, .. tokenizer.Encode(text)], end, out why);
    }

    private EncodedRecord? EncodeChat(PreferenceRecord record, out Rejection? why)
    {
        if (Chat.Template(out var reason) is not { } template)
        {
            why = new Rejection(DeadLetterCodes.Unsupported, reason!);
            return null;
        }
        string prompt;
        var whole = new string[record.Candidates.Count];
        try
        {
            prompt = template.Render(record.Prompt.Messages, addGenerationPrompt: true);
            for (var i = 0; i < whole.Length; i++)
                whole[i] = template.Render([.. record.Prompt.Messages, new ChatMessage(ChatRoles.Assistant, record.Candidates[i])], addGenerationPrompt: false);
        }
        catch (ChatFormatException e)
        {
            why = new Rejection(DeadLetterCodes.Unsupported, e.Message);
            return null;
        }
        // A template has BOS in its text where it wants it.
        return EncodeWhole(record, prompt, whole, tokenizer.Encode, [], out why);
    }

    // Tokens can merge where prompt and response meet: the prompt is what all have in common.
    private EncodedRecord? EncodeWhole(PreferenceRecord record, string prompt, IReadOnlyList<string> texts, Func<string, int[]> encode, int[] end, out Rejection? why)
    {
        int[] alone;
        var whole = new int[texts.Count][];
        try
        {
            alone = encode(prompt);
            for (var i = 0; i < whole.Length; i++)
                whole[i] = [.. encode(texts[i]), .. end];
        }
        catch (PolicyFormatException e)
        {
            why = new Rejection(DeadLetterCodes.UnknownItem, e.Message);
            return null;
        }
        var shared = alone.Length;
        foreach (var tokens in whole)
            shared = alone.AsSpan(0, shared).CommonPrefixLength(tokens);
        if (shared == 0)
        {
            why = new Rejection(DeadLetterCodes.Field,
                "prompt and responses share no token, and the tokenizer puts no BOS token before a text: nothing would predict the first token; "
                + "give a prompt");
            return null;
        }
        if (whole.Any(tokens => tokens.Length == shared))
        {
            why = new Rejection(DeadLetterCodes.Field,
                "a response is empty, and the policy's config.json has no eos_token_id to end it with: set it, or drop the record");
            return null;
        }
        if (_truncation.Of(alone[..shared], [.. whole.Select(tokens => tokens[shared..])], out var cut, out why) is not { } pool)
            return null;
        var longest = pool.Prompt.Length + pool.Responses.Max(response => response.Length);
        if (longest > config.MaxPositions)
        {
            why = new Rejection(DeadLetterCodes.TooLong,
                $"a candidate with its prompt has {longest} tokens, the policy has positions for {config.MaxPositions}: shorten it, or set ingest.max-length");
            return null;
        }
        return new EncodedRecord(record, pool, 0, 0, cut);
    }

    private static PreferenceRecord DropDuplicates(PreferenceRecord record, out int dropped)
    {
        List<int>? kept = null;
        var candidates = Span(record.Candidates);
        var seen = candidates.Length > Few ? new HashSet<string>(candidates.Length, StringComparer.Ordinal) : null;
        Span<int> marks = stackalloc int[Few];
        for (var i = 0; i < candidates.Length; i++)
        {
            if (seen?.Add(candidates[i]) ?? IsNew(candidates, i, marks))
                kept?.Add(i);
            else
                kept ??= [.. Enumerable.Range(0, i)];
        }
        dropped = kept is null ? 0 : candidates.Length - kept.Count;
        return kept is null ? record : Keep(record, kept);
    }

    // Whether none of the candidates before equals it.
    private static bool IsNew(ReadOnlySpan<string> candidates, int index, Span<int> marks)
    {
        var text = candidates[index];
        var before = marks[..index];
        var mark = marks[index] = Mark(text);
        for (var at = before.IndexOf(mark); at >= 0;)
        {
            if (candidates[at] == text)
                return false;
            var next = before[(at + 1)..].IndexOf(mark);
            at = next < 0 ? next : at + 1 + next;
        }
        return true;
    }

    // Texts that differ in it differ. Of few texts a look at their ends costs less than to hash them; those that agree in it are compared.
    private static int Mark(string text) =>
        text.Length == 0 ? 0 : text.Length << 24 ^ text[0] << 16 ^ text[text.Length / 2] << 12 ^ text[Math.Max(0, text.Length - 2)] << 6 ^ text[^1];

    // Each text is looked at several times, and a list that is an interface has a call for each look.
    private static ReadOnlySpan<string> Span(IReadOnlyList<string> texts) => texts switch
    {
        List<string> list => CollectionsMarshal.AsSpan(list),
        string[] array => array,
        _ => texts.ToArray(),
    };

    private static PreferenceRecord Keep(PreferenceRecord record, List<int> kept) => record with
    {
        Candidates = [.. kept.Select(i => record.Candidates[i])],
        Rewards = record.Rewards is { } rewards ? [.. kept.Select(i => rewards[i])] : null,
        ReferenceLogps = record.ReferenceLogps is { } logps ? [.. kept.Select(i => logps[i])] : null,
    };
}
