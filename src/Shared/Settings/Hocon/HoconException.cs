namespace MassDpo.Shared.Settings.Hocon;

/// <summary>
/// The only exception that this reader throws for an input: where, which setting, what was found there, and what to write instead. Code that checks
/// settings further (ranges, unknown keys) throws it too, so that all errors read alike.
/// </summary>
public sealed class HoconException : Exception
{
    /// <summary>The message is <c>origin: key: found; remedy</c>.</summary>
    /// <param name="origin">The place of the mistake.</param>
    /// <param name="key">The full key, null where there is none (yet).</param>
    /// <param name="found">What was found.</param>
    /// <param name="remedy">What to do about it.</param>
    /// <param name="inner">The cause, for files that cannot be read.</param>
    public HoconException(HoconOrigin origin, string? key, string found, string remedy, Exception? inner = null)
        : base($"{origin}: {(string.IsNullOrEmpty(key) ? "" : (key.Length <= 200 ? key : key[..200] + "…") + ": ")}{found}; {remedy}", inner)
    {
        Origin = origin;
        Key = string.IsNullOrEmpty(key) ? null : key;
        Found = found;
        Remedy = remedy;
    }

    public HoconOrigin Origin { get; }

    public string? Key { get; }

    public string Found { get; }

    public string Remedy { get; }
}
