using System.Globalization;
using System.Text.RegularExpressions;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;

namespace MassDpo.Kafka.Topics;

/// <summary>The topics of a run: their names, and what they must be like.</summary>
public sealed partial class KafkaTopics
{
    private const int MinimumOfSnapshots = 4;
    // A chunk of a snapshot, with its headers and key.
    private const long SnapshotMessage = 600 << 10;
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);
    // Brokers look every five minutes for what is to go.
    private static readonly TimeSpan ShortestSnapshots = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestSnapshots = TimeSpan.FromDays(1);

    private KafkaTopics()
    {
    }

    /// <summary>Preference records. Whatever it is like, it is only asked to be there.</summary>
    public required TopicRequirement Input { get; init; }

    /// <summary>Records that could not be used.</summary>
    public required TopicRequirement DeadLetters { get; init; }

    /// <summary>What selectors computed, for the learner.</summary>
    public required TopicRequirement Selections { get; init; }

    /// <summary>The policy, for selectors: what it is now in partition 0, its tensors over all partitions.</summary>
    public required TopicRequirement Snapshots { get; init; }

    /// <summary>Claims and notices of the learner in partition 0, what members tell it in partition 1.</summary>
    public required TopicRequirement Control { get; init; }

    /// <summary>Why which negatives were chosen, for whoever wants to know.</summary>
    public required TopicRequirement Events { get; init; }

    /// <summary>Whether topics that are missing are made.</summary>
    public required bool Create { get; init; }

    /// <summary>Replicas of a topic that is made; 0: three, or as many as there are brokers.</summary>
    public required int Replication { get; init; }

    /// <summary>Bytes that a message of selections and events may have: what producers of them are told too.</summary>
    public required int MaxMessageBytes { get; init; }

    public IReadOnlyList<TopicRequirement> All => [Input, DeadLetters, Selections, Snapshots, Control, Events];

    /// <summary>The topics that a process with these roles reads or writes.</summary>
    public IReadOnlyList<TopicRequirement> Of(Roles roles)
    {
        var needed = new List<TopicRequirement>();
        if ((roles & (Roles.Selector | Roles.Ingest)) != 0)
            needed.Add(Input);
        if ((roles & Roles.Learner) != 0)
            needed.AddRange([DeadLetters, Events]);
        if ((roles & (Roles.Learner | Roles.Selector)) != 0)
            needed.AddRange([Selections, Snapshots, Control]);
        return needed;
    }

    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range, or two topics are one</exception>
    public static KafkaTopics From(EffectiveSettings settings)
    {
        var retention = settings.Duration("kafka.topics.retention", Week, Longest);
        var snapshots = settings.Duration("kafka.topics.snapshot-retention", ShortestSnapshots, LongestSnapshots);
        var largest = (int)settings.Size("kafka.topics.max-message-bytes", 8 << 20, 1 << 30);
        TopicSetting[] lasting = [Deleted, Kept(retention, Week)];
        var topics = new KafkaTopics
        {
            Input = new(Key("input"), Name(settings, "input"), "preference records", 1, settings.Integer("kafka.topics.input-partitions", 1, 10_000), [])
            {
                Dubious = (TopicNames.Cleanup, "compact", "of records with one key only the newest stays, and what compaction takes away before it is read is not trained on"),
            },
            DeadLetters = new(Key("dead-letters"), Name(settings, "dead-letters"), "records that could not be used, as they came", 1, 1, lasting) { IsDurable = true },
            Selections = new(Key("selections"), Name(settings, "selections"), "computed blocks, from selectors to the learner", 1, 4,
                [Deleted, Kept(TimeSpan.FromDays(1), TimeSpan.FromHours(1)), Messages(largest, largest)]),
            Snapshots = new(Key("snapshots"), Name(settings, "snapshots"), "the policy, from the learner to selectors", MinimumOfSnapshots,
                settings.Integer("kafka.topics.snapshot-partitions", MinimumOfSnapshots, 10_000),
                [Deleted, Kept(snapshots, ShortestSnapshots, LongestSnapshots), Segments(snapshots / 2), Messages(1 << 20, SnapshotMessage)]),
            Control = new(Key("control"), Name(settings, "control"), "claims and notices of the learner, what members tell it", 2, 2, lasting) { IsDurable = true },
            Events = new(Key("events"), Name(settings, "events"), "why which negatives were chosen", 1, 4, [.. lasting, Messages(largest, largest)]) { IsDurable = true },
            Create = settings.Flag("kafka.topics.create"),
            Replication = settings.Integer("kafka.topics.replication", 0, 100),
            MaxMessageBytes = largest,
        };
        foreach (var topic in topics.All)
            if (topics.All.First(other => other.Name == topic.Name) is var first && first != topic)
                throw settings.Outside(topic.Key, $"'{topic.Name}', which {first.Key} names too", "give each its own topic");
        return topics;
    }

    private static TopicSetting Deleted => new(TopicNames.Cleanup, "delete", Exactly: "delete");

    private static TopicSetting Kept(TimeSpan made, TimeSpan atLeast, TimeSpan? atMost = null) =>
        new(TopicNames.Retention, Milliseconds(made), AtLeast: (long)atLeast.TotalMilliseconds, AtMost: (long?)atMost?.TotalMilliseconds);

    private static TopicSetting Messages(long made, long atLeast) => new(TopicNames.MaxMessage, made.ToString(CultureInfo.InvariantCulture), AtLeast: atLeast);

    // Kafka takes away whole segments, and none that is being written: with its default of a week old snapshots would stay for so long.
    private static TopicSetting Segments(TimeSpan made) => new("segment.ms", Milliseconds(made), AtMost: (long)LongestSnapshots.TotalMilliseconds);

    private static string Milliseconds(TimeSpan span) => ((long)span.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    private static string Key(string topic) => "kafka.topics." + topic;

    private static string Name(EffectiveSettings settings, string topic)
    {
        var name = settings.Text(Key(topic));
        return Legal().IsMatch(name) && name is not ("." or "..") ? name : throw settings.Outside(Key(topic), $"'{name}'", "write 1 to 249 of the characters a-z A-Z 0-9 . _ -");
    }

    [GeneratedRegex(@"^[a-zA-Z0-9._-]{1,249}\z")]
    private static partial Regex Legal();
}
