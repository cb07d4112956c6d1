namespace MassDpo.Policy.Tokenizers;

/// <summary>Text to token ids, as <c>tokenizer.json</c> of a Hugging Face checkpoint defines it.</summary>
public abstract class Tokenizer
{
    /// <summary>Tokens that the vocabulary has, added ones included: ids are below this.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The ids of a text, without those that a template adds.</summary>
    public abstract int[] Encode(string text);

    /// <summary>The id of a whole item as one token; null where the vocabulary lacks it. Never an unknown token.</summary>
    public abstract int? IdOf(string item);

    /// <summary>The text of a token; null for an id that has none.</summary>
    public abstract string? TextOf(int id);

    /// <summary>Ids that the template puts before a single text: usually the BOS token, or none.</summary>
    public abstract IReadOnlyList<int> Prefix { get; }
}
