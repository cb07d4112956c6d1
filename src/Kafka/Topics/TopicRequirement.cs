using System.Globalization;

namespace MassDpo.Kafka.Topics;

/// <summary>One setting that a topic must have, under Kafka's own name.</summary>
/// <param name="Name">as in <c>retention.ms</c></param>
/// <param name="Made">what a topic is made with</param>
/// <param name="Exactly">the only value that will do; null: any within the bounds</param>
/// <param name="AtLeast">bound of a number; what is unlimited (−1) is above it</param>
/// <param name="AtMost">bound of a number, which what is unlimited breaks</param>
public sealed record TopicSetting(string Name, string Made, string? Exactly = null, long? AtLeast = null, long? AtMost = null)
{
    private const long Unlimited = -1;

    // A number of −1 means without limit for these alone.
    private bool CanBeUnlimited => Name.StartsWith("retention.", StringComparison.Ordinal);

    /// <summary>What is wanted, in words.</summary>
    public string Wanted => Exactly ?? string.Join(" and ", new[] { AtLeast is { } least ? $"at least {least}" : null, AtMost is { } most ? $"at most {most}" : null }.OfType<string>());

    /// <summary>Whether a topic's value will do.</summary>
    public bool IsMetBy(string value)
    {
        if (Exactly is not null)
            return value == Exactly;
        if (!long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            return false;
        return CanBeUnlimited && number == Unlimited ? AtMost is null : (AtLeast is not { } least || number >= least) && (AtMost is not { } most || number <= most);
    }
}

/// <summary>What a topic must be like, and what it is made like where it is missing.</summary>
/// <param name="Key">the setting that names it, as in <c>kafka.topics.control</c></param>
/// <param name="Name">of the topic</param>
/// <param name="Carries">what is in it, for people</param>
/// <param name="LeastPartitions">it may have</param>
/// <param name="MadePartitions">it is made with</param>
/// <param name="Settings">it must have</param>
public sealed record TopicRequirement(string Key, string Name, string Carries, int LeastPartitions, int MadePartitions, IReadOnlyList<TopicSetting> Settings)
{
    /// <summary>Whether what it holds must outlive a broker: of three replicas two must have a message before it counts as written.</summary>
    public bool IsDurable { get; init; }

    /// <summary>A setting and the value of it that does no good, with why.</summary>
    public (string Name, string Value, string Why)? Dubious { get; init; }

    /// <summary>The settings that it is made with.</summary>
    /// <param name="replicas">it will have</param>
    public IReadOnlyDictionary<string, string> MadeWith(int replicas)
    {
        var made = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var setting in Settings)
            made[setting.Name] = setting.Made;
        if (IsDurable && replicas >= 3)
            made[TopicNames.MinInsync] = "2";
        return made;
    }
}

/// <summary>Kafka's names of settings that are spoken of in more than one place.</summary>
internal static class TopicNames
{
    public const string MinInsync = "min.insync.replicas";
    public const string Cleanup = "cleanup.policy";
    public const string Retention = "retention.ms";
    public const string MaxMessage = "max.message.bytes";
}
