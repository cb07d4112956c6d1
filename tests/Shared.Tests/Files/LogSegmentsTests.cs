using MassDpo.Shared.Files;
using MassDpo.TestKit;

namespace MassDpo.Shared.Tests.Files;

public sealed class LogSegmentsTests
{
    [Theory]
    [InlineData(0, "updates.jsonl")]
    [InlineData(1, "updates-v000000000001.jsonl")]
    [InlineData(999_999_999_999, "updates-v999999999999.jsonl")]
    public void A_segment_is_named_by_the_version_that_it_begins_at(long begin, string name)
    {
        var path = LogSegments.PathOf(Path.Combine("out", "updates.jsonl"), begin);
        Assert.Equal(Path.Combine("out", name), path);
        Assert.Equal(begin, LogSegments.BeginOf("updates.jsonl", name));
        Assert.Null(LogSegments.BeginOf("selections.jsonl", name));
    }

    [Theory]
    [InlineData("updates-v1.jsonl")]
    [InlineData("updates-v000000000000.jsonl")]
    [InlineData("updates-v00000000000x.jsonl")]
    [InlineData("updates-v-00000000001.jsonl")]
    [InlineData("updates-v000000000001.jsonl.gz")]
    [InlineData("updates-v000000000001.json")]
    [InlineData("old-updates-v000000000001.jsonl")]
    public void Another_file_is_no_segment(string name) => Assert.Null(LogSegments.BeginOf("updates.jsonl", name));

    [Fact]
    public void Those_that_are_there_are_found_in_order_with_or_without_the_first()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "updates-v000000000030.jsonl", "updates-v000000000007.jsonl", "updates.jsonl", "updates.txt", "selections-v000000000008.jsonl" })
            folder.Write(name, "");
        Assert.Equal([0, 7, 30], LogSegments.In(PhysicalFiles.Instance, folder["updates.jsonl"]));
        Assert.Equal([8], LogSegments.In(PhysicalFiles.Instance, folder["selections.jsonl"]));
        Assert.Empty(LogSegments.In(PhysicalFiles.Instance, folder["metrics.jsonl"]));
        Assert.Empty(LogSegments.In(PhysicalFiles.Instance, folder["absent", "updates.jsonl"]));
    }
}
