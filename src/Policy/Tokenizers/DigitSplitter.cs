namespace MassDpo.Policy.Tokenizers;

/// <summary>Numbers apart from the rest, as the pre-tokenizer of type Digits has them.</summary>
/// <param name="individual">each digit alone, otherwise runs of them</param>
internal sealed class DigitSplitter(bool individual) : Splitter
{
    public override int First(ReadOnlySpan<char> text)
    {
        var isNumber = CharacterClass.OfFirst(text, out var end) == CharacterClass.Number;
        if (isNumber && individual)
            return end;
        while (end < text.Length && CharacterClass.OfFirst(text[end..], out var length) == CharacterClass.Number == isNumber)
            end += length;
        return end;
    }
}
