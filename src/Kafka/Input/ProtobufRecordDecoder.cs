using System.Buffers;
using System.Text.Json;
using MassDpo.Kafka.Input.Wire;
using MassDpo.Kafka.Records;
using MassDpo.Wire;

namespace MassDpo.Kafka.Input;

/// <summary>Records in Protobuf, as preference.proto beside this file describes them. A dead letter of one holds it as JSON.</summary>
public sealed class ProtobufRecordDecoder : IRecordDecoder
{
    public IReadOnlyList<string> ContentTypes { get; } = ["application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf"];

    public ReadOnlyMemory<byte> ToJson(ReadOnlyMemory<byte> value)
    {
        var record = Parse(value);
        var buffer = new ArrayBufferWriter<byte>(value.Length + 64);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (record.HasId)
                json.WriteString("id"u8, record.Id);
            WritePrompt(json, record);
            if (record.HasChosen)
                json.WriteString("chosen"u8, record.Chosen);
            // An empty list and none are the same in Protobuf; what is missing is told where records are validated.
            if (record.Rejected.Count > 0)
                RecordJson.Texts(json, "rejected", record.Rejected);
            if (record.Candidates.Count > 0)
                RecordJson.Texts(json, "candidates", record.Candidates);
            if (record.HasChosenIndex)
                json.WriteNumber("chosen_index"u8, record.ChosenIndex);
            if (record.Ranked.Count > 0)
                RecordJson.Texts(json, "ranked", record.Ranked);
            if (record.Rewards.Count > 0)
                RecordJson.Numbers(json, "rewards", record.Rewards);
            if (record.ReferenceLogps.Count > 0)
                RecordJson.Numbers(json, "reference_logps", record.ReferenceLogps);
            WriteMeta(json, record);
            json.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    private static PreferenceRecord Parse(ReadOnlyMemory<byte> value)
    {
        try
        {
            return ProtobufReader.Read(PreferenceRecord.Parser, value.Span);
        }
        catch (WireFormatException e)
        {
            throw new InvalidDataException($"not a massdpo.v1.PreferenceRecord: {(e.InnerException ?? e).Message.TrimEnd('.')}. Write it as preference.proto says, without a length or a schema id before it", e);
        }
    }

    private static void WritePrompt(Utf8JsonWriter json, PreferenceRecord record)
    {
        switch (record.PromptCase)
        {
            case PreferenceRecord.PromptOneofCase.Text:
                json.WriteString("prompt"u8, record.Text);
                break;
            case PreferenceRecord.PromptOneofCase.History:
                json.WriteStartObject("prompt"u8);
                RecordJson.Texts(json, "history", record.History.Items);
                json.WriteEndObject();
                break;
            case PreferenceRecord.PromptOneofCase.Chat:
                RecordJson.Messages(json, "prompt", record.Chat.Messages.Select(message => (message.Role, message.Content)));
                break;
        }
    }

    private static void WriteMeta(Utf8JsonWriter json, PreferenceRecord record)
    {
        if (!record.HasMetaJson)
            return;
        json.WritePropertyName("meta"u8);
        try
        {
            json.WriteRawValue(record.MetaJson);
        }
        // The writer's word for a text of nothing is the second.
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"its meta_json is not JSON: {e.Message}", e);
        }
    }
}
