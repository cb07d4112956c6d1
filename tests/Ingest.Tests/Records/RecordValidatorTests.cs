using System.Text;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest.Tests.Records;

public sealed class RecordValidatorTests
{
    private static readonly Position Here = new("files", 1, 17);
    private static readonly RecordEncoder Encoder = new(WordLevelTokenizer.Create(["a", "b", "c"], splitsAtWhitespace: false), MadePolicy.Config());
    private static readonly RecordValidator Validator = new(Encoder, Duplicates.Drop, 1000);

    private static SourceEntry.Bytes Line(string json, long? oversize = null) =>
        new(Here, "data/x.jsonl", 42, Encoding.UTF8.GetBytes(json), oversize);

    private static CandidatePool Pool(SourceEntry entry)
    {
        var (pool, dead) = Validator.Validate(entry);
        Assert.Null(dead);
        return pool!;
    }

    private static DeadLetter Dead(SourceEntry entry)
    {
        var (pool, dead) = Validator.Validate(entry);
        Assert.Null(pool);
        Assert.Equal(Here, dead!.Position);
        return dead;
    }

    [Fact]
    public void A_line_becomes_a_pool_with_its_position_its_origin_and_what_was_dropped()
    {
        const string json = """{"id":"r","prompt":{"history":["a","?"]},"chosen":"a","rejected":["b","b","!","c"]}""";
        var pool = Pool(Line(json));
        Assert.Equal(("r", Here, 1, 2), (pool.Id, pool.Position, pool.Duplicates, pool.UnknownItems));
        Assert.Equal(["a", "b", "c"], pool.Record.Candidates);
        Assert.Equal([[3], [4], [5]], pool.Tokens.Responses);
        Assert.Equal(("data/x.jsonl", 42), (pool.Origin.File, pool.Origin.Line));
        Assert.Equal((json.Length, ContentHash.Of(json)), (pool.Origin.RawLength, pool.Origin.RawHash));
        Assert.Equal("files:1:17", Pool(Line("""{"prompt":{"history":["a"]},"chosen":"a","rejected":["b"]}""")).Id);
    }

    [Theory]
    [InlineData("{", DeadLetterCodes.Json)]
    [InlineData("""{"chosen":"a"}""", DeadLetterCodes.Field)]
    [InlineData("""{"prompt":{"history":[]},"chosen":"?","rejected":["a"]}""", DeadLetterCodes.UnknownItem)]
    [InlineData("""{"prompt":{"history":[]},"chosen":"a","rejected":["a","a"]}""", DeadLetterCodes.EmptyPool)]
    [InlineData("""{"messages":[{"role":"tool","content":"x"}],"chosen":"a","rejected":"b"}""", DeadLetterCodes.Unsupported)]
    public void A_line_that_is_no_record_becomes_a_dead_letter_with_file_line_reason_and_raw_bytes(string json, string code)
    {
        var dead = Dead(Line(json));
        Assert.Equal(code, dead.Code);
        Assert.InRange(dead.Reason.Length, 20, 300);
        Assert.Equal(("data/x.jsonl", 42, json), (dead.Origin.File, dead.Origin.Line, Encoding.UTF8.GetString(dead.Origin.Raw.Span)));
    }

    [Fact]
    public void A_long_line_keeps_its_beginning_its_length_and_its_hash()
    {
        var json = "{\"x\":\"" + new string('y', 10_000);
        var dead = Dead(Line(json));
        Assert.Equal(json[..RecordOrigin.RawLimit], Encoding.UTF8.GetString(dead.Origin.Raw.Span));
        Assert.Equal((10_006, ContentHash.Of(json)), (dead.Origin.RawLength, dead.Origin.RawHash));
    }

    [Fact]
    public void What_the_source_knows_to_be_no_record_is_not_read_and_keeps_where_and_when_it_was()
    {
        var time = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var dead = Dead(Line("""{"prompt":{"history":[]},"chosen":"a","rejected":["b"]}""") with { File = "records/3", Time = time, Flaw = new RecordFlaw(DeadLetterCodes.Unsupported, "another kind") });
        Assert.Equal((DeadLetterCodes.Unsupported, "another kind", "records/3", 42), (dead.Code, dead.Reason, dead.Origin.File, dead.Origin.Line));
        Assert.Equal(time, dead.Origin.Time);
        Assert.Contains("\"time\":\"2026-01-02T03:04:05+00:00\"", Encoding.UTF8.GetString(DeadLetterLine.Of(dead)));
    }

    [Fact]
    public void A_line_beyond_the_limit_is_refused_with_its_length_and_the_setting()
    {
        var dead = Dead(Line("""{"prompt":{"history":[]},"chosen":"a","rejected":["b"]}""", oversize: 12_345));
        Assert.Equal((DeadLetterCodes.TooLarge, 12_345), (dead.Code, dead.Origin.RawLength));
        foreach (var part in new[] { "12345 bytes", "1000", "ingest.max-record-bytes" })
            Assert.Contains(part, dead.Reason);
    }

    [Fact]
    public void A_record_of_ones_own_code_is_validated_alike()
    {
        var pool = Pool(Made(Valid));
        Assert.Equal(("files:1:17", "files", 0, 0), (pool.Id, pool.Origin.File, pool.Origin.Line, pool.Origin.RawLength));
        Assert.Equal("x😀😁y", Pool(Made(Valid with { Id = "x😀😁y" })).Id);
        Assert.Equal(DeadLetterCodes.UnknownItem, Dead(Made(Valid with { Candidates = ["?", "a"] })).Code);
    }

    public static TheoryData<string, string, string> Flaws => new()
    {
        { "null record", DeadLetterCodes.Field, "null" },
        { "null prompt", DeadLetterCodes.Field, "Prompt" },
        { "null text", DeadLetterCodes.Field, "Prompt" },
        { "null items", DeadLetterCodes.Field, "Prompt" },
        { "null item", DeadLetterCodes.Field, "Prompt.Items" },
        { "null messages", DeadLetterCodes.Field, "Prompt" },
        { "null message", DeadLetterCodes.Field, "Prompt.Messages" },
        { "no messages", DeadLetterCodes.Unsupported, "give at least the user's" },
        { "unknown role", DeadLetterCodes.Unsupported, "leave tools out" },
        { "half a pair in a message", DeadLetterCodes.Encoding, "Prompt.Messages" },
        { "null candidates", DeadLetterCodes.Field, "Candidates" },
        { "null candidate", DeadLetterCodes.Field, "Candidates" },
        { "no candidates", DeadLetterCodes.EmptyPool, "no rejected response" },
        { "one candidate", DeadLetterCodes.EmptyPool, "no rejected response" },
        { "few rewards", DeadLetterCodes.Field, "Rewards has 1 numbers for 2" },
        { "many logps", DeadLetterCodes.Field, "ReferenceLogps has 3 numbers for 2" },
        { "half a pair", DeadLetterCodes.Encoding, "Candidates" },
        { "half a pair at the end", DeadLetterCodes.Encoding, "Prompt" },
        { "halves in the wrong order", DeadLetterCodes.Encoding, "Id" },
    };

    [Theory]
    [MemberData(nameof(Flaws))]
    public void What_a_parser_would_have_refused_is_refused_in_records_of_ones_own_code_too(string flaw, string code, string named)
    {
        var record = flaw switch
        {
            "null record" => null!,
            "null prompt" => Valid with { Prompt = null! },
            "null text" => Valid with { Prompt = Prompt.OfText(null!) },
            "null items" => Valid with { Prompt = Prompt.OfHistory(null!) },
            "null item" => Valid with { Prompt = Prompt.OfHistory(["a", null!]) },
            "null messages" => Valid with { Prompt = Prompt.OfChat(null!) },
            "null message" => Valid with { Prompt = Prompt.OfChat([null!]) },
            "no messages" => Valid with { Prompt = Prompt.OfChat([]) },
            "unknown role" => Valid with { Prompt = Prompt.OfChat([new ChatMessage("tool", "x")]) },
            "half a pair in a message" => Valid with { Prompt = Prompt.OfChat([new ChatMessage(ChatRoles.User, "x\ud83d")]) },
            "null candidates" => Valid with { Candidates = null! },
            "null candidate" => Valid with { Candidates = ["a", null!] },
            "no candidates" => Valid with { Candidates = [], Rewards = null },
            "one candidate" => Valid with { Candidates = ["a"], Rewards = null },
            "few rewards" => Valid with { Rewards = [1] },
            "many logps" => Valid with { ReferenceLogps = [1, 2, 3] },
            "half a pair" => Valid with { Candidates = ["a", "😀\ud83d b"] },
            "half a pair at the end" => Valid with { Prompt = Prompt.OfText("x\ud83d") },
            _ => Valid with { Id = "\ude00\ud83d" },
        };
        var dead = Dead(Made(record));
        Assert.Equal(code, dead.Code);
        Assert.Contains(named, dead.Reason);
    }

    [Fact]
    public void The_end_of_a_pass_is_no_record() =>
        Assert.Throws<ArgumentException>(() => Validator.Validate(new SourceEntry.PassEnd(Here)));

    private static PreferenceRecord Valid { get; } = new() { Prompt = Prompt.OfHistory(["a"]), Candidates = ["b", "c"], Rewards = [1, double.NaN] };

    private static SourceEntry.Made Made(PreferenceRecord record) => new(Here, record);
}
