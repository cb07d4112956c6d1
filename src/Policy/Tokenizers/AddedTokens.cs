using System.Buffers;

namespace MassDpo.Policy.Tokenizers;

/// <summary>A token that is found in a text as it stands, before any other rule.</summary>
/// <param name="Content">not empty</param>
/// <param name="Id">in the vocabulary</param>
/// <param name="StripsLeft">whether it swallows white space before it</param>
/// <param name="StripsRight">and after it</param>
internal sealed record AddedToken(string Content, int Id, bool StripsLeft, bool StripsRight);

/// <summary>Finds added tokens in texts: the leftmost, of those that begin at one place the longest.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<char, AddedToken[]> _byFirst;
    private readonly SearchValues<char> _firsts;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        _byFirst = tokens.GroupBy(token => token.Content[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
        _firsts = SearchValues.Create([.. _byFirst.Keys]);
    }

    /// <summary>A part of a text.</summary>
    /// <param name="Start">in UTF-16 units</param>
    /// <param name="End">after the last unit</param>
    /// <param name="Id">of an added token; null: other text</param>
    public readonly record struct Part(int Start, int End, int? Id);

    /// <summary>The parts of a text, in order; none of an empty one.</summary>
    public List<Part> Split(string text)
    {
        var parts = new List<Part>();
        var done = 0;
        for (var at = 0; Next(text, at) is ({ } token, var found);)
        {
            at = found + token.Content.Length;
            var (start, end) = (found, at);
            if (token.StripsLeft)
                start = Math.Max(done, text.AsSpan(0, found).TrimEnd().Length);
            if (token.StripsRight)
                end = text.Length - text.AsSpan(at).TrimStart().Length;
            if (done < start)
                parts.Add(new Part(done, start, null));
            parts.Add(new Part(start, end, token.Id));
            done = end;
        }
        if (done < text.Length)
            parts.Add(new Part(done, text.Length, null));
        return parts;
    }

    private (AddedToken? Token, int At) Next(string text, int from)
    {
        while (from < text.Length && text.AsSpan(from).IndexOfAny(_firsts) is var offset and >= 0)
        {
            from += offset;
            foreach (var token in _byFirst[text[from]])
                if (text.AsSpan(from).StartsWith(token.Content, StringComparison.Ordinal))
                    return (token, from);
            from++;
        }
        return (null, 0);
    }
}
