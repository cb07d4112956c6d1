using MassDpo.LinkKit;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Files;

namespace MassDpo.Wire.Tests;

/// <summary>The bytes of everything that travels, as they were when each file was made: processes of different builds understand each other.</summary>
public sealed class GoldenTests
{
    private static readonly Dictionary<string, (object Sample, byte[] Bytes, Func<byte[], object?> Decode)> Forms = All().ToDictionary(form => form.Name, form => (form.Sample, form.Bytes, form.Decode));

    public static TheoryData<string> Names => [.. Forms.Keys];

    private static GoldenFiles Files { get; } = new("Wire.Tests");

    [Theory]
    [MemberData(nameof(Names))]
    public void What_was_written_once_is_read_and_written_alike(string name)
    {
        var (sample, bytes, decode) = Forms[name];
        var golden = Files.Read(name, bytes);
        Assert.Equal(Telling.Of(decode(bytes)), Telling.Of(decode(golden)));
        Assert.Equal(Convert.ToHexString(golden), Convert.ToHexString(bytes));
        Assert.Equal(sample.GetType(), decode(golden)?.GetType());
    }

    [Fact]
    public void Every_file_is_of_something_that_travels() =>
        Assert.Equal(Forms.Keys.Order(StringComparer.Ordinal), Files.Names);

    private static IEnumerable<(string Name, object Sample, byte[] Bytes, Func<byte[], object?> Decode)> All()
    {
        foreach (var (name, message) in Numbered(Samples.Messages))
            yield return (name, message, MessageCodec.Encode(message), bytes => MessageCodec.Decode(bytes));
        foreach (var (name, notice) in Numbered(Samples.Notices))
            yield return (name, notice, NoticeCodec.Encode(notice), bytes => NoticeCodec.Decode(bytes).Notice);
        var claim = new EpochClaim(4, 7, "hash", Forced: true) { Committed = 5 };
        yield return ("EpochClaim", claim, NoticeCodec.Encode(claim, "me"), bytes => NoticeCodec.Decode(bytes).Claim);
        yield return ("SelectionBlock", Samples.Selections(), SelectionCodec.Encode(Samples.Selections()), bytes => SelectionCodec.Decode(bytes));
        yield return ("PoolBlock", Samples.Pools(), PoolCodec.Encode(Samples.Pools()), bytes => PoolCodec.Decode(bytes));
        yield return ("SnapshotManifest", CodecTests.Manifest, CodecTests.Manifest.Encode(), bytes => SnapshotManifest.Decode(bytes));
    }

    // By type, with a number where there are several of one.
    private static IEnumerable<(string Name, T Sample)> Numbered<T>(IEnumerable<T> samples) where T : notnull =>
        samples.GroupBy(sample => sample.GetType().Name).SelectMany(group => group.Select((sample, i) => (i == 0 ? group.Key : $"{group.Key}-{i + 1}", sample)));
}
