using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Shared.Tests.Contracts;

public sealed class SettledPositionsTests
{
    [Fact]
    public void Whatever_the_order_the_same_positions_make_the_same_set()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new StableRandom(seed);
            var expected = new HashSet<Position>();
            var settled = new SettledPositions();
            for (var i = 0; i < 120; i++)
            {
                var position = new Position(random.Below(2) == 0 ? "a" : "b:c", random.Below(2), random.Below(40));
                Assert.Equal(expected.Add(position), settled.Add(position));
            }
            Assert.Equal(expected.Count, settled.Count);
            foreach (var source in new[] { "a", "b:c", "other" })
                for (var pass = 0; pass < 3; pass++)
                    for (var index = 0; index < 42; index++)
                        Assert.Equal(expected.Contains(new Position(source, pass, index)), settled.Contains(new Position(source, pass, index)));
            Assert.Equal(settled.ToJson().ToJsonString(), settled.Copy().ToJson().ToJsonString());
            Assert.Equal(settled.Count, settled.Copy().Count);
        }
    }

    [Fact]
    public void Neighbours_become_one_interval()
    {
        var settled = new SettledPositions();
        foreach (var index in new long[] { 0, 2, 4, 3, 1 })
            settled.Add(new Position("s", 0, index));
        Assert.Equal("""{"s":{"passes":{"0":[[0,5]]},"lengths":{}}}""", settled.ToJson().ToJsonString());
    }

    [Fact]
    public void The_watermark_is_the_first_gap_and_crosses_passes_whose_length_is_known()
    {
        var settled = new SettledPositions();
        Assert.Equal(new Position("s", 0, 0), settled.Watermark("s"));
        settled.Add(new Position("s", 0, 0));
        settled.Add(new Position("s", 0, 1));
        settled.Add(new Position("s", 1, 0));
        Assert.Equal(new Position("s", 0, 2), settled.Watermark("s"));
        settled.EndPass("s", 0, 2);
        Assert.Equal(new Position("s", 1, 1), settled.Watermark("s"));
        settled.EndPass("s", 1, 1);
        Assert.Equal(new Position("s", 2, 0), settled.Copy().Watermark("s"));
    }

    [Theory]
    [InlineData("""{"s":{"passes":{"0":[[3,1]]},"lengths":{}}}""")]
    [InlineData("""{"s":{"passes":{"0":[[0,4],[2,6]]},"lengths":{}}}""")]
    [InlineData("""{"s":{"passes":{"x":[]},"lengths":{}}}""")]
    [InlineData("""{"s":{"lengths":{}}}""")]
    [InlineData("""{"s":7}""")]
    public void A_malformed_form_is_refused(string json) =>
        Assert.Throws<System.Text.Json.JsonException>(() => SettledPositions.FromJson(System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject()));

    [Theory]
    [InlineData("files:0:12", "files", 0, 12)]
    [InlineData("topic:with:colons/3:1:0", "topic:with:colons/3", 1, 0)]
    public void A_position_is_read_back(string text, string source, int pass, long index)
    {
        Assert.Equal(new Position(source, pass, index), Position.Parse(text));
        Assert.Equal(text, Position.Parse(text).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("files")]
    [InlineData("files:1")]
    [InlineData(":1:2")]
    [InlineData("files:-1:2")]
    [InlineData("files:1:2x")]
    public void What_is_no_position_is_refused(string text) => Assert.Throws<FormatException>(() => Position.Parse(text));
}
