using System.Text;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Tests.Input;

public sealed class RecordFeedTests(InputTopic topic) : IClassFixture<InputTopic>
{
    private const int Partitions = 3;

    private RecordFeed Feed(IRecordSource source, string name, RecordFeedOptions? options = null) => new(source, topic.Client, name, options ?? new RecordFeedOptions { Resumes = true, End = true }, TimeProvider.System);

    private async Task<List<TopicMessage>> HoldsAsync(string name)
    {
        var messages = new List<TopicMessage>();
        await foreach (var message in TopicReader.ReadAsync(topic.Client, name, fromBeginning: true, untilEnd: true, CancellationToken.None))
            messages.Add(message);
        return messages;
    }

    private static IEnumerable<string> Values(IEnumerable<TopicMessage> messages, int partition) =>
        messages.Where(message => message.Partition == partition && !EndMarker.Is(message.Headers)).OrderBy(message => message.Offset).Select(message => Encoding.UTF8.GetString(message.Value!));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(20)]
    public async Task A_feed_that_is_stopped_anywhere_and_begun_again_loses_nothing_and_doubles_nothing(int stopAfter)
    {
        var name = $"stopped-{stopAfter}";
        topic.Broker.CreateTopic(name, Partitions);
        using var stop = new CancellationTokenSource();
        var first = Feed(new Counted(20) { At = (stopAfter, stop.Cancel) }, name);
        Assert.Equal(stopAfter == 20, await first.RunAsync(stop.Token));
        Assert.Equal(stopAfter, first.HandedOver);
        var second = Feed(new Counted(20), name);
        Assert.True(await second.RunAsync(CancellationToken.None));
        // Once all have their end markers it need not even read.
        Assert.Equal(stopAfter == 20 ? (0, 0) : (stopAfter, 20 - stopAfter), (second.Found, second.HandedOver));
        var messages = await HoldsAsync(name);
        for (var partition = 0; partition < Partitions; partition++)
        {
            Assert.Equal(Enumerable.Range(0, 20).Where(i => i % Partitions == partition).Select(Counted.Line), Values(messages, partition));
            Assert.True(EndMarker.Is(messages.Where(message => message.Partition == partition).MaxBy(message => message.Offset)!.Headers));
        }
        Assert.Equal(Partitions, messages.Count(message => EndMarker.Is(message.Headers)));
        Assert.All(messages.Where(message => !EndMarker.Is(message.Headers)), message => Assert.Equal(CloudEvents.RecordType, CloudEvents.Read(message.Headers, "ce_type")));
        Assert.Equal(20, messages.Select(message => CloudEvents.Read(message.Headers, "ce_id")).Count(id => id!.StartsWith("counted:0:", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Partitions_that_are_behind_the_others_catch_up()
    {
        // A producer that is killed may have got further in one partition than in another.
        const string name = "behind";
        topic.Broker.CreateTopic(name, Partitions);
        topic.Broker.CreateTopic("model", Partitions);
        await Feed(new Counted(20), "model", new RecordFeedOptions { Resumes = true }).RunAsync(CancellationToken.None);
        var model = await HoldsAsync("model");
        foreach (var message in model.Where(message => message.Offset < (message.Partition == 1 ? 1 : 5)))
            topic.Produce(name, message.Partition, message.Value, [.. message.Headers.Select(header => (header.Key, Encoding.UTF8.GetString(header.GetValueBytes())))]);
        topic.Flush();
        var feed = Feed(new Counted(20), name, new RecordFeedOptions { Resumes = true });
        Assert.True(await feed.RunAsync(CancellationToken.None));
        Assert.Equal((11, 9), (feed.Found, feed.HandedOver));
        var messages = await HoldsAsync(name);
        for (var partition = 0; partition < Partitions; partition++)
            Assert.Equal(Values(model, partition), Values(messages, partition));
    }

    [Fact]
    public async Task It_does_not_go_on_after_what_another_stream_wrote_but_may_append()
    {
        const string name = "others";
        topic.Broker.CreateTopic(name, 1);
        await Feed(new Counted(3), name).RunAsync(CancellationToken.None);
        foreach (var other in new[] { Feed(new Counted(4), name), Feed(new Counted(3), name, new RecordFeedOptions { Resumes = true, Order = "seed 2" }) })
        {
            var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => other.RunAsync(CancellationToken.None));
            Assert.Contains($"{name}/0", refusal.Message);
            Assert.Contains("offset 3", refusal.Message);
        }
        var appended = Feed(new Counted(4), name, new RecordFeedOptions());
        Assert.True(await appended.RunAsync(CancellationToken.None));
        Assert.Equal((0, 4), (appended.Found, appended.HandedOver));
        Assert.Equal(8, (await HoldsAsync(name)).Count);
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_refused_by_file_and_line_and_what_came_before_is_there()
    {
        const string name = "long";
        topic.Broker.CreateTopic(name, 1);
        var refusal = await Assert.ThrowsAsync<InvalidDataException>(() => Feed(new Counted(5) { LongAt = 2 }, name).RunAsync(CancellationToken.None));
        Assert.Contains("counted.jsonl, line 3", refusal.Message);
        var messages = await HoldsAsync(name);
        Assert.Equal([Counted.Line(0), Counted.Line(1)], Values(messages, 0));
    }

    /// <summary>Lines that count, every second one as a record that a program made.</summary>
    private sealed class Counted(int count) : IRecordSource
    {
        public string Name => "counted";

        public string Identity => $"{count} lines";

        public long? EstimatedRecords => count;

        /// <summary>Before this line something happens.</summary>
        public (int Line, Action Do)? At { get; init; }

        public int? LongAt { get; init; }

        public static string Line(int i) => $$"""{"id":"{{i}}","prompt":{"history":["a"]},"chosen":"b","rejected":["c"]}""";

        public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
        {
            await Task.Yield();
            for (var i = 0; i < count; i++)
            {
                if (At is { } at && at.Line == i)
                    at.Do();
                var position = new Position(Name, 0, i);
                yield return i % 2 == 0
                    ? new SourceEntry.Bytes(position, "counted.jsonl", i + 1, Encoding.UTF8.GetBytes(Line(i)), i == LongAt ? 5000 : null)
                    : new SourceEntry.Made(position, new PreferenceRecord { Id = $"{i}", Prompt = Prompt.OfHistory(["a"]), Candidates = ["b", "c"] });
            }
            yield return new SourceEntry.PassEnd(new Position(Name, 0, count));
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
