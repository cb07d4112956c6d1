using System.CommandLine;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MassDpo.App.Terminal;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo tail</c>: what is in a topic.</summary>
internal static class TailVerb
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var command = new Command("tail", "Prints a topic's messages, one JSON line each.").WithDetails("""
            {"partition", "offset", "time", "key", "headers", "value"}; a value that is JSON stands as it is, any other text as text, and what is no text as its bytes in
            base64 under "bytes". It joins no consumer group: nobody else reads less for it.

            Examples:
              massdpo tail --bootstrap localhost:9092 --topic preferences
              massdpo tail --bootstrap localhost:9092 --topic preferences --from-beginning --until-end
            """);
        var topic = KafkaOption.Topic();
        var beginning = new Option<bool>("--from-beginning") { Description = "What is there already, too." };
        var end = new Option<bool>("--until-end") { Description = "End where the topic ends now; without it, go on until stopped." };
        foreach (var option in new Option[] { topic, beginning, end })
            command.Options.Add(option);
        var settings = new SettingOptions(command, KafkaOption.Bootstrap);
        command.SetAction(async (parsed, cancellation) =>
        {
            var options = KafkaOptions.From(settings.Read(parsed));
            await foreach (var message in TopicReader.ReadAsync(options, parsed.GetValue(topic)!, parsed.GetValue(beginning), parsed.GetValue(end), cancellation))
                Output.Line(Line(message));
            return ExitCode.Done;
        });
        return command;
    }

    internal static string Line(TopicMessage message)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Plain))
        {
            json.WriteStartObject();
            json.WriteNumber("partition", message.Partition);
            json.WriteNumber("offset", message.Offset);
            json.WriteString("time", message.Time.ToString("O"));
            WriteText(json, "key", message.Key);
            json.WriteStartObject("headers");
            foreach (var header in message.Headers)
                WriteText(json, header.Key, header.GetValueBytes());
            json.WriteEndObject();
            WriteValue(json, message.Value);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void WriteValue(Utf8JsonWriter json, byte[]? value)
    {
        if (value is not null && IsJson(value))
        {
            json.WritePropertyName("value");
            json.WriteRawValue(value);
        }
        else if (value is not null && !IsText(value))
        {
            json.WriteBase64String("bytes", value);
        }
        else
        {
            WriteText(json, "value", value);
        }
    }

    private static void WriteText(Utf8JsonWriter json, string name, byte[]? bytes)
    {
        if (bytes is null)
            json.WriteNull(name);
        else
            json.WriteString(name, Encoding.UTF8.GetString(bytes));
    }

    private static bool IsText(byte[] bytes)
    {
        try
        {
            new UTF8Encoding(false, throwOnInvalidBytes: true).GetCharCount(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    private static bool IsJson(byte[] bytes)
    {
        try
        {
            using var _ = JsonDocument.Parse(bytes);
            return IsText(bytes);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
