using MassDpo.Shared.Contracts;

namespace MassDpo.Shared.Sources;

/// <summary>
/// Where records come from, as a stream of positions that can be read again from any of them. What stands at a position never changes: it is a
/// function of the source's data, the seed, the pass and the index.
/// </summary>
public interface IRecordSource : IAsyncDisposable
{
    /// <summary>The name in its positions; a source of several parts, as a topic has partitions, names each part in them instead.</summary>
    string Name { get; }

    /// <summary>What the data is, by size and content: a checkpoint keeps it, and a resume on other data is refused.</summary>
    string Identity { get; }

    /// <summary>
    /// Whether other intakes read from it too, and its parts go from one to another: then what was settled is only known at the beginning of an epoch
    /// that begins after an intake has come, or has been given other parts.
    /// </summary>
    bool IsShared => false;

    /// <summary>
    /// Reads from the first position on that is not settled, of each part; settled ones above that may come too. Entries are valid until the next one is
    /// asked for. It ends after the last pass; a pass that ends says so with a <see cref="SourceEntry.PassEnd"/>.
    /// </summary>
    IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, CancellationToken cancellation);

    /// <summary>A checkpoint holds what is settled: it will not be asked for again.</summary>
    void Commit(SettledPositions settled)
    {
    }

    /// <summary>Positions in all passes, estimated from what was read so far; null where nothing is known.</summary>
    long? EstimatedRecords { get; }
}

/// <summary>Which parts of the input an intake reads, and how many parts there are in all.</summary>
public sealed record InputShare(IReadOnlyList<string> Sources, int Total)
{
    /// <summary>The whole input, for who reads alone.</summary>
    public static InputShare All(string source) => new([source], 1);
}

/// <summary>Why there is nothing to read at a position.</summary>
public enum SkipReason
{
    /// <summary>It lies before where the run was told to start.</summary>
    BeforeStart,
    /// <summary>The source has no record there: markers, and what compaction has left out.</summary>
    Absent,
    /// <summary>There was one, and the source does not hold it any more.</summary>
    Lost,
}

/// <summary>Why what was read is no record.</summary>
/// <param name="Code">one of <see cref="DeadLetterCodes"/></param>
/// <param name="Reason">a sentence with the remedy</param>
public sealed record RecordFlaw(string Code, string Reason);

/// <summary>One thing read from a source.</summary>
public abstract record SourceEntry(Position Position)
{
    /// <summary>A record as bytes of JSON.</summary>
    /// <param name="Position">its position</param>
    /// <param name="File">where it is from: a path, or topic/partition</param>
    /// <param name="Line">counted from 1; of a topic the offset</param>
    /// <param name="Json">the line without its end; when <paramref name="Oversize"/>, its beginning</param>
    /// <param name="Oversize">how many bytes it really has, where those are more than a record may have</param>
    /// <param name="OversizeHash">then: hash of all of it</param>
    public sealed record Bytes(Position Position, string File, long Line, ReadOnlyMemory<byte> Json, long? Oversize, string? OversizeHash = null) : SourceEntry(Position)
    {
        /// <summary>When it was produced, where the source knows.</summary>
        public DateTimeOffset? Time { get; init; }

        /// <summary>The trace that it belongs to (W3C <c>traceparent</c>), where the source knows.</summary>
        public string? Trace { get; init; }

        /// <summary>Whether nobody writes to the bytes again, also when the next entry is asked for: they may be kept.</summary>
        public bool IsOwned { get; init; }

        /// <summary>Why it is no record, where the source knows that already; the bytes are then what came.</summary>
        public RecordFlaw? Flaw { get; init; }
    }

    /// <summary>A record that the user's own code made.</summary>
    public sealed record Made(Position Position, PreferenceRecord Record) : SourceEntry(Position);

    /// <summary>The pass before this position has ended; the position's index is how many it had.</summary>
    public sealed record PassEnd(Position Position) : SourceEntry(Position);

    /// <summary>There is nothing to read from this position up to and without index <paramref name="To"/>: they are settled by that.</summary>
    public sealed record Skipped(Position Position, long To, SkipReason Reason) : SourceEntry(Position);

    /// <summary>
    /// The parts of the share are read to their ends. A source that is shared says this instead of ending: after it a <see cref="Changed"/> may still come, since
    /// other parts can be given to it.
    /// </summary>
    public sealed record Ended(Position Position) : SourceEntry(Position);

    /// <summary>What is read from here on; a source that is not shared need not say it.</summary>
    public sealed record Share(Position Position, InputShare Sources) : SourceEntry(Position);

    /// <summary>The source has been given other parts, or is about to give some away: nothing more is read before a new epoch begins.</summary>
    public sealed record Changed(Position Position) : SourceEntry(Position);
}
