using System.Diagnostics;
using Confluent.Kafka;

namespace MassDpo.Kafka.Records;

/// <summary>The header that carries a message's trace: W3C <c>traceparent</c>.</summary>
public static class TraceHeader
{
    public const string Name = "traceparent";

    /// <summary>The trace that a message belongs to; null: it says none. Whether it is well formed, who uses it finds out.</summary>
    public static string? Read(Headers? headers) => CloudEvents.Read(headers, Name);

    /// <summary>Adds a trace, or that of the current activity where <paramref name="trace"/> is null; nothing where there is neither, or one is there already.</summary>
    public static void Add(Headers headers, string? trace = null)
    {
        trace ??= Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? current.Id : null;
        if (trace is not null && !headers.TryGetLastBytes(Name, out _))
            CloudEvents.Add(headers, Name, trace);
    }
}
