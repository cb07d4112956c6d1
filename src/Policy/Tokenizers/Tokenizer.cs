using System.Text.Json.Nodes;

namespace MassDpo.Policy.Tokenizers;

/// <summary>Text to token ids and back, as <c>tokenizer.json</c> of a Hugging Face checkpoint defines it.</summary>
public abstract class Tokenizer
{
    /// <summary>Tokens that the vocabulary has, added ones included: ids are below this.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Whether a token is a whole item: then a history is one token per item, otherwise the texts of its items.</summary>
    public virtual bool IsOfItems => false;

    /// <summary>The text of the token for unknown text; null where there is none.</summary>
    public virtual string? UnknownToken => null;

    /// <summary>The ids of a text, without those that a template adds.</summary>
    public abstract int[] Encode(string text);

    /// <summary>The text of ids, as the tokenizer's decoder writes it. Ids that have no token are passed over.</summary>
    /// <param name="ids">in order</param>
    /// <param name="skipSpecial">whether special tokens, such as BOS, are passed over too</param>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false);

    /// <summary>The id of a whole item as one token; null where the vocabulary lacks it. Never an unknown token.</summary>
    public abstract int? IdOf(string item);

    /// <summary>Gives the vocabulary's own texts of items by their UTF-8, so that they need not be made anew: null for what is not in it. Null where tokens are no items.</summary>
    public virtual Func<ReadOnlySpan<byte>, string?>? KnownTexts => null;

    /// <summary>The text of a token; null for an id that has none.</summary>
    public abstract string? TextOf(int id);

    /// <summary>Ids that the template puts before a single text: usually the BOS token, or none.</summary>
    public abstract IReadOnlyList<int> Prefix { get; }

    /// <summary>The same as <c>tokenizer.json</c>.</summary>
    public abstract JsonObject ToJson();
}
