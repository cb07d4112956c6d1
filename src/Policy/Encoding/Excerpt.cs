namespace MassDpo.Policy.Encoding;

/// <summary>A record's own text as a message quotes it: however long the text is, the message stays one sentence.</summary>
public static class Excerpt
{
    private const int Longest = 80;

    public static string Of(string text)
    {
        if (text.Length <= Longest)
            return text;
        // Half of a surrogate pair is no text.
        return text[..(char.IsHighSurrogate(text[Longest - 1]) ? Longest - 1 : Longest)] + "…";
    }
}
