using System.CommandLine;
using System.Globalization;
using MassDpo.App.Terminal;
using MassDpo.Ingest.Sources;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo produce</c>: records from files into a topic.</summary>
internal static class ProduceVerb
{
    public static Command Create()
    {
        var command = new Command("produce", "Feeds a topic with records from files, one message a line.").WithDetails("""
            Lines go as they are, in order, with CloudEvents headers; whether they are good records is seen where they are read. Each is acknowledged once by all replicas. A line
            longer than ingest.max-record-bytes is refused.

            Example:
              massdpo produce --bootstrap localhost:9092 --topic preferences --data train.jsonl.gz --rate 500
            """);
        var data = DataOption.Data();
        var topic = KafkaOption.Topic();
        var rate = new Option<double?>("--rate") { Description = "Records a second at most; without it as fast as it goes.", HelpName = "N" };
        foreach (var option in new Option[] { data, topic, rate })
            command.Options.Add(option);
        var settings = new SettingOptions(command, KafkaOption.Bootstrap);
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            if (parsed.GetValue(rate) is { } wanted && (!double.IsFinite(wanted) || wanted <= 0))
                throw new UsageException($"--rate {wanted.ToString(CultureInfo.InvariantCulture)}: write a number above 0");
            var limit = (int)effective.Size("ingest.max-record-bytes", 1024, 1 << 30);
            await using var source = new FileSource(parsed.GetValue(data)!, new FileSourceOptions(ShuffleOrder.None, Seed: 0, Passes: 1, MaxRecords: 0, limit));
            using var producer = new RecordProducer(KafkaOptions.From(effective), parsed.GetValue(topic)!);
            var handedOver = await ProduceAsync(source, producer, parsed.GetValue(rate), cancellation);
            await producer.FlushAsync(CancellationToken.None);
            Output.Line(string.Create(CultureInfo.InvariantCulture, $"{handedOver:N0} records are in '{parsed.GetValue(topic)}'{(cancellation.IsCancellationRequested ? "; stopped as asked" : "")}."));
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<long> ProduceAsync(FileSource source, RecordProducer producer, double? rate, CancellationToken stop)
    {
        var (began, count) = (TimeProvider.System.GetTimestamp(), 0L);
        await foreach (var entry in source.ReadAsync(new SettledPositions(), CancellationToken.None))
        {
            if (stop.IsCancellationRequested)
                break;
            if (entry is not SourceEntry.Bytes line)
                continue;
            if (line.Oversize is { } length)
                throw new InvalidDataException($"{line.File}, line {line.Line} has {length} bytes: more than ingest.max-record-bytes");
            var headers = CloudEvents.Of(CloudEvents.RecordType, $"file:{Uri.EscapeDataString(Path.GetFileName(line.File))}", line.Line.ToString(CultureInfo.InvariantCulture));
            await producer.ProduceAsync($"{line.File}, line {line.Line}", null, line.Json.ToArray(), headers, CancellationToken.None);
            count++;
            if (rate is { } perSecond && TimeSpan.FromSeconds(count / perSecond) - TimeProvider.System.GetElapsedTime(began) is var early && early > TimeSpan.FromMilliseconds(10))
                await Task.Delay(early, stop).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
        return count;
    }
}
