using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Records;

/// <summary>A record that a program made, as the JSON that reads back as the same record.</summary>
public static class RecordJson
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One JSON object in UTF-8, without a line's end.</summary>
    /// <exception cref="InvalidDataException">the record has no prompt, or no candidates</exception>
    public static byte[] Of(PreferenceRecord record)
    {
        if (record is not { Prompt: { } prompt, Candidates: { Count: > 0 } candidates })
            throw new InvalidDataException("the record, its prompt or its candidates are absent: give a prompt and at least two candidates, the chosen one first");
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Plain))
        {
            json.WriteStartObject();
            if (record.Id is { } id)
                json.WriteString("id"u8, id);
            if (prompt.Form == PromptForm.Text)
            {
                json.WriteString("prompt"u8, prompt.Text);
            }
            else if (prompt.Form == PromptForm.Chat)
            {
                Messages(json, "prompt", prompt.Messages.Select(message => (message.Role, message.Content)));
            }
            else
            {
                json.WriteStartObject("prompt"u8);
                Texts(json, "history", prompt.Items);
                json.WriteEndObject();
            }
            if (record.Ranked)
            {
                Texts(json, "ranked", candidates);
            }
            else
            {
                json.WriteString("chosen"u8, candidates[0]);
                Texts(json, "rejected", candidates.Skip(1));
            }
            if (record.Rewards is { } rewards)
                Numbers(json, "rewards", rewards);
            if (record.ReferenceLogps is { } logps)
                Numbers(json, "reference_logps", logps);
            if (record.Meta is { } meta)
            {
                json.WritePropertyName("meta"u8);
                meta.WriteTo(json);
            }
            if (record.UnknownFields is { } unknown)
                WriteUnknown(json, unknown);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteUnknown(Utf8JsonWriter json, string unknown)
    {
        using var fields = JsonDocument.Parse(unknown);
        foreach (var field in fields.RootElement.EnumerateObject())
            field.WriteTo(json);
    }

    internal static void Messages(Utf8JsonWriter json, string name, IEnumerable<(string Role, string Content)> messages)
    {
        json.WriteStartArray(name);
        foreach (var (role, content) in messages)
        {
            json.WriteStartObject();
            json.WriteString("role"u8, role);
            json.WriteString("content"u8, content);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    internal static void Texts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }

    internal static void Numbers(Utf8JsonWriter json, string name, IEnumerable<double> numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers)
        {
            if (double.IsFinite(number))
                json.WriteNumberValue(number);
            else
                json.WriteNullValue();
        }
        json.WriteEndArray();
    }
}
