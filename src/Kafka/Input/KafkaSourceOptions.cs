using System.Globalization;
using MassDpo.Shared.Settings;

namespace MassDpo.Kafka.Input;

/// <summary>Where a partition of which nothing is settled is read from.</summary>
public enum StartKind
{
    /// <summary>The first record that it still holds.</summary>
    Earliest,
    /// <summary>What comes from now on.</summary>
    Latest,
    /// <summary>Where the group has committed; a partition of which it has committed nothing from its first record.</summary>
    Committed,
    /// <summary>The first record produced at a time or later.</summary>
    Time,
}

/// <summary>Where to start (<c>kafka.from</c>).</summary>
/// <param name="Kind">which of the ways</param>
/// <param name="Time">where it is a time</param>
public readonly record struct StartPoint(StartKind Kind, DateTimeOffset Time = default)
{
    /// <summary>Reads earliest, latest, committed or an ISO 8601 time, which without an offset is in UTC.</summary>
    public static bool TryParse(string text, out StartPoint start)
    {
        StartKind? named = text switch { "earliest" => StartKind.Earliest, "latest" => StartKind.Latest, "committed" => StartKind.Committed, _ => null };
        if (named is { } kind)
        {
            start = new StartPoint(kind);
            return true;
        }
        // Dates in other forms would be read by chance; a year stands first.
        var time = default(DateTimeOffset);
        var isTime = text.Length >= 10 && text.AsSpan(0, 4).IndexOfAnyExceptInRange('0', '9') < 0 && text[4] == '-'
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
        start = new StartPoint(StartKind.Time, time);
        return isTime;
    }
}

/// <summary>What a <see cref="KafkaSource"/> reads and how.</summary>
/// <param name="Topic">of the records</param>
/// <param name="Group">the consumer group that shares it</param>
/// <param name="Start">where a partition begins of which nothing is settled</param>
/// <param name="MaxRecordBytes">bytes that a record may have</param>
/// <param name="HandOver">how long partitions that are to be given away are kept for what was granted of them to be trained on</param>
public sealed record KafkaSourceOptions(string Topic, string Group, StartPoint Start, int MaxRecordBytes, TimeSpan HandOver)
{
    // Beyond what the learner waits itself: for its new epoch to be confirmed and heard of.
    private static readonly TimeSpan Beyond = TimeSpan.FromSeconds(10);

    // A consumer that gives nothing away for max.poll.interval.ms, 5 minutes, is thrown out of its group.
    private static readonly TimeSpan LongestHandOver = TimeSpan.FromMinutes(4);

    /// <summary>How long the cluster is waited for at the start.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Records read ahead at most.</summary>
    public int QueueRecords { get; init; } = 8192;

    /// <summary>Bytes of records read ahead at most, beside one record.</summary>
    public long QueueBytes { get; init; } = 32 << 20;

    /// <summary>Is told of troubles that the source goes on with, without secrets.</summary>
    public Action<string> Warn { get; init; } = _ => { };

    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static KafkaSourceOptions From(EffectiveSettings settings, string topic)
    {
        var group = settings.Text("kafka.group");
        if (group.Length == 0)
            throw settings.Outside("kafka.group", "an empty text", "name the consumer group that reads the records, such as massdpo");
        var from = settings.Text("kafka.from");
        if (!StartPoint.TryParse(from, out var start))
            throw settings.Outside("kafka.from", $"'{from}'", "write earliest, latest, committed, or a time such as 2026-01-31T12:00:00Z");
        var drain = settings.Duration("slots.drain", TimeSpan.Zero, TimeSpan.FromDays(24));
        return new KafkaSourceOptions(topic, group, start, (int)settings.Size("ingest.max-record-bytes", 1024, 1 << 30), drain < LongestHandOver - Beyond ? drain + Beyond : LongestHandOver);
    }
}
