using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Sources;

/// <summary>
/// Where records come from, as a stream of positions that can be read again from any of them. What stands at a position never changes: it is a
/// function of the source's data, the seed, the pass and the index.
/// </summary>
public interface IRecordSource : IAsyncDisposable
{
    /// <summary>The name in its positions.</summary>
    string Name { get; }

    /// <summary>What the data is, by size and content: a checkpoint keeps it, and a resume on other data is refused.</summary>
    string Identity { get; }

    /// <summary>
    /// Reads from a position on. Entries are valid until the next one is asked for. It ends after the last pass; a pass that ends says so with a
    /// <see cref="SourceEntry.PassEnd"/>.
    /// </summary>
    IAsyncEnumerable<SourceEntry> ReadAsync(Position from, CancellationToken cancellation);

    /// <summary>Positions in all passes, estimated from what was read so far; null where nothing is known.</summary>
    long? EstimatedRecords { get; }
}

/// <summary>One thing read from a source.</summary>
public abstract record SourceEntry(Position Position)
{
    /// <summary>A record as bytes of JSON.</summary>
    /// <param name="Position">its position</param>
    /// <param name="File">where it is from</param>
    /// <param name="Line">counted from 1</param>
    /// <param name="Json">the line without its end; when <paramref name="Oversize"/>, its beginning</param>
    /// <param name="Oversize">how many bytes it really has, where those are more than a record may have</param>
    /// <param name="OversizeHash">then: hash of all of it</param>
    public sealed record Bytes(Position Position, string File, long Line, ReadOnlyMemory<byte> Json, long? Oversize, string? OversizeHash = null) : SourceEntry(Position);

    /// <summary>A record that the user's own code made.</summary>
    public sealed record Made(Position Position, PreferenceRecord Record) : SourceEntry(Position);

    /// <summary>The pass before this position has ended; the position's index is how many it had.</summary>
    public sealed record PassEnd(Position Position) : SourceEntry(Position);
}
