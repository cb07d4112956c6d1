using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;

namespace MassDpo.App.Sft;

/// <summary>The tokenizer of a new policy, made of its data: of given texts or items first, then in the order in which the data names them.</summary>
internal static class SftVocabulary
{
    public static readonly IReadOnlyDictionary<string, SftTokenizer> Kinds = new Dictionary<string, SftTokenizer>
    {
        ["auto"] = SftTokenizer.Auto,
        ["items"] = SftTokenizer.Items,
        ["words"] = SftTokenizer.Words,
        ["bpe"] = SftTokenizer.Bpe,
    };

    /// <param name="records">at least one</param>
    /// <param name="given">more items or texts</param>
    /// <param name="kind">of tokens</param>
    /// <param name="vocabulary">tokens of a BPE</param>
    /// <param name="cancellation">ends the training of a BPE with an exception</param>
    /// <exception cref="InvalidDataException">the data mixes histories and texts, has texts where tokens are items, or chats where they are words</exception>
    public static Tokenizer Of(IReadOnlyList<PreferenceRecord> records, IEnumerable<string> given, SftTokenizer kind, int vocabulary,
        CancellationToken cancellation)
    {
        var histories = records.Count(record => record.Prompt.Form == PromptForm.History);
        if (kind == SftTokenizer.Auto && histories != 0 && histories != records.Count)
            throw new InvalidDataException($"{histories} of {records.Count} records have a history as prompt, the others a text: a policy speaks items "
                + "or words, so give one kind, or read items as texts with --tokenizer words or bpe");
        if (kind == SftTokenizer.Items && histories != records.Count)
            throw new InvalidDataException($"{records.Count - histories} of {records.Count} records have a text as prompt, and tokens that are items "
                + "need histories: choose --tokenizer words or bpe");
        if (kind is SftTokenizer.Auto or SftTokenizer.Words && records.Any(record => record.Prompt.Form == PromptForm.Chat))
            throw new InvalidDataException("the data has chats, whose turns are marked by text that is no words: choose --tokenizer bpe");
        var texts = given.Concat(records.SelectMany(Texts));
        return kind switch
        {
            // Each text once: an item that half of the records name says no more about spelling than another.
            SftTokenizer.Bpe => BpeTrainer.Train(texts.Distinct(StringComparer.Ordinal), vocabulary, cancellation),
            SftTokenizer.Items => WordLevelTokenizer.Create(texts, splitsAtWhitespace: false),
            SftTokenizer.Auto when histories > 0 => WordLevelTokenizer.Create(texts, splitsAtWhitespace: false),
            // Given words are words already in a text policy.
            SftTokenizer.Auto => WordLevelTokenizer.Create(given.Concat(records.SelectMany(Texts).SelectMany(Words)), splitsAtWhitespace: true),
            _ => WordLevelTokenizer.Create(texts.SelectMany(Words), splitsAtWhitespace: true),
        };
    }

    private static IEnumerable<string> Texts(PreferenceRecord record) =>
        (record.Prompt.Form switch
        {
            PromptForm.History => record.Prompt.Items,
            PromptForm.Chat => record.Prompt.Messages.Select(message => message.Content),
            _ => [record.Prompt.Text],
        }).Concat(record.Candidates);

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
}
