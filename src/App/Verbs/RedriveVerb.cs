using System.CommandLine;
using System.Globalization;
using MassDpo.App.Terminal;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Redrive;
using MassDpo.Kafka.Topics;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo redrive</c>: dead letters back into the input.</summary>
internal static class RedriveVerb
{
    public static Command Create()
    {
        var command = new Command("redrive", "Puts the records of dead letters back into the input, once what they died of is mended.").WithDetails("""
            A record is read again where it stood, with its key and headers; where that is gone, it is taken from its letter, which holds up to 4 KiB of it. The header
            massdpo_redriven counts how often it was put back. A record is put back once, however often this is run: --group is the name under which that is remembered. Letters of
            dead-letters.jsonl cannot be put back: they hold text, not the bytes as they came.

            Examples:
              massdpo redrive --bootstrap localhost:9092 --dry-run
              massdpo redrive --bootstrap localhost:9092 --code unknown-item --code too-long
            """);
        var codes = new Option<string[]>("--code") { Description = "Letters with this code alone; may be given several times.", HelpName = "CODE" };
        var group = new Option<string>("--group") { Description = "The name under which it is remembered what was put back.", HelpName = "NAME", DefaultValueFactory = _ => "massdpo-redrive" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what would be done." };
        foreach (var option in new Option[] { codes, group, dryRun })
            command.Options.Add(option);
        var settings = new SettingOptions(command, KafkaOption.Bootstrap,
            ("--topic", "kafka.topics.dead-letters", "NAME", "Topic of the dead letters."),
            ("--to", "kafka.topics.input", "NAME", "Topic that their records go to."));
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var topics = KafkaTopics.From(effective);
            var request = new RedriveRequest(topics.DeadLetters.Name, topics.Input.Name, parsed.GetValue(group)!, parsed.GetValue(codes) ?? [], parsed.GetValue(dryRun));
            using var redriver = new Redriver(KafkaOptions.From(effective), request, Output.ErrorLine);
            var counts = await redriver.RunAsync(cancellation);
            var code = Tell(request, counts, cancellation.IsCancellationRequested);
            cancellation.ThrowIfCancellationRequested();
            return code;
        });
        return command;
    }

    private static int Tell(RedriveRequest request, IReadOnlyDictionary<string, RedriveCount> counts, bool stopped)
    {
        foreach (var (code, count) in counts)
            Output.Line(string.Create(CultureInfo.InvariantCulture,
                $"{code}: {count.PutBack:N0} {(request.IsDryRun ? "to put back" : "put back")}, {count.Before:N0} put back before, {count.Refused:N0} cannot be, {count.Left:N0} not asked for"));
        foreach (var code in request.Codes.Where(code => !counts.ContainsKey(code)))
            Output.Line($"{code}: no letters");
        Output.Line(string.Create(CultureInfo.InvariantCulture, $"{counts.Values.Sum(count => count.PutBack):N0} records {(request.IsDryRun ? "would be put back" : "are back")} in '{request.To}'{(stopped ? "; stopped as asked" : "")}."));
        return counts.Values.Any(count => count.Refused > 0) ? ExitCode.Failed : ExitCode.Done;
    }
}
