using System.Text;
using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Kafka.Tests.Input;

/// <summary>One source that has a topic to itself.</summary>
public sealed class KafkaSourceTests(InputTopic topic) : IClassFixture<InputTopic>
{
    private static byte[] Value(int i) => Encoding.UTF8.GetBytes($"record {i}");

    private static SettledPositions Settled(string source, long until)
    {
        var settled = new SettledPositions();
        settled.AddRange(new Position(source, 0, 0), until);
        return settled;
    }

    private static SourceEntry.Skipped Skipped(string source, long from, long to, SkipReason reason) => new(new Position(source, 0, from), to, reason);

    [Fact]
    public async Task A_partition_is_read_from_its_watermark_to_its_end_and_what_is_no_record_is_skipped()
    {
        const string name = "kinds";
        const string source = $"{name}/0";
        topic.Broker.CreateTopic(name, 1);
        topic.Produce(name, 0, Value(0));
        topic.Produce(name, 0, null);
        topic.Produce(name, 0, [], (EndMarker.Header, "1"));
        topic.Produce(name, 0, Value(3), ("ce_type", CloudEvents.RecordType), ("content-type", "Application/JSON; charset=utf-8"), ("traceparent", "00-1-2-01"));
        topic.Produce(name, 0, new byte[InputTopic.Limit + 1]);
        topic.Produce(name, 0, Value(5), ("ce_type", "massdpo.selection.v1"));
        topic.Produce(name, 0, null);
        topic.Produce(name, 0, [], (EndMarker.Header, "1"));
        topic.Produce(name, 0, [], (EndMarker.Header, "1"));
        topic.Flush();
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name));
        Assert.Equal((name, true, "topic kinds"), (kafka.Name, kafka.IsShared, kafka.Identity));
        await using (var reader = new Reader(kafka))
        {
            var share = await reader.NextAsync<SourceEntry.Share>();
            Assert.Equal((source, 1), (Assert.Single(share.Sources.Sources), share.Sources.Total));
            Assert.Equal(Skipped(source, 0, 0, SkipReason.BeforeStart), await reader.NextAsync());
            var first = await reader.NextAsync<SourceEntry.Bytes>();
            Assert.Equal((new Position(source, 0, 0), source, 0, "record 0", null), (first.Position, first.File, first.Line, Encoding.UTF8.GetString(first.Json.Span), first.Flaw));
            Assert.InRange(first.Time!.Value, DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.MaxValue);
            // A tombstone, and a marker that something follows.
            Assert.Equal(Skipped(source, 1, 3, SkipReason.Absent), await reader.NextAsync());
            var traced = await reader.NextAsync<SourceEntry.Bytes>();
            Assert.Equal((3, "00-1-2-01", null), (traced.Line, traced.Trace, traced.Flaw));
            var large = await reader.NextAsync<SourceEntry.Bytes>();
            Assert.Equal((InputTopic.Limit + 1, ContentHash.Of(new byte[InputTopic.Limit + 1])), (large.Oversize, large.OversizeHash));
            var other = await reader.NextAsync<SourceEntry.Bytes>();
            Assert.Equal(DeadLetterCodes.Unsupported, other.Flaw!.Code);
            // Another tombstone, and a marker before the last.
            Assert.Equal(Skipped(source, 6, 8, SkipReason.Absent), await reader.NextAsync());
            await reader.NextAsync<SourceEntry.Ended>();
        }
        // The marker was not settled: a run that had ended ends at once again.
        await using (var reader = new Reader(kafka, Settled(source, 8)))
        {
            await reader.NextAsync<SourceEntry.Share>();
            await reader.NextAsync<SourceEntry.Ended>();
        }
        // Something follows the marker now.
        topic.Produce(name, 0, Value(9));
        topic.Flush();
        await using (var reader = new Reader(kafka, Settled(source, 8)))
        {
            await reader.NextAsync<SourceEntry.Share>();
            Assert.Equal(Skipped(source, 8, 9, SkipReason.Absent), await reader.NextAsync());
            Assert.Equal(9, (await reader.NextAsync<SourceEntry.Bytes>()).Line);
        }
    }

    [Fact]
    public async Task It_reads_ahead_no_more_than_its_queue_holds_and_loses_nothing_by_waiting()
    {
        const string name = "bounded";
        topic.Broker.CreateTopic(name, 1);
        topic.Produce(name, 1, 1000);
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name) with { QueueRecords = 10 });
        await using var reader = new Reader(kafka);
        await reader.NextAsync<SourceEntry.Share>();
        // Where it begins, and nine records.
        while (!kafka.Lag.TryGetValue(0, out var lag) || lag > 991)
            await Task.Yield();
        for (var i = 0; i < 100; i++)
            Assert.Equal(991, kafka.Lag[0]);
        await reader.NextAsync<SourceEntry.Skipped>();
        for (var i = 0; i < 1000; i++)
        {
            Assert.Equal(i, (await reader.NextAsync<SourceEntry.Bytes>()).Line);
            Assert.InRange(kafka.Lag[0], 1000 - i - 12, 1000 - i - 1);
        }
    }

    [Fact]
    public async Task Where_nothing_is_settled_it_starts_as_it_is_told()
    {
        const string name = "starts";
        topic.Broker.CreateTopic(name, 1);
        topic.Produce(name, 1, 10);
        await using (var kafka = await topic.OpenAsync(InputTopic.Options(name)))
        {
            await using var reader = new Reader(kafka);
            await reader.NextAsync<SourceEntry.Share>();
            kafka.Commit(Settled($"{name}/0", 7));
        }
        async Task<SourceEntry> FirstAsync(StartPoint start, string group)
        {
            await using var kafka = await topic.OpenAsync(InputTopic.Options(name, group: group) with { Start = start });
            await using var reader = new Reader(kafka);
            await reader.NextAsync<SourceEntry.Share>();
            return await reader.NextAsync<SourceEntry.Skipped>();
        }
        var starts = await Task.WhenAll(
            FirstAsync(new StartPoint(StartKind.Earliest), "earliest"),
            FirstAsync(new StartPoint(StartKind.Latest), "latest"),
            FirstAsync(new StartPoint(StartKind.Committed), $"group-of-{name}"),
            FirstAsync(new StartPoint(StartKind.Committed), "never-committed"),
            FirstAsync(new StartPoint(StartKind.Time, DateTimeOffset.UtcNow.AddDays(1)), "time"));
        Assert.Equal(new long[] { 0, 10, 7, 0, 10 }.Select(to => Skipped($"{name}/0", 0, to, SkipReason.BeforeStart)), starts);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(10)]
    public async Task Offsets_that_somebody_else_committed_move_nothing_that_is_settled(int committed)
    {
        var name = $"reset-{committed}";
        topic.Broker.CreateTopic(name, 1);
        topic.Produce(name, 1, 10);
        var options = InputTopic.Options(name, StartKind.Committed);
        using (var other = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig(topic.Client.Client("other")) { GroupId = options.Group }).Build())
            other.Commit([new TopicPartitionOffset(name, 0, committed)]);
        await using var kafka = await topic.OpenAsync(options);
        await using var reader = new Reader(kafka, Settled($"{name}/0", 7));
        await reader.NextAsync<SourceEntry.Share>();
        Assert.Equal(7, (await reader.NextAsync<SourceEntry.Bytes>()).Line);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public async Task However_many_partitions_there_are_each_record_is_read_once_and_each_partition_to_its_end(int partitions)
    {
        const int records = 640;
        var name = $"partitions-{partitions}";
        topic.Broker.CreateTopic(name, partitions);
        topic.Produce(name, partitions, records);
        topic.End(name, partitions);
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name));
        await using var reader = new Reader(kafka);
        var share = await reader.NextAsync<SourceEntry.Share>();
        Assert.Equal((partitions, partitions), (share.Sources.Sources.Count, share.Sources.Total));
        var entries = await reader.UntilAsync(entry => entry is SourceEntry.Ended);
        var read = entries.OfType<SourceEntry.Bytes>().Select(entry => (entry.Position, Text: Encoding.UTF8.GetString(entry.Json.Span))).ToList();
        Assert.Equal(records, read.Select(entry => entry.Position).Distinct().Count());
        Assert.Equal(Enumerable.Range(0, records).Select(i => $"record {i}").Order(StringComparer.Ordinal), read.Select(entry => entry.Text).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_the_cluster_has_forgotten_is_lost_by_name_and_never_passed_over()
    {
        const string name = "forgotten";
        const string source = $"{name}/0";
        topic.Broker.CreateTopic(name, 1);
        void Fill(int records)
        {
            for (var i = 0; i < records; i++)
                topic.Produce(name, 0, new byte[1000]);
            topic.Flush();
        }
        Fill(8000);
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name) with { QueueRecords = 100 });
        await using var reader = new Reader(kafka, Settled(source, 5));
        await reader.NextAsync<SourceEntry.Share>();
        var lost = await reader.NextAsync<SourceEntry.Skipped>();
        Assert.Equal((5, SkipReason.Lost), (lost.Position.Index, lost.Reason));
        Assert.InRange(lost.To, 1000, 7999);
        // It may fall behind so far that some are forgotten under it: how far the client reads ahead is not this test's.
        Fill(30_000);
        topic.End(name, 1);
        var entries = await reader.UntilAsync(entry => entry is SourceEntry.Ended);
        var next = lost.To;
        foreach (var entry in entries.SkipLast(1))
        {
            Assert.Equal(next, entry.Position.Index);
            next = entry is SourceEntry.Skipped skipped ? skipped.To : entry.Position.Index + 1;
        }
        Assert.Equal(38_000, next);
        Assert.All(entries.OfType<SourceEntry.Skipped>(), skipped => Assert.Equal(SkipReason.Lost, skipped.Reason));
    }

    [Fact]
    public async Task Partitions_are_kept_until_the_next_reading_has_begun_without_them()
    {
        const string name = "kept";
        topic.Broker.CreateTopic(name, 1);
        topic.Produce(name, 1, 3);
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name));
        await using var reader = new Reader(kafka);
        await reader.NextAsync<SourceEntry.Share>();
        var closing = kafka.CloseAsync();
        await reader.UntilAsync(entry => entry is SourceEntry.Changed);
        Assert.False(closing.IsCompleted);
        await using var next = new Reader(kafka);
        var nothing = next.NextAsync();
        await closing;
        Assert.False(nothing.IsCompleted);
        Assert.Equal(0, kafka.AssignedPartitions);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            next.Cancel();
            await nothing;
        });
    }

    [Fact]
    public async Task Partitions_are_kept_no_longer_than_a_deadline()
    {
        const string name = "deadline";
        topic.Broker.CreateTopic(name, 1);
        var clock = new FakeClock();
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name), clock);
        await using var reader = new Reader(kafka);
        await reader.NextAsync<SourceEntry.Share>();
        var closing = kafka.CloseAsync();
        await reader.UntilAsync(entry => entry is SourceEntry.Changed);
        // The timer is made after the change is told.
        while (!clock.FireNext())
            await Task.Yield();
        await closing;
    }

    [Fact]
    public async Task A_topic_that_is_shorter_than_what_is_settled_is_refused()
    {
        const string name = "shorter";
        topic.Broker.CreateTopic(name, 1);
        topic.Produce(name, 1, 10);
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name));
        await using var reader = new Reader(kafka, Settled($"{name}/0", 17));
        var refusal = await Assert.ThrowsAsync<InvalidDataException>(reader.NextAsync);
        foreach (var part in new[] { $"{name}/0", "10", "17", "made anew" })
            Assert.Contains(part, refusal.Message);
        await using var again = new Reader(kafka);
        Assert.Equal(refusal.Message, (await Assert.ThrowsAsync<InvalidDataException>(again.NextAsync)).Message);
    }

    [Fact]
    public async Task A_topic_that_is_absent_or_goes_is_named()
    {
        const string name = "absent";
        topic.Broker.CreateTopic(name, 1);
        topic.Broker.SetTopicError(name, ErrorCode.UnknownTopicOrPart);
        var absent = await Assert.ThrowsAsync<IOException>(() => topic.OpenAsync(InputTopic.Options(name)));
        Assert.Contains($"no topic '{name}'", absent.Message);
        Assert.Contains(topic.Broker.Bootstrap, absent.Message);
        topic.Broker.SetTopicError(name, ErrorCode.NoError);
        await using var kafka = await topic.OpenAsync(InputTopic.Options(name));
        await using (var reader = new Reader(kafka))
            await reader.NextAsync<SourceEntry.Share>();
        topic.Broker.SetTopicError(name, ErrorCode.UnknownTopicOrPart);
        await using var next = new Reader(kafka);
        Assert.Contains($"no topic '{name}'", (await Assert.ThrowsAsync<IOException>(next.NextAsync)).Message);
    }

    [Fact]
    public async Task Servers_that_do_not_answer_are_named_with_the_reason()
    {
        var options = InputTopic.Options("any") with { Patience = TimeSpan.FromMilliseconds(1) };
        var failure = await Assert.ThrowsAsync<IOException>(() => KafkaSource.OpenAsync(new KafkaOptions("localhost:1", []), options, TimeProvider.System, CancellationToken.None));
        foreach (var part in new[] { "localhost:1", "refused", "kafka.bootstrap" })
            Assert.Contains(part, failure.Message);
        await Assert.ThrowsAsync<InvalidDataException>(() => KafkaSource.OpenAsync(new KafkaOptions("", []), options, TimeProvider.System, CancellationToken.None));
    }
}
