using System.Diagnostics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using MassDpo.Ingest;
using MassDpo.Ingest.Records;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Records;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Bench;

/// <summary>
/// Ingest from a topic against a bare consumer. All read the same topic of the mock cluster in this process, in turn, each in a group of its own; the clock runs from
/// the first record to the last, so that joining a group does not count.
/// </summary>
internal static class IngestRate
{
    // Of 5 MiB that the mock cluster keeps of each.
    private const int Partitions = 32;
    private const long BytesPerPartition = 3 << 20;
    private const int Items = 2000;

    // Texts take a thousand times as long as items.
    private const int Words = 200;
    private const int TextRecords = 2000;

    private static readonly (string Name, int Candidates, int Padding)[] Kinds = [("small", 4, 0), ("large", 20, 450), ("text", 8, 0)];

    public static async Task RunAsync(int rounds)
    {
        var items = Enumerable.Range(0, Items).Select(i => $"item {i:D4}").ToArray();
        RecordValidator ofItems = Validator(WordLevelTokenizer.Create(items, splitsAtWhitespace: false)), ofTexts = Validator(BpeTrainer.Train(items, vocabulary: 400));
        Console.WriteLine("| records | bytes each | bare consumer, records/s | KafkaSource | validated in place | validated on 2 threads | source / bare | in place / bare | on 2 / bare | validator alone |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var (name, candidates, padding) in Kinds)
        {
            using var broker = new MockBroker();
            broker.CreateTopic("records", Partitions);
            var isText = name == "text";
            var (values, validator) = (isText ? Texts(items, candidates) : Values(items, candidates, padding), isText ? ofTexts : ofItems);
            var records = await FillAsync(broker, values, isText ? TextRecords : (long)(BytesPerPartition / (values.Average(value => value.Length) + 150)) * Partitions);
            var rates = new Dictionary<string, List<double>>();
            // The first round is a warm-up; in each the order is another.
            for (var round = 0; round <= rounds; round++)
            {
                var contestants = new (string, Func<string, Task<double>>)[]
                {
                    ("bare", group => Task.FromResult(Bare(broker, group, records))),
                    ("source", group => SourceAsync(broker, group, records)),
                    ("validated", group => ValidatedAsync(broker, group, records, validator, 1)),
                    ("validated on 2", group => ValidatedAsync(broker, group, records, validator, 2)),
                    ("validator", _ => Task.FromResult(Alone(values, validator, records))),
                };
                for (var i = 0; i < contestants.Length; i++)
                {
                    var (what, measure) = contestants[(i + round) % contestants.Length];
                    var seconds = await measure($"{name}-{what}-{round}");
                    if (round == 0)
                        rates[what] = [];
                    else
                        rates[what].Add(records / seconds);
                }
            }
            var bare = Median(rates["bare"]);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {records:N0} | {values.Average(value => value.Length):F0} | {Spread(rates["bare"])} | {Spread(rates["source"])} | {Spread(rates["validated"])} | {Spread(rates["validated on 2"])} | {Median(rates["source"]) / bare:F2} | {Median(rates["validated"]) / bare:F2} | {Median(rates["validated on 2"]) / bare:F2} | {Spread(rates["validator"])} |"));
        }
    }

    private static RecordValidator Validator(Tokenizer tokenizer) =>
        new(new RecordEncoder(tokenizer, MadePolicy.Config(vocabulary: tokenizer.VocabularySize, positions: 1 << 14)), Duplicates.Drop, 1 << 20);

    private static double Bare(MockBroker broker, string group, long records)
    {
        var config = new ConsumerConfig(new KafkaOptions(broker.Bootstrap, []).Client("bare")) { GroupId = group, EnableAutoCommit = false, AutoOffsetReset = AutoOffsetReset.Earliest };
        using var consumer = new ConsumerBuilder<byte[]?, byte[]?>(config).Build();
        consumer.Subscribe("records");
        var (start, bytes) = (0L, 0L);
        for (var read = 0L; read < records; read++)
        {
            var result = consumer.Consume(TimeSpan.FromMinutes(1)) ?? throw new InvalidDataException($"{read} of {records} records came");
            if (read == 0)
                start = Stopwatch.GetTimestamp();
            bytes += result.Message.Value!.Length;
        }
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        consumer.Close();
        return bytes > 0 ? seconds : throw new InvalidDataException("empty records");
    }

    private static async Task<double> SourceAsync(MockBroker broker, string group, long records)
    {
        await using var source = await OpenAsync(broker, group);
        return await ReadAsync(source.ReadAsync(new SettledPositions(), CancellationToken.None), records, entry => entry);
    }

    private static async Task<double> ValidatedAsync(MockBroker broker, string group, long records, RecordValidator validator, int validators)
    {
        await using var source = await OpenAsync(broker, group);
        return await ReadAsync(new ValidatedSource(source, validator, validators).ReadAsync(new SettledPositions(), CancellationToken.None), records,
            validated => validated.Dead is { } dead ? throw new InvalidDataException(dead.Reason) : validated.Entry);
    }

    private static Task<KafkaSource> OpenAsync(MockBroker broker, string group) =>
        KafkaSource.OpenAsync(new KafkaOptions(broker.Bootstrap, []), new KafkaSourceOptions("records", group, new StartPoint(StartKind.Earliest), 1 << 20, TimeSpan.FromMinutes(1)),
            TimeProvider.System, CancellationToken.None);

    // In seconds.
    private static async Task<double> ReadAsync<T>(IAsyncEnumerable<T> entries, long records, Func<T, SourceEntry> entryOf)
    {
        var (start, read) = (0L, 0L);
        await foreach (var entry in entries)
        {
            switch (entryOf(entry))
            {
                case SourceEntry.Changed:
                    throw new InvalidDataException("partitions came or went in the middle");
                case SourceEntry.Bytes:
                    if (read++ == 0)
                        start = Stopwatch.GetTimestamp();
                    break;
            }
            if (read == records)
                break;
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    // What it takes of one thread.
    private static double Alone(byte[][] values, RecordValidator validator, long records)
    {
        var start = Stopwatch.GetTimestamp();
        for (var read = 0L; read < records; read++)
            validator.Validate(new SourceEntry.Bytes(new Position("records/0", 0, read), "records/0", read, values[read % values.Length], null) { IsOwned = true });
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<long> FillAsync(MockBroker broker, byte[][] values, long records)
    {
        using var producer = new RecordProducer(new KafkaOptions(broker.Bootstrap, []), "records");
        for (var i = 0L; i < records; i++)
            await producer.ProduceAsync($"record {i}", null, values[i % values.Length], CloudEvents.Of(CloudEvents.RecordType, "bench", $"{i}"), CancellationToken.None, (int)(i % Partitions));
        await producer.FlushAsync(CancellationToken.None);
        return records;
    }

    private static byte[][] Values(string[] items, int candidates, int padding)
    {
        var random = new StableRandom(1, 0xFEED);
        return [.. Enumerable.Range(0, 1000).Select(i =>
        {
            var drawn = new HashSet<int>();
            while (drawn.Count < candidates + 3)
                drawn.Add(random.Below(items.Length));
            var names = drawn.Select(item => $"\"{items[item]}\"").ToList();
            var meta = padding > 0 ? $",\"meta\":\"{new string('x', padding)}\"" : "";
            return Encoding.UTF8.GetBytes($"{{\"id\":\"{i:D6}\",\"prompt\":{{\"history\":[{string.Join(',', names[..3])}]}},\"chosen\":{names[3]},\"rejected\":[{string.Join(',', names[4..])}]{meta}}}");
        })];
    }

    // A prompt that all candidates are tokenised with.
    private static byte[][] Texts(string[] items, int candidates)
    {
        var random = new StableRandom(1, 0x7E27);
        return [.. Enumerable.Range(0, 1000).Select(i =>
        {
            var responses = Enumerable.Range(0, candidates).Select(_ => $"\"{Sentence(20)}\"").ToList();
            return Encoding.UTF8.GetBytes($"{{\"id\":\"{i:D6}\",\"prompt\":\"{Sentence(Words)}\",\"chosen\":{responses[0]},\"rejected\":[{string.Join(',', responses[1..])}]}}");
        })];

        string Sentence(int words) => string.Join(' ', Enumerable.Range(0, words).Select(_ => items[random.Below(items.Length)]));
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string Spread(List<double> values) => string.Create(CultureInfo.InvariantCulture, $"{Median(values):N0} ({values.Min():N0}–{values.Max():N0})");
}
