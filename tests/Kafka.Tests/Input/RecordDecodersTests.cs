using System.Text;
using Google.Protobuf;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Input.Wire;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using PreferenceRecord = MassDpo.Kafka.Input.Wire.PreferenceRecord;

namespace MassDpo.Kafka.Tests.Input;

public sealed class RecordDecodersTests
{
    private static SourceEntry.Bytes Entry(byte[] value, string? contentType, string? type = null) =>
        new RecordDecoders().Entry("records/3", 17, value, new RecordHeaders(contentType, type, null, false), null, 1000);

    private static string Json(byte[] value) => Encoding.UTF8.GetString(Entry(value, "application/protobuf").Json.Span);

    [Theory]
    [InlineData(null, null)]
    [InlineData("application/json", "massdpo.preference.v1")]
    [InlineData("Application/JSON; charset=utf-8", "com.example.rated")]
    public void What_may_be_a_record_is_handed_on_as_it_stands(string? contentType, string? type)
    {
        var entry = Entry("{}"u8.ToArray(), contentType, type);
        Assert.Null(entry.Flaw);
        Assert.Equal("{}"u8.ToArray(), entry.Json.ToArray());
        Assert.Equal(("records/3", 17, new Position("records/3", 0, 17)), (entry.File, entry.Line, entry.Position));
    }

    [Theory]
    [InlineData("image/png", null, "image/png", "application/json")]
    [InlineData("application/cloudevents+json", null, "binary mode", "headers")]
    [InlineData("application/json", "massdpo.selection.v1", "massdpo.selection.v1", "massdpo.preference.v1")]
    [InlineData("application/protobuf", null, "massdpo.v1.PreferenceRecord", "preference.proto")]
    public void What_is_known_to_be_none_has_a_flaw_that_names_it_and_the_remedy(string contentType, string? type, string named, string remedy)
    {
        var flaw = Entry([0xff, 0xff], contentType, type).Flaw!;
        Assert.Equal(DeadLetterCodes.Unsupported, flaw.Code);
        Assert.Contains(named, flaw.Reason);
        Assert.Contains(remedy, flaw.Reason);
    }

    [Fact]
    public void A_record_of_a_chat_is_written_as_the_json_that_is_read()
    {
        var record = new Shared.Contracts.PreferenceRecord
        {
            Prompt = Prompt.OfChat([new(ChatRoles.System, "s"), new(ChatRoles.User, "\"é\"")]),
            Candidates = ["a", "b"],
        };
        Assert.Equal("""{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"\"é\""}],"chosen":"a","rejected":["b"]}""", Encoding.UTF8.GetString(Kafka.Records.RecordJson.Of(record)));
    }

    [Fact]
    public void Protobuf_becomes_the_json_of_the_same_record()
    {
        var items = new PreferenceRecord { Id = "r", History = new History { Items = { "a", "b" } }, Candidates = { "x", "y" }, ChosenIndex = 1, Rewards = { 1.5, double.NaN }, MetaJson = """{"k":[1]}""" };
        Assert.Equal("""{"id":"r","prompt":{"history":["a","b"]},"candidates":["x","y"],"chosen_index":1,"rewards":[1.5,null],"meta":{"k":[1]}}""", Json(items.ToByteArray()));
        var texts = new PreferenceRecord { Text = "", Chosen = "", Rejected = { "x" }, ReferenceLogps = { -1, -2 } };
        Assert.Equal("""{"prompt":"","chosen":"","rejected":["x"],"reference_logps":[-1,-2]}""", Json(texts.ToByteArray()));
        var chat = new PreferenceRecord { Chat = new Chat { Messages = { new Kafka.Input.Wire.ChatMessage { Role = "user", Content = "é\"" } } }, Chosen = "a", Rejected = { "b" } };
        Assert.Equal("""{"prompt":[{"role":"user","content":"\u00E9\u0022"}],"chosen":"a","rejected":["b"]}""", Json(chat.ToByteArray()));
        Assert.Equal("""{"ranked":["x","y"]}""", Json(new PreferenceRecord { Ranked = { "x", "y" } }.ToByteArray()));
        foreach (var none in new[] { "{", "" })
            Assert.Contains("meta_json", Entry(new PreferenceRecord { MetaJson = none }.ToByteArray(), "application/x-protobuf").Flaw!.Reason);
    }
}
