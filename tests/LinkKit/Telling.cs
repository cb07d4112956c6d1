using System.Text.Json;
using System.Text.Json.Serialization;
using MassDpo.Shared.Links;

namespace MassDpo.LinkKit;

/// <summary>What travels over links as text, to be compared: all public properties, by value.</summary>
public static class Telling
{
    private static readonly JsonSerializerOptions Options = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    public static string Of<T>(T value) => value is null ? "null" : JsonSerializer.Serialize(value, value.GetType(), Options) + (value switch
    {
        EpochOpened opened => opened.Settled.ToJson().ToJsonString(),
        CheckpointWritten written => written.Settled.ToJson().ToJsonString(),
        _ => "",
    });
}
