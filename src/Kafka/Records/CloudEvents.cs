using System.Text;
using Confluent.Kafka;

namespace MassDpo.Kafka.Records;

/// <summary>
/// Headers of CloudEvents 1.0 in binary mode (Kafka protocol binding, §3.2): the value is the record itself, headers say what it is. What arrives without
/// them is taken as it is; a type that is known to be another's is refused.
/// </summary>
public static class CloudEvents
{
    /// <summary>A preference record as JSON.</summary>
    public const string RecordType = "massdpo.preference.v1";

    private const string SpecVersion = "1.0";

    /// <summary>Headers for a value.</summary>
    /// <param name="type">what it is</param>
    /// <param name="source">where it is from, a URI reference</param>
    /// <param name="id">unique within the source</param>
    /// <param name="contentType">of the value</param>
    public static Headers Of(string type, string source, string id, string contentType = "application/json")
    {
        var headers = new Headers();
        Add(headers, "content-type", contentType);
        Add(headers, "ce_specversion", SpecVersion);
        Add(headers, "ce_type", type);
        Add(headers, "ce_source", source);
        Add(headers, "ce_id", id);
        return headers;
    }

    /// <summary>What a header says as text; null where it is absent.</summary>
    public static string? Read(Headers? headers, string name) =>
        headers is not null && headers.TryGetLastBytes(name, out var bytes) && bytes is not null ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>Adds a header.</summary>
    public static void Add(Headers headers, string name, string value) => headers.Add(name, Encoding.UTF8.GetBytes(value));
}
