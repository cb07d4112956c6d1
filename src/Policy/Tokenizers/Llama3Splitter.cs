namespace MassDpo.Policy.Tokenizers;

/// <summary>The pattern of Llama 3 (numbers in threes) and of Qwen 2 and 3 (digits one by one), written out.</summary>
/// <param name="digits">that a piece has at most</param>
internal sealed class Llama3Splitter(int digits) : Splitter
{
    /// <summary>Of Llama 3.</summary>
    public const string PatternOfThree = Before + @"\p{N}{1,3}" + After;

    /// <summary>Of Qwen 2 and 3.</summary>
    public const string PatternOfOne = Before + @"\p{N}" + After;

    private const string Before = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
    private const string After = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public override int First(ReadOnlySpan<char> text)
    {
        if (Contraction(text) is var contraction and > 0)
            return contraction;
        var kind = CharacterClass.OfFirst(text, out var length);
        if (kind == CharacterClass.Letter)
            return CharacterClass.Run(text, CharacterClass.Letter);
        if (kind == CharacterClass.Number)
            return Digits(text);
        if (text[0] is not ('\r' or '\n') && CharacterClass.Run(text[length..], CharacterClass.Letter) is var letters and > 0)
            return length + letters;
        var space = text[0] == ' ' ? 1 : 0;
        if (CharacterClass.Run(text[space..], CharacterClass.Other) is var others and > 0)
            return space + others + Breaks(text[(space + others)..]);
        // White space up to its last line break goes together.
        var last = text[..CharacterClass.Run(text, CharacterClass.Space)].LastIndexOfAny('\r', '\n');
        return last >= 0 ? last + 1 : Spaces(text);
    }

    private int Digits(ReadOnlySpan<char> text)
    {
        var end = 0;
        for (var i = 0; i < digits && end < text.Length && CharacterClass.OfFirst(text[end..], out var length) == CharacterClass.Number; i++)
            end += length;
        return end;
    }

    private static int Breaks(ReadOnlySpan<char> text)
    {
        var other = text.IndexOfAnyExcept('\r', '\n');
        return other < 0 ? text.Length : other;
    }

    // Whatever the case: ſ is a case of s.
    private static int Contraction(ReadOnlySpan<char> text)
    {
        if (text[0] != '\'' || text.Length < 2)
            return 0;
        if (text[1] is 's' or 'S' or 'ſ' or 't' or 'T' or 'm' or 'M' or 'd' or 'D')
            return 2;
        return text.Length > 2 && ((char)(text[1] | 0x20), (char)(text[2] | 0x20)) is ('r', 'e') or ('v', 'e') or ('l', 'l')
            && char.IsAscii(text[1]) && char.IsAscii(text[2]) ? 3 : 0;
    }
}
