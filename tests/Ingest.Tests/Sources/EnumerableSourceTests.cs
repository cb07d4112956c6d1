using System.Runtime.CompilerServices;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Tests.Sources;

public sealed class EnumerableSourceTests
{
    [Fact]
    public async Task Records_of_ones_own_code_are_one_pass_with_positions()
    {
        var source = new EnumerableSource("mine", Records);
        Assert.Equal(("mine", "mine", null), (source.Name, source.Identity, source.EstimatedRecords));
        var read = await Reading.AllOf(source);
        Assert.Equal([("p0", false), ("p1", false), ("p2", false), ("", true)], read.Select(r => (r.Text, r.IsPassEnd)));
        Assert.Equal(Enumerable.Range(0, 4).Select(i => new Position("mine", 0, i)), read.Select(r => r.Position));
    }

    [Fact]
    public async Task Reading_on_from_any_position_gives_exactly_what_was_left()
    {
        var source = new EnumerableSource("mine", Records);
        var whole = await Reading.AllOf(source);
        for (var index = 0; index <= 4; index++)
            Assert.Equal(whole.Where(r => r.IsPassEnd || r.Position.Index >= index), await Reading.AllOf(source, new Position("mine", 0, index)));
    }

    [Fact]
    public async Task After_its_pass_nothing_is_asked_for_again()
    {
        var source = new EnumerableSource("mine", _ => throw new InvalidOperationException("asked"));
        Assert.Empty(await Reading.AllOf(source, new Position("mine", 1, 0)));
    }

    [Fact]
    public async Task Each_reading_asks_anew_with_its_own_cancellation()
    {
        var asked = new List<CancellationToken>();
        var source = new EnumerableSource("mine", cancellation =>
        {
            asked.Add(cancellation);
            return Records(cancellation);
        });
        using var stop = new CancellationTokenSource();
        await using var entries = source.ReadAsync(new SettledPositions(), stop.Token).GetAsyncEnumerator();
        Assert.True(await entries.MoveNextAsync());
        stop.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await entries.MoveNextAsync());
        Assert.Equal(4, (await Reading.AllOf(source)).Count);
        Assert.Equal([true, false], asked.Select(token => token.IsCancellationRequested));
    }

    private static async IAsyncEnumerable<PreferenceRecord> Records([EnumeratorCancellation] CancellationToken cancellation)
    {
        for (var i = 0; i < 3; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.Yield();
            yield return new PreferenceRecord { Prompt = Prompt.OfText("p" + i), Candidates = ["a", "b"] };
        }
    }
}
