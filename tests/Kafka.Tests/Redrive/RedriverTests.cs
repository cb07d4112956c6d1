using System.Text;
using Confluent.Kafka;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Records;
using MassDpo.Kafka.Redrive;
using MassDpo.Kafka.Sinks;
using MassDpo.Kafka.Tests.Topics;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Tests.Redrive;

public sealed class RedriverTests : IDisposable
{
    private readonly MockBroker _broker = new();
    private readonly KafkaTopics _topics = MadeCluster.Settings();
    private readonly List<string> _told = [];
    private readonly Lazy<TopicOutcomes> _sink;

    public RedriverTests()
    {
        _broker.CreateTopic("preferences", 2);
        _sink = new(() => new TopicOutcomes(MadeOptions.Of(_broker), _topics));
    }

    public void Dispose()
    {
        if (_sink.IsValueCreated)
            _sink.Value.Dispose();
        _broker.Dispose();
    }

    [Fact]
    public async Task A_letter_whose_record_still_stands_is_put_back_whole_with_its_key_and_headers()
    {
        var value = new string('x', 5000);
        await PutAsync("small", key: "k", headers: ("a", "b"));
        await PutAsync(value, key: null, headers: ("massdpo_redriven", "2"));
        Die((0, "json", "small"), (1, "too-long", value));
        Assert.Equal(new() { ["json"] = new(1, 0, 0, 0), ["too-long"] = new(1, 0, 0, 0) }, await RedriveAsync());
        var back = (await InputAsync())[2..];
        Assert.Equal(["small", value], back.Select(message => Encoding.UTF8.GetString(message.Value!)).OrderBy(text => text.Length));
        Assert.Equal(["a=b massdpo_redriven=1", "massdpo_redriven=3"], back.Select(Headers).Order());
        Assert.Equal("k", Encoding.UTF8.GetString(back.Single(message => message.Value!.Length == 5).Key!));
        Assert.Empty(_told);
    }

    [Fact]
    public async Task A_letter_whose_record_is_gone_is_put_back_from_its_bytes_or_refused_by_name_where_they_were_cut()
    {
        await PutAsync("another");
        Die((0, "json", "small"), (7, "json", "small"), (8, "json", new string('x', 5000)));
        _sink.Value.Died(Letter(new Position("a.jsonl", 0, 1), "json", new string('y', 5000)), version: 1, epoch: 1);
        _sink.Value.Flush();
        Assert.Equal(new() { ["json"] = new(2, 0, 2, 0) }, await RedriveAsync());
        Assert.Equal(["small", "small"], (await InputAsync())[1..].Select(message => Encoding.UTF8.GetString(message.Value!)));
        Assert.All((await InputAsync())[1..], message => Assert.Contains("ce_type=massdpo.preference.v1", Headers(message)));
        Assert.Equal(
            ["a.jsonl:0:1 (json) cannot be put back: its 5000 bytes were cut to 4096, and it is from no topic but from 'a.jsonl', where it must be read again",
                "preferences/0:0:8 (json) cannot be put back: its 5000 bytes were cut to 4096, and it is gone from topic 'preferences', partition 0, offset 8"], _told.Order(StringComparer.Ordinal));
        Assert.Equal(new() { ["json"] = new(0, 4, 0, 0) }, await RedriveAsync());
    }

    [Fact]
    public async Task A_record_that_is_another_than_the_one_that_died_is_not_taken_for_it()
    {
        await PutAsync(new string('z', 5000));
        Die((0, "json", new string('x', 5000)));
        Assert.Equal(new() { ["json"] = new(0, 0, 1, 0) }, await RedriveAsync());
        Assert.Contains("has another hash", Assert.Single(_told));
    }

    [Fact]
    public async Task Each_record_is_put_back_once_whatever_codes_are_asked_for_and_however_often_it_was_told()
    {
        Die((1, "json", "one"), (2, "field", "two"), (3, "json", "three"));
        Assert.Equal(new() { ["field"] = new(0, 0, 0, 1), ["json"] = new(2, 0, 0, 0) }, await RedriveAsync("json"));
        // The learner went back and told of two of them again, of one as another death, and of a new one.
        Die((1, "field", "one"), (3, "json", "three"), (4, "json", "four"));
        Assert.Equal(new() { ["field"] = new(0, 1, 0, 1), ["json"] = new(1, 3, 0, 0) }, await RedriveAsync("json"));
        Assert.Equal(new() { ["field"] = new(1, 1, 0, 0), ["json"] = new(0, 4, 0, 0) }, await RedriveAsync());
        Assert.Equal(["four", "one", "three", "two"], (await InputAsync()).Select(message => Encoding.UTF8.GetString(message.Value!)).Order());
    }

    [Fact]
    public async Task A_dry_run_tells_the_same_and_does_nothing()
    {
        Die((1, "json", "one"), (9, "json", new string('x', 5000)));
        for (var i = 0; i < 2; i++)
            Assert.Equal(new() { ["json"] = new(1, 0, 1, 0) }, await RedriveAsync(new RedriveRequest(_topics.DeadLetters.Name, "preferences", "massdpo-redrive", [], IsDryRun: true)));
        Assert.Empty(await InputAsync());
        await RedriveAsync();
        Assert.Equal(new() { ["json"] = new(0, 2, 0, 0) }, await RedriveAsync(new RedriveRequest(_topics.DeadLetters.Name, "preferences", "massdpo-redrive", [], IsDryRun: true)));
    }

    [Fact]
    public async Task More_letters_than_go_together_are_all_put_back_and_another_name_begins_anew()
    {
        Die([.. Enumerable.Range(0, 250).Select(i => (100L + i, "json", $"r{i}"))]);
        Assert.Equal(new() { ["json"] = new(250, 0, 0, 0) }, await RedriveAsync());
        Assert.Equal(250, (await InputAsync()).Select(message => Encoding.UTF8.GetString(message.Value!)).Distinct().Count());
        Assert.Equal(new() { ["json"] = new(250, 0, 0, 0) }, await RedriveAsync(new RedriveRequest(_topics.DeadLetters.Name, "preferences", "other", [], IsDryRun: false)));
    }

    [Fact]
    public async Task Messages_that_are_no_dead_letters_are_told_and_passed_over()
    {
        using (var producer = new RecordProducer(MadeOptions.Of(_broker), _topics.DeadLetters.Name))
        {
            await producer.ProduceAsync("x", null, "{}"u8.ToArray(), null, CancellationToken.None);
            await producer.FlushAsync(CancellationToken.None);
        }
        Assert.Equal(new() { [Redriver.NoLetter] = new(0, 0, 1, 0) }, await RedriveAsync());
        Assert.Contains("ce_type is absent", Assert.Single(_told));
    }

    private async Task PutAsync(string value, string? key = null, params (string Name, string Value)[] headers)
    {
        using var producer = new ProducerBuilder<byte[]?, byte[]>(new ProducerConfig(MadeOptions.Of(_broker).Client("test"))).Build();
        var all = new Headers();
        foreach (var (name, text) in headers)
            CloudEvents.Add(all, name, text);
        await producer.ProduceAsync(new TopicPartition("preferences", 0), new Message<byte[]?, byte[]> { Key = key is null ? null : Encoding.UTF8.GetBytes(key), Value = Encoding.UTF8.GetBytes(value), Headers = all });
    }

    private void Die(params (long Offset, string Code, string Value)[] letters)
    {
        foreach (var (offset, code, value) in letters)
            _sink.Value.Died(Letter(new Position("preferences/0", 0, offset), code, value), version: 1, epoch: 1);
        _sink.Value.Flush();
    }

    private static DeadLetter Letter(Position position, string code, string value) =>
        new(position, code, "made to die", RecordOrigin.Of(position.Source, position.Index, Encoding.UTF8.GetBytes(value)));

    private Task<Dictionary<string, RedriveCount>> RedriveAsync(params string[] codes) =>
        RedriveAsync(new RedriveRequest(_topics.DeadLetters.Name, "preferences", "massdpo-redrive", codes, IsDryRun: false));

    private async Task<Dictionary<string, RedriveCount>> RedriveAsync(RedriveRequest request)
    {
        // As in hocon/kafka.conf, where it is longer than a transaction lasts.
        using var redriver = new Redriver(MadeOptions.Of(_broker, ("message.timeout.ms", "120000")), request, _told.Add);
        return (await redriver.RunAsync(CancellationToken.None)).ToDictionary();
    }

    private async Task<List<TopicMessage>> InputAsync()
    {
        var messages = new List<TopicMessage>();
        await foreach (var message in TopicReader.ReadAsync(MadeOptions.Of(_broker), "preferences", fromBeginning: true, untilEnd: true, CancellationToken.None))
            messages.Add(message);
        return [.. messages.OrderBy(message => message.Time).ThenBy(message => message.Partition).ThenBy(message => message.Offset)];
    }

    private static string Headers(TopicMessage message) => string.Join(' ', message.Headers.Select(header => $"{header.Key}={Encoding.UTF8.GetString(header.GetValueBytes())}"));
}
