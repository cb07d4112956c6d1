using System.Runtime.CompilerServices;
using System.Text;
using MassDpo.Ingest.Sources;
using MassDpo.Ingest.Tests.Actor;
using MassDpo.Ingest.Tests.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests;

public sealed class ValidatedSourceTests
{
    private static readonly SettledPositions Nothing = new();

    private static ValidatedSource Of(IRecordSource source, int validators) => new(source, IntakeScene.NewValidator(), validators);

    private static async Task<List<ValidatedEntry>> AllOf(IRecordSource source, int validators, SettledPositions? settled = null)
    {
        var all = new List<ValidatedEntry>();
        await foreach (var entry in Of(source, validators).ReadAsync(settled ?? Nothing, default))
            all.Add(entry);
        return all;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(97)]
    public async Task Any_number_of_validators_gives_the_same_in_the_same_order(int pause)
    {
        var one = await AllOf(new ScriptedSource(500, passes: 2, pause, isBad: i => i % 5 == 3), validators: 1);
        Assert.Equal((800, 200, 2), (one.Count(entry => entry.Pool is not null), one.Count(entry => entry.Dead is not null), one.Count(entry => entry.Entry is SourceEntry.PassEnd)));
        foreach (var validators in (int[])[2, 3, 8])
        {
            var many = await AllOf(new ScriptedSource(500, passes: 2, pause, isBad: i => i % 5 == 3), validators);
            Assert.Equal(one.Select(Told), many.Select(Told));
        }

        static (Position, string?, string?, string?) Told(ValidatedEntry entry) => (entry.Entry.Position, entry.Pool?.Id, entry.Dead?.Code, (entry.Pool?.Origin ?? entry.Dead?.Origin)?.RawHash);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_record_keeps_its_bytes_also_of_a_source_that_writes_over_them(int validators)
    {
        using var folder = new TempFolder();
        var lines = Enumerable.Range(0, 300).Select(i => $$"""{"id":"{{i}}","prompt":{"history":["a"]},"chosen":"b","rejected":["c"],"meta":"{{new string('x', i)}}"}""").ToList();
        var file = folder.Write("records.jsonl", string.Join("\n", lines));
        await using var source = new FileSource([file], Reading.InOrder);
        var pools = (await AllOf(source, validators)).Where(entry => entry.Pool is not null).Select(entry => entry.Pool!).ToList();
        Assert.Equal(lines, pools.Select(pool => Encoding.UTF8.GetString(pool.Origin.Raw.Span)));
        Assert.Equal(Enumerable.Range(0, 300), pools.Select(pool => pool.Record.Meta!.Value.GetString()!.Length));
    }

    [Fact]
    public async Task What_is_settled_is_not_validated()
    {
        var settled = new SettledPositions();
        settled.AddRange(new Position("scripted", 0, 40), 60);
        var entries = await AllOf(new ScriptedSource(100, isBad: _ => true), 2, settled);
        Assert.Equal(Enumerable.Range(40, 20).Select(i => (long)i), entries.Where(entry => entry is { Entry: SourceEntry.Bytes, Dead: null }).Select(entry => entry.Entry.Position.Index));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_has_come_does_not_wait_for_what_has_not(int validators)
    {
        var more = new TaskCompletionSource();
        var source = new ScriptedSource(10) { Before = (position, _) => position.Index == 5 ? more.Task : Task.CompletedTask };
        await using var entries = Of(source, validators).ReadAsync(Nothing, default).GetAsyncEnumerator();
        for (var i = 0; i < 5; i++)
            Assert.True(await entries.MoveNextAsync());
        var next = entries.MoveNextAsync();
        Assert.False(next.IsCompleted);
        more.SetResult();
        Assert.True(await next);
        Assert.Equal(5, entries.Current.Entry.Position.Index);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 200)]
    [InlineData(4, 400)]
    public async Task Only_so_much_is_read_ahead(int validators, int ahead)
    {
        var source = new ScriptedSource(20_000);
        var taken = 0;
        await foreach (var entry in Of(source, validators).ReadAsync(Nothing, default))
        {
            if (entry.Entry is SourceEntry.PassEnd)
                continue;
            taken++;
            Assert.InRange(source.Taken, taken, taken + ahead);
        }
        Assert.Equal(20_000, taken);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_source_that_fails_does_so_after_what_came_before(int validators)
    {
        var source = new ScriptedSource(100) { Before = (position, _) => position.Index == 50 ? throw new IOException("gone") : Task.CompletedTask };
        var taken = 0;
        var failure = await Assert.ThrowsAsync<IOException>(async () =>
        {
            await foreach (var entry in Of(source, validators).ReadAsync(Nothing, default))
                Assert.Equal(taken++, entry.Entry.Position.Index);
        });
        Assert.Equal(("gone", 50), (failure.Message, taken));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    public async Task Whoever_leaves_leaves_the_source_too(int validators, bool waits)
    {
        var left = new TaskCompletionSource();
        await using var source = new EnumerableSource("made", Records);
        await using (var entries = Of(source, validators).ReadAsync(Nothing, default).GetAsyncEnumerator())
            for (var i = 0; i < 5; i++)
                Assert.True(await entries.MoveNextAsync());
        await left.Task;

        async IAsyncEnumerable<PreferenceRecord> Records([EnumeratorCancellation] CancellationToken cancellation)
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    if (waits && i == 5)
                        await Task.Delay(Timeout.Infinite, cancellation);
                    yield return new PreferenceRecord { Prompt = Prompt.OfHistory(["a"]), Candidates = ["b", "c"] };
                }
            }
            finally
            {
                left.SetResult();
            }
        }
    }
}
