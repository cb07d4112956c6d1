using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;

namespace MassDpo.App.Sft;

/// <summary>The vocabulary of a new policy: items where prompts are histories, the texts' own words else; given ones first, then in the order in which the data names them.</summary>
internal static class SftVocabulary
{
    /// <exception cref="InvalidDataException">the data mixes histories and texts</exception>
    public static WordLevelTokenizer Of(IReadOnlyList<PreferenceRecord> records, IEnumerable<string> given)
    {
        var histories = records.Count(record => record.Prompt.Form == PromptForm.History);
        if (histories != 0 && histories != records.Count)
            throw new InvalidDataException($"{histories} of {records.Count} records have a history as prompt, the others a text: a policy speaks items or words, so give one kind");
        var words = histories > 0
            ? records.SelectMany(record => record.Prompt.Items.Concat(record.Candidates))
            : records.SelectMany(record => record.Candidates.Prepend(record.Prompt.Text)).SelectMany(Words);
        return WordLevelTokenizer.Create(given.Concat(words), splitsAtWhitespace: histories == 0);
    }

    private static string[] Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
}
