using System.Text;
using Confluent.Kafka;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Records;
using MassDpo.Kafka.Sinks;
using MassDpo.Kafka.Tests.Topics;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Tests.Sinks;

public sealed class TopicOutcomesTests : IDisposable
{
    private readonly MockBroker _broker = new();
    private readonly KafkaTopics _topics = MadeCluster.Settings();

    public void Dispose() => _broker.Dispose();

    [Fact]
    public async Task What_was_flushed_is_in_the_topics_with_key_epoch_and_all_that_is_known_of_a_letter()
    {
        var long_ = Encoding.UTF8.GetBytes(new string('x', 5000));
        byte[] noText = [0xFF, 0x00, 0xFE];
        using (var sink = new TopicOutcomes(MadeOptions.Of(_broker), _topics))
        {
            sink.Applied(Event(7, epoch: 3), new EventLine("{\"v\":1}\n"u8.ToArray(), "hash"));
            sink.Died(new DeadLetter(new Position("preferences/2", 0, 41), DeadLetterCodes.TooLarge, "zu groß: 5000", RecordOrigin.Of("preferences/2", 41, long_) with
            {
                Time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero),
            }), version: 9, epoch: 3);
            sink.Died(new DeadLetter(new Position("a.jsonl", 1, 5), DeadLetterCodes.Encoding, "no text", RecordOrigin.Of("a.jsonl", 6, noText)), version: 9, epoch: 4);
            sink.Flush();
        }
        var told = Assert.Single(await ReadAsync(_topics.Events.Name));
        Assert.Equal(("preferences/0:0:7", "{\"v\":1}"), (Text(told.Key), Text(told.Value)));
        Assert.Equal(
            ["ce_id=preferences/0:0:7@3", "ce_source=preferences/0", "ce_specversion=1.0", "ce_type=massdpo.selection.v1", "content-type=application/json", "massdpo_epoch=3"], Headers(told));
        var letters = (await ReadAsync(_topics.DeadLetters.Name)).ToDictionary(letter => Text(letter.Key)!);
        Assert.Equal(long_[..RecordOrigin.RawLimit], letters["preferences/2:0:41"].Value);
        Assert.Equal(["ce_id=preferences/2:0:41@3", "ce_source=preferences/2", "ce_specversion=1.0", "ce_type=massdpo.dead-letter.v1", "content-type=application/octet-stream",
            "massdpo_bytes=5000", "massdpo_code=too-large", "massdpo_cut=true", "massdpo_epoch=3", $"massdpo_hash={ContentHash.Of(long_)}", "massdpo_offset=41", "massdpo_partition=2",
            "massdpo_position=preferences/2:0:41", "massdpo_reason=zu groß: 5000", "massdpo_time=2026-01-02T03:04:05.6780000+00:00", "massdpo_topic=preferences", "massdpo_version=9"],
            Headers(letters["preferences/2:0:41"]).Where(header => !header.StartsWith("massdpo_program=", StringComparison.Ordinal)));
        var read = DeadLetterMessage.Read(letters["preferences/2:0:41"]);
        Assert.Equal((new Position("preferences/2", 0, 41), "too-large", "zu groß: 5000", 3L, new TopicPartitionOffset("preferences", 2, 41), 5000L, true),
            (read.Position, read.Code, read.Reason, read.Epoch, read.From, read.RawLength, read.IsCut));
        var other = DeadLetterMessage.Read(letters["a.jsonl:1:5"]);
        Assert.Equal((null, false, 4L), (other.From, other.IsCut, other.Epoch));
        Assert.Equal(noText, other.Raw.ToArray());
    }

    [Fact]
    public void An_event_that_no_message_can_hold_is_named_with_the_remedy()
    {
        using var sink = new TopicOutcomes(MadeOptions.Of(_broker), _topics);
        var failure = Assert.Throws<ProduceException>(() => sink.Applied(Event(1, epoch: 1), new EventLine(new byte[_topics.MaxMessageBytes], "hash")));
        Assert.Contains("preferences/0:0:1", failure.Message);
        Assert.Contains("kafka.topics.max-message-bytes", failure.Message);
    }

    [Fact]
    public async Task An_event_of_almost_all_that_a_message_may_have_is_told()
    {
        using (var sink = new TopicOutcomes(MadeOptions.Of(_broker), _topics))
        {
            sink.Applied(Event(1, epoch: 1), new EventLine(new byte[2 << 20], "hash"));
            sink.Flush();
        }
        Assert.Equal(2 << 20, Assert.Single(await ReadAsync(_topics.Events.Name)).Value!.Length);
    }

    [Fact]
    public void A_broker_that_is_away_fails_the_flush_and_whatever_is_told_afterwards()
    {
        using var sink = new TopicOutcomes(MadeOptions.Of(_broker, ("message.timeout.ms", "200")), _topics);
        _broker.Stop();
        sink.Applied(Event(2, epoch: 1), new EventLine("{}\n"u8.ToArray(), "hash"));
        Assert.Contains("the event of preferences/0:0:2", Assert.Throws<ProduceException>(sink.Flush).Message);
        Assert.Throws<ProduceException>(() => sink.Applied(Event(3, epoch: 1), new EventLine("{}\n"u8.ToArray(), "hash")));
        _broker.Start();
        Assert.Throws<ProduceException>(sink.Flush);
        // The learner's next incarnation makes a new one, which tells all again.
        using var next = new TopicOutcomes(MadeOptions.Of(_broker), _topics);
        next.Applied(Event(2, epoch: 2), new EventLine("{}\n"u8.ToArray(), "hash"));
        next.Flush();
    }

    private static SelectionEvent Event(long index, long epoch) => new()
    {
        Id = $"r{index}", Position = new Position("preferences/0", 0, index), Slot = index, Version = 1, PolicyHash = "p", Method = "all", K = 1, Beta = 1, Candidates = [], Picks = [], Epoch = epoch,
    };

    private async Task<List<TopicMessage>> ReadAsync(string topic)
    {
        var messages = new List<TopicMessage>();
        await foreach (var message in TopicReader.ReadAsync(MadeOptions.Of(_broker), topic, fromBeginning: true, untilEnd: true, CancellationToken.None))
            messages.Add(message);
        return messages;
    }

    private static string? Text(byte[]? bytes) => bytes is null ? null : Encoding.UTF8.GetString(bytes);

    private static IEnumerable<string> Headers(TopicMessage message) => message.Headers.Select(header => $"{header.Key}={Text(header.GetValueBytes())}").Order(StringComparer.Ordinal);
}
