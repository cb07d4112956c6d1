using System.Text.RegularExpressions;
using Confluent.Kafka;
using MassDpo.Shared.Settings;

namespace MassDpo.Kafka.Client;

/// <summary>
/// How to reach a Kafka cluster. All of <c>kafka.client</c> goes to librdkafka under its own names, TLS and SASL included. What is secret among it is never
/// printed: <see cref="ToString"/> leaves it out, and <see cref="Redact"/> takes it out of what others say.
/// </summary>
public sealed partial class KafkaOptions
{
    private readonly IReadOnlyList<KeyValuePair<string, string>> _client;

    /// <param name="bootstrap">servers to begin with, with commas between</param>
    /// <param name="client">properties of librdkafka</param>
    public KafkaOptions(string bootstrap, IReadOnlyList<KeyValuePair<string, string>> client) => (Bootstrap, _client) = (bootstrap, client);

    public string Bootstrap { get; }

    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static KafkaOptions From(EffectiveSettings settings) => new(settings.Text("kafka.bootstrap"), settings.Block("kafka.client"));

    /// <summary>The properties of a client of any kind.</summary>
    /// <param name="client">its name, which brokers log</param>
    /// <exception cref="InvalidDataException">no server is named</exception>
    public ClientConfig Client(string client)
    {
        if (Bootstrap.Length == 0)
            throw new InvalidDataException("no Kafka server is named: set kafka.bootstrap, or give --bootstrap host:port");
        var config = new ClientConfig { BootstrapServers = Bootstrap, ClientId = client };
        foreach (var (name, value) in _client)
            config.Set(name, value);
        return config;
    }

    /// <summary>Builds a client.</summary>
    /// <exception cref="InvalidDataException">librdkafka does not take a property of <c>kafka.client</c></exception>
    public T Build<T>(Func<T> build)
    {
        try
        {
            return build();
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw new InvalidDataException($"kafka.client: {Redact(e.Message)}", e);
        }
    }

    /// <summary>Takes secrets out of a message.</summary>
    public string Redact(string message) => _client.Where(property => IsSecret(property.Key) && property.Value.Length > 0)
        .Aggregate(message, (text, property) => text.Replace(property.Value, "***", StringComparison.Ordinal));

    /// <summary>Everything but secrets.</summary>
    public override string ToString() =>
        string.Join(", ", _client.Select(property => $"{property.Key}={(IsSecret(property.Key) ? "***" : property.Value)}").Prepend($"bootstrap.servers={Bootstrap}"));

    private static bool IsSecret(string name) => Secret().IsMatch(name);

    // sasl.password, ssl.key.password, ssl.key.pem, ssl.keystore.password, sasl.oauthbearer.client.secret, sasl.oauthbearer.config, sasl.jaas.config, …
    [GeneratedRegex("password|secret|pem$|token|oauthbearer\\.config|jaas", RegexOptions.IgnoreCase)]
    private static partial Regex Secret();
}
