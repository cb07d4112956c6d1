using System.Text;
using MassDpo.App.Demo;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Demo;

public sealed class PositionCountsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Positions_are_counted_over_updates_and_dead_letters()
    {
        Write([[0, 2], [3, null]], [1]);
        Assert.Equal(new PositionCounts(3, 1), PositionCounts.Check(_folder["run"], 4));
    }

    [Theory]
    [InlineData(3, "input has 3")]
    [InlineData(5, "input has 5")]
    public void Another_number_is_refused(int expected, string message)
    {
        Write([[0, 2], [3, null]], [1]);
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => PositionCounts.Check(_folder["run"], expected)).Message);
    }

    [Fact]
    public void A_position_that_comes_twice_is_named()
    {
        Write([[0, 1], [1, null]], []);
        Assert.Contains("input/0:0:1", Assert.Throws<InvalidDataException>(() => PositionCounts.Check(_folder["run"], 2)).Message);
        Write([[0, 1]], [1]);
        Assert.Contains("input/0:0:1", Assert.Throws<InvalidDataException>(() => PositionCounts.Check(_folder["run"], 2)).Message);
    }

    private void Write(long?[][] updates, long[] dead)
    {
        var lines = new StringBuilder();
        for (var i = 0; i < updates.Length; i++)
            lines.Append(Encoding.UTF8.GetString(new UpdateEntry(i + 1, 0, [.. updates[i].Select(index => index is { } at ? Position(at) : (Position?)null)],
                [.. updates[i].Select(_ => "")], [updates[i].Length], 1, 1).ToLine()));
        _folder.Write("run/updates.jsonl", lines.ToString());
        _folder.Write("run/dead-letters.jsonl", string.Concat(dead.Select(index => $"{{\"v\":1,\"position\":\"{Position(index)}\"}}\n")));
    }

    private static Position Position(long index) => new("input/0", 0, index);
}
