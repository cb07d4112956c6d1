namespace MassDpo.Policy.Tokenizers;

/// <summary>Splits a text into pieces that are tokenised each by itself. A piece depends on what follows it, never on what was before.</summary>
internal abstract class Splitter
{
    /// <summary>UTF-16 units of the first piece of a text that is not empty; at least 1.</summary>
    public abstract int First(ReadOnlySpan<char> text);

    /// <summary>
    /// <c>\s+(?!\S)|\s+</c> at the beginning of a text: all white space but the last character of it, where something else follows.
    /// </summary>
    /// <param name="text">begins with white space</param>
    protected static int Spaces(ReadOnlySpan<char> text)
    {
        var run = CharacterClass.Run(text, CharacterClass.Space);
        return run == text.Length || run == 1 ? run : run - 1;
    }
}
