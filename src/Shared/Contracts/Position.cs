using System.Globalization;

namespace MassDpo.Shared.Contracts;

/// <summary>
/// Where a record stands in its stream, and its identity for "exactly once": the <paramref name="Index"/>-th record (from 0, in the order of reading)
/// of pass <paramref name="Pass"/> (from 0) over source <paramref name="Source"/>. In files the order of reading is the shuffled one, where a shuffle is set.
/// </summary>
public readonly record struct Position(string Source, int Pass, long Index)
{
    /// <summary><c>source:pass:index</c>, the form in which logs hold it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Source}:{Pass}:{Index}");

    /// <summary>Reads what <see cref="ToString"/> writes; a source may itself hold colons.</summary>
    /// <exception cref="FormatException">the text is not <c>source:pass:index</c></exception>
    public static Position Parse(string text)
    {
        var last = text.LastIndexOf(':');
        var middle = last > 0 ? text.LastIndexOf(':', last - 1) : -1;
        if (middle <= 0
            || !int.TryParse(text.AsSpan(middle + 1, last - middle - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var pass)
            || !long.TryParse(text.AsSpan(last + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            throw new FormatException($"'{text}' is no position: expected source:pass:index");
        return new Position(text[..middle], pass, index);
    }
}
