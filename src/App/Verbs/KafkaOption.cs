using System.CommandLine;

namespace MassDpo.App.Verbs;

/// <summary>Options of the verbs that speak to Kafka.</summary>
internal static class KafkaOption
{
    /// <summary>The flag for <c>kafka.bootstrap</c>.</summary>
    public static (string Flag, string Key, string Value, string Description) Bootstrap => ("--bootstrap", "kafka.bootstrap", "HOST:PORT", "Servers to begin with, with commas between.");

    public static Option<string> Topic() => new("--topic") { Description = "The topic.", HelpName = "NAME", Required = true };
}
