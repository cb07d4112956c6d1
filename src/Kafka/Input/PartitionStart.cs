using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Input;

/// <summary>Where a reading of a partition begins, and what lies before.</summary>
/// <param name="Next">the first offset to read</param>
/// <param name="Skipped">what lies before it and is not settled</param>
internal sealed record PartitionStart(long Next, IReadOnlyList<SourceEntry.Skipped> Skipped)
{
    /// <summary>Plans the reading of a partition that holds the offsets from <paramref name="low"/> up to and without <paramref name="high"/>.</summary>
    /// <param name="source">topic/partition</param>
    /// <param name="settled">what is settled</param>
    /// <param name="low">the first offset that it holds</param>
    /// <param name="high">where the next record will stand</param>
    /// <param name="decide">where to begin when nothing was ever told of it</param>
    /// <exception cref="InvalidDataException">what is settled lies beyond its end</exception>
    public static PartitionStart Of(string source, SettledPositions settled, long low, long high, Func<long> decide)
    {
        var skipped = new List<SourceEntry.Skipped>();
        var next = settled.Watermark(source).Index;
        if (!settled.Knows(source))
        {
            // Told even where nothing lies before: so that it stays decided.
            next = decide();
            skipped.Add(new SourceEntry.Skipped(new Position(source, 0, 0), next, SkipReason.BeforeStart));
        }
        if (next > high)
            throw new InvalidDataException($"{source} ends at offset {high}, but it is read up to {next} already: the topic was made anew, or this is another cluster. Go on with the topic "
                + "that the run began with, or begin another run in another output directory and group");
        if (next < low)
        {
            skipped.Add(new SourceEntry.Skipped(new Position(source, 0, next), low, SkipReason.Lost));
            next = low;
        }
        return new PartitionStart(next, skipped);
    }
}
