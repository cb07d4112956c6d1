using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;

namespace MassDpo.Kafka.Tests;

/// <summary>How tests reach the cluster for development.</summary>
internal static class MadeOptions
{
    // Its brokers answer a fetch of nothing only when this is over.
    public static KafkaOptions Of(MockBroker broker, params (string Name, string Value)[] more) =>
        new(broker.Bootstrap, [KeyValuePair.Create("fetch.wait.max.ms", "10"), .. more.Select(property => KeyValuePair.Create(property.Name, property.Value))]);
}
