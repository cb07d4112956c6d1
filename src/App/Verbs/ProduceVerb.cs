using System.CommandLine;
using System.Globalization;
using MassDpo.App.Terminal;
using MassDpo.Ingest.Sources;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Input;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo produce</c>: records from files into a topic.</summary>
internal static class ProduceVerb
{
    public static Command Create()
    {
        var command = new Command("produce", "Feeds a topic with records from files, one message a line.").WithDetails("""
            Lines go as they are, to the partitions in turn, with CloudEvents headers, after whatever the topic holds; whether they are good records is seen where they are
            read. Each is acknowledged once by all replicas. A line longer than ingest.max-record-bytes is refused. With --end each partition then gets an end marker: a run
            that reads up to it ends.

            Example:
              massdpo produce --bootstrap localhost:9092 --topic preferences --data train.jsonl.gz --rate 500
            """);
        var data = DataOption.Data();
        var topic = KafkaOption.Topic();
        var rate = new Option<double?>("--rate") { Description = "Records a second at most; without it as fast as it goes.", HelpName = "N" };
        var end = new Option<bool>("--end") { Description = "End every partition with a marker, so that a run ends there." };
        foreach (var option in new Option[] { data, topic, rate, end })
            command.Options.Add(option);
        var settings = new SettingOptions(command, KafkaOption.Bootstrap);
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            if (parsed.GetValue(rate) is { } wanted && (!double.IsFinite(wanted) || wanted <= 0))
                throw new UsageException($"--rate {wanted.ToString(CultureInfo.InvariantCulture)}: write a number above 0");
            var limit = (int)effective.Size("ingest.max-record-bytes", 1024, 1 << 30);
            await using var source = new FileSource(parsed.GetValue(data)!, new FileSourceOptions(ShuffleOrder.None, Seed: 0, Passes: 1, MaxRecords: 0, limit));
            var feed = new RecordFeed(source, KafkaOptions.From(effective), parsed.GetValue(topic)!, new RecordFeedOptions { Rate = parsed.GetValue(rate), End = parsed.GetValue(end) }, TimeProvider.System);
            var ended = await feed.RunAsync(cancellation);
            Output.Line(string.Create(CultureInfo.InvariantCulture, $"{feed.HandedOver:N0} records are in '{parsed.GetValue(topic)}'{(ended ? "" : "; stopped as asked")}."));
            return ExitCode.Done;
        });
        return command;
    }
}
