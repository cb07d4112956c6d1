using Confluent.Kafka;

namespace MassDpo.Kafka.Records;

/// <summary>A message that says that its partition ends, unless another follows.</summary>
public static class EndMarker
{
    /// <summary>The header that makes a message one, whatever its value.</summary>
    public const string Header = "massdpo-end";

    /// <summary>What an end marker of this program says that it is.</summary>
    public const string EventType = "massdpo.end.v1";

    /// <summary>Whether these are an end marker's.</summary>
    public static bool Is(Headers? headers) => headers is not null && headers.TryGetLastBytes(Header, out _);
}
