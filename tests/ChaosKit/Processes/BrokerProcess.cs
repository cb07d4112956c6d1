using System.Globalization;
using Confluent.Kafka;
using MassDpo.Kafka.Development;

namespace MassDpo.ChaosKit.Processes;

/// <summary>
/// librdkafka's mock cluster in a process of its own, which does what it is told line by line on standard input and repeats each line when it has: <c>down</c>
/// (connections are cut and refused), <c>up</c>, <c>error TOPIC CODE</c> (of <see cref="ErrorCode"/>). It ends with its input.
/// </summary>
internal static class BrokerProcess
{
    public const string Verb = "broker";
    public const string Down = "down";
    public const string Up = "up";

    /// <param name="topics">to make, each as NAME:PARTITIONS</param>
    public static int Run(string[] topics)
    {
        using var broker = new MockBroker();
        foreach (var topic in topics.Select(topic => topic.Split(':')))
            broker.CreateTopic(topic[0], int.Parse(topic[1], CultureInfo.InvariantCulture));
        Console.WriteLine(broker.Bootstrap);
        while (Console.ReadLine() is { } line)
        {
            switch (line.Split(' '))
            {
                case [Down]:
                    broker.Stop();
                    break;
                case [Up]:
                    broker.Start();
                    break;
                case ["error", var topic, var code]:
                    broker.SetTopicError(topic, Enum.Parse<ErrorCode>(code));
                    break;
                default:
                    Console.Error.WriteLine($"not understood: {line}");
                    return 2;
            }
            Console.WriteLine(line);
        }
        return 0;
    }
}
