using System.CommandLine;
using System.Globalization;
using MassDpo.App.Terminal;
using MassDpo.Kafka.Development;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo broker</c>: a Kafka to try things with.</summary>
internal static class BrokerVerb
{
    public static Command Create()
    {
        var command = new Command("broker", "Runs a Kafka for development on loopback, until it is stopped.").WithDetails("""
            For development alone: it is librdkafka's mock cluster, in the memory of this process. It keeps the newest 5 MiB of a partition and forgets what came before,
            and when it stops all is gone. Topics come into being when they are asked for, with 4 partitions; --topic makes one with another number. The first line that
            it prints is the address to give others as --bootstrap.

            Example:
              massdpo broker --topic preferences:2
            """);
        var topics = new Option<string[]>("--topic") { Description = "A topic to make; may be given several times.", HelpName = "NAME:PARTITIONS" };
        command.Options.Add(topics);
        command.SetAction(async (parsed, cancellation) =>
        {
            var wanted = (parsed.GetValue(topics) ?? []).Select(Topic).ToList();
            using var broker = new MockBroker();
            foreach (var (name, partitions) in wanted)
                broker.CreateTopic(name, partitions);
            Output.Line(broker.Bootstrap);
            Output.ErrorLine("For development: in memory, 5 MiB per partition, beyond which it forgets. Stop it with Ctrl-C.");
            var stopped = new TaskCompletionSource();
            await using var _ = cancellation.Register(stopped.SetResult);
            await stopped.Task;
            return ExitCode.Done;
        });
        return command;
    }

    private static (string Name, int Partitions) Topic(string text) =>
        text.LastIndexOf(':') is > 0 and var at && int.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var partitions) && partitions is > 0 and <= 10_000
            ? (text[..at], partitions)
            : throw new UsageException($"--topic {text}: write NAME:PARTITIONS, as in preferences:4");
}
