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
            it prints is the address to give others as --bootstrap: on this machine alone, at a port that the system chooses, or at --port.

            Example:
              massdpo broker --port 9092 --topic preferences:2
            """);
        var topics = new Option<string[]>("--topic") { Description = "A topic to make; may be given several times.", HelpName = "NAME:PARTITIONS" };
        var port = new Option<int?>("--port") { Description = "Where it can be found on 127.0.0.1; without it at a port that the system chooses.", HelpName = "N" };
        command.Options.Add(topics);
        command.Options.Add(port);
        command.SetAction(async (parsed, cancellation) =>
        {
            var wanted = (parsed.GetValue(topics) ?? []).Select(Topic).ToList();
            if (parsed.GetValue(port) is { } number and not (> 0 and <= 65_535))
                throw new UsageException($"--port {number}: write a number from 1 to 65535");
            using var broker = new MockBroker();
            await using var address = parsed.GetValue(port) is { } at ? new FixedAddress(at, broker.Bootstrap) : null;
            foreach (var (name, partitions) in wanted)
                broker.CreateTopic(name, partitions);
            Output.Line(address?.Bootstrap ?? broker.Bootstrap);
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
