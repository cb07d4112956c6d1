using System.Globalization;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// What patterns of pre-tokenizers tell apart: <c>\s</c>, <c>\p{L}</c>, <c>\p{N}</c> and the rest. Of code points, never of halves of a surrogate
/// pair: 𝒜 is a letter. The version of Unicode is the runtime's.
/// </summary>
internal static class CharacterClass
{
    public const byte Space = 0;
    public const byte Letter = 1;
    public const byte Number = 2;
    public const byte Other = 3;

    // Of the basic plane.
    private static readonly byte[] Classes = Make();

    /// <summary>The class of the code point that a text begins with, and how many UTF-16 units it takes.</summary>
    /// <param name="text">not empty; half a surrogate pair is <see cref="Other"/>, as U+FFFD, which it is encoded as</param>
    /// <param name="length">1 or 2</param>
    public static byte OfFirst(ReadOnlySpan<char> text, out int length)
    {
        length = 1;
        var first = text[0];
        if (!char.IsHighSurrogate(first) || text.Length < 2 || !char.IsLowSurrogate(text[1]))
            return Classes[first];
        length = 2;
        return Of(char.ConvertToUtf32(first, text[1]));
    }

    /// <summary>UTF-16 units from the beginning of a text that are of one class.</summary>
    public static int Run(ReadOnlySpan<char> text, byte wanted)
    {
        var end = 0;
        while (end < text.Length && OfFirst(text[end..], out var length) == wanted)
            end += length;
        return end;
    }

    private static byte Of(int codePoint)
    {
        // All white space is in the basic plane.
        if (codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint))
            return Space;
        return CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter
                or UnicodeCategory.OtherLetter => Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
            _ => Other,
        };
    }

    private static byte[] Make()
    {
        var classes = new byte[char.MaxValue + 1];
        for (var i = 0; i < classes.Length; i++)
            classes[i] = Of(i);
        return classes;
    }
}
