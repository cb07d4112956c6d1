namespace MassDpo.App.Sft;

/// <summary>What the tokens of a new policy are.</summary>
internal enum SftTokenizer
{
    /// <summary>Items where prompts are histories, words where they are texts.</summary>
    Auto,
    /// <summary>Whole items: prompts are histories.</summary>
    Items,
    /// <summary>Words between white space; items are texts.</summary>
    Words,
    /// <summary>Byte-level BPE, learnt from the texts; items are texts.</summary>
    Bpe,
}
