namespace MassDpo.Shared.Contracts;

/// <summary>A record that could not be used, with all that is needed to mend it and send it again.</summary>
/// <param name="Code">a short stable name of the reason, for counting and filtering (<see cref="DeadLetterCodes"/>)</param>
/// <param name="Reason">a sentence: what is wrong, where, and the remedy</param>
public sealed record DeadLetter(Position Position, string Code, string Reason, RecordOrigin Origin);

/// <summary>The codes of dead letters. A name never changes its meaning.</summary>
public static class DeadLetterCodes
{
    /// <summary>Not UTF-8.</summary>
    public const string Encoding = "encoding";
    /// <summary>Not JSON, or not one object.</summary>
    public const string Json = "json";
    /// <summary>Longer than <c>ingest.max-record-bytes</c>.</summary>
    public const string TooLarge = "too-large";
    /// <summary>A field is missing, of the wrong type, or contradicts another.</summary>
    public const string Field = "field";
    /// <summary>No rejected response is left to compare with.</summary>
    public const string EmptyPool = "empty-pool";
    /// <summary>The chosen item is not in the policy's vocabulary.</summary>
    public const string UnknownItem = "unknown-item";
    /// <summary>A form of record that this build does not support.</summary>
    public const string Unsupported = "unsupported";
    /// <summary>More tokens than the policy has positions for.</summary>
    public const string TooLong = "too-long";
    /// <summary>A selector failed on it as often as it may.</summary>
    public const string Selector = "selector-failed";
    /// <summary>Its holder was lost as often as it may.</summary>
    public const string HolderLost = "holder-lost";
    /// <summary>It gave a loss or a gradient that is not finite.</summary>
    public const string NotFinite = "not-finite";
}
