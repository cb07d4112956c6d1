using System.Globalization;
using System.Text;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Kafka.Sinks;

/// <summary>
/// The learner's outcomes in topics, through one idempotent producer: to events the line of the log, to dead letters the record's bytes as they came. The
/// key of both is the position, the header <c>massdpo_epoch</c> tells which of several holds. It belongs to the learner's thread.
/// </summary>
public sealed class TopicOutcomes : IOutcomeSink
{
    /// <summary>An event of a selection, as <c>selections.jsonl</c> has it.</summary>
    public const string EventType = "massdpo.selection.v1";

    // What a batch adds to the one message in it, before a broker holds it against max.message.bytes.
    private const int Framing = 4096;

    private readonly KafkaTopics _topics;
    private readonly RecordProducer _producer;

    /// <param name="options">how to reach the cluster</param>
    /// <param name="topics">of the run</param>
    /// <exception cref="InvalidDataException">no server is named, or librdkafka does not know a property</exception>
    public TopicOutcomes(KafkaOptions options, KafkaTopics topics) =>
        (_topics, _producer) = (topics, new RecordProducer(options, topics.Events.Name, "massdpo-outcomes", topics.MaxMessageBytes - Framing));

    public void Applied(SelectionEvent selection, EventLine line)
    {
        var headers = CloudEvents.Of(EventType, selection.Position.Source, DeadLetterMessage.IdOf(selection.Position, selection.Epoch));
        CloudEvents.Add(headers, "massdpo_epoch", selection.Epoch.ToString(CultureInfo.InvariantCulture));
        var value = line.Bytes.Span.TrimEnd("\n"u8).ToArray();
        if (value.Length > _topics.MaxMessageBytes - Framing)
            throw new ProduceException($"the event of {selection.Position} has {value.Length} bytes, more than a message of '{_topics.Events.Name}' may have: "
                + $"raise kafka.topics.max-message-bytes and the topic's max.message.bytes");
        Wait(_producer.ProduceAsync($"the event of {selection.Position}", Key(selection.Position), value, headers, CancellationToken.None));
    }

    public void Died(DeadLetter letter, long version, long epoch) =>
        Wait(_producer.ProduceToAsync(_topics.DeadLetters.Name, $"the dead letter of {letter.Position}", Key(letter.Position), letter.Origin.Raw.ToArray(),
            DeadLetterMessage.Headers(letter, version, epoch, _topics.Input.Name), CancellationToken.None));

    public void Flush() => _producer.FlushAsync(CancellationToken.None).GetAwaiter().GetResult();

    public void Dispose() => _producer.Dispose();

    private static byte[] Key(Position position) => Encoding.UTF8.GetBytes(position.ToString());

    // Complete unless the queue is full.
    private static void Wait(ValueTask produced)
    {
        if (produced.IsCompletedSuccessfully)
            return;
        produced.AsTask().GetAwaiter().GetResult();
    }
}
