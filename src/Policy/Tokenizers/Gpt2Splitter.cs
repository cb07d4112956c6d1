namespace MassDpo.Policy.Tokenizers;

/// <summary>The pattern of GPT-2, written out.</summary>
internal sealed class Gpt2Splitter : Splitter
{
    /// <summary>As a pre-tokenizer of type Split may spell it; type ByteLevel with <c>use_regex</c> means the same.</summary>
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public static readonly Gpt2Splitter Instance = new();

    private Gpt2Splitter()
    {
    }

    public override int First(ReadOnlySpan<char> text)
    {
        if (Contraction(text) is var contraction and > 0)
            return contraction;
        var space = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        var kind = CharacterClass.OfFirst(text[space..], out _);
        return kind == CharacterClass.Space ? Spaces(text) : space + CharacterClass.Run(text[space..], kind);
    }

    private static int Contraction(ReadOnlySpan<char> text)
    {
        if (text[0] != '\'' || text.Length < 2)
            return 0;
        if (text[1] is 's' or 't' or 'm' or 'd')
            return 2;
        return text.Length > 2 && (text[1], text[2]) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }
}
