using System.Globalization;
using System.Reflection;
using Confluent.Kafka;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Records;

/// <summary>A dead letter as its topic holds it: the value is the record's bytes as they came, cut at <see cref="RecordOrigin.RawLimit"/>, headers tell the rest.</summary>
/// <param name="Position">of the record</param>
/// <param name="Code">why it died, in short</param>
/// <param name="Reason">why, as a sentence</param>
/// <param name="Epoch">in which it died: for a position the newest holds</param>
/// <param name="From">the topic, partition and offset where it stood; null where it is from no topic</param>
/// <param name="Raw">the bytes</param>
/// <param name="RawLength">how many there were before the cut</param>
/// <param name="RawHash">of all of them</param>
public sealed record DeadLetterMessage(Position Position, string Code, string Reason, long Epoch, TopicPartitionOffset? From, ReadOnlyMemory<byte> Raw, long RawLength, string RawHash)
{
    /// <summary>The type that its headers tell.</summary>
    public const string Type = "massdpo.dead-letter.v1";

    private const string Prefix = "massdpo_";

    private static readonly string Program = typeof(DeadLetterMessage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>Whether <see cref="Raw"/> is not all there was.</summary>
    public bool IsCut => Raw.Length < RawLength;

    /// <summary>Headers of a letter; its key is its position.</summary>
    /// <param name="letter">the letter</param>
    /// <param name="version">of the policy when it died</param>
    /// <param name="epoch">in which it died</param>
    /// <param name="input">the topic whose partitions the sources <c>input/partition</c> are</param>
    public static Headers Headers(DeadLetter letter, long version, long epoch, string input)
    {
        var headers = CloudEvents.Of(Type, letter.Position.Source, IdOf(letter.Position, epoch), "application/octet-stream");
        Add("position", letter.Position.ToString());
        Add("epoch", Text(epoch));
        Add("version", Text(version));
        Add("program", Program);
        Add("code", letter.Code);
        Add("reason", letter.Reason);
        Add("bytes", Text(letter.Origin.RawLength));
        Add("hash", letter.Origin.RawHash);
        Add("cut", letter.Origin.Raw.Length < letter.Origin.RawLength ? "true" : "false");
        if (PartitionOf(letter.Position.Source, input) is { } partition)
        {
            Add("topic", input);
            Add("partition", Text(partition));
            Add("offset", Text(letter.Position.Index));
        }
        if (letter.Origin.Time is { } time)
            Add("time", time.ToString("O", CultureInfo.InvariantCulture));
        return headers;

        void Add(string name, string value) => CloudEvents.Add(headers, Prefix + name, value);
    }

    /// <summary>What tells one outcome of a position from those of other epochs.</summary>
    public static string IdOf(Position position, long epoch) => $"{position}@{epoch}";

    /// <summary>Reads a letter back.</summary>
    /// <exception cref="FormatException">the message is no dead letter; says what is missing or wrong</exception>
    public static DeadLetterMessage Read(TopicMessage message)
    {
        if (CloudEvents.Read(message.Headers, "ce_type") is var type && type != Type)
            throw new FormatException($"it is no dead letter: its ce_type is {type ?? "absent"}, not {Type}");
        var from = CloudEvents.Read(message.Headers, Prefix + "topic") is { } topic
            ? new TopicPartitionOffset(topic, new Partition((int)Number("partition")), new Offset(Number("offset")))
            : null;
        return new DeadLetterMessage(Position.Parse(Needed("position")), Needed("code"), Needed("reason"), Number("epoch"), from, message.Value ?? [], Number("bytes"), Needed("hash"));

        string Needed(string name) => CloudEvents.Read(message.Headers, Prefix + name) ?? throw new FormatException($"it is no dead letter: it has no header {Prefix}{name}");

        long Number(string name) => long.TryParse(Needed(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException($"it is no dead letter: its header {Prefix}{name} is '{Needed(name)}', which is no number");
    }

    private static int? PartitionOf(string source, string topic) => source.StartsWith(topic + "/", StringComparison.Ordinal)
        && int.TryParse(source.AsSpan(topic.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var partition) ? partition : null;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
