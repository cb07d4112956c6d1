using System.IO.Pipes;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests.Sources;

public sealed class FileSourceTests
{
    private static readonly ShuffleOrder[] Orders =
        [ShuffleOrder.None, ShuffleOrder.Whole, ShuffleOrder.Through(2), ShuffleOrder.Through(7), ShuffleOrder.Through(1000)];

    [Fact]
    public async Task Files_are_one_source_and_each_line_knows_its_own_place()
    {
        using var folder = new TempFolder();
        var (b, a) = (folder.Write("b.jsonl", "b1\n\nb3"), Reading.Pack(folder, "a.jsonl.gz", "a1\n"));
        var (empty, c) = (folder.Write("empty.jsonl", ""), folder.Write("c.jsonl", "\n\nc3\n"));
        var read = await Reading.AllOf([b, a, empty, c], Reading.InOrder);
        Assert.Equal([(b, 1, "b1"), (b, 3, "b3"), (a, 1, "a1"), (c, 3, "c3"), ("", 0, "")], read.Select(r => (r.File, r.Line, r.Text)));
        Assert.Equal(Enumerable.Range(0, 5).Select(i => new Position("files", 0, i)), read.Select(r => r.Position));
        Assert.True(read[4].IsPassEnd);
    }

    [Fact]
    public async Task A_file_with_no_records_is_a_pass_of_none()
    {
        using var folder = new TempFolder();
        foreach (var order in Orders)
        {
            var read = await Reading.AllOf([folder.Write("empty.jsonl", "\n \n")], Reading.InOrder with { Order = order, Passes = 3 });
            Assert.Equal(Enumerable.Range(0, 3).Select(pass => (new Position("files", pass, 0), true)), read.Select(r => (r.Position, r.IsPassEnd)));
        }
    }

    [Fact]
    public void An_absent_file_is_refused_by_its_name_before_anything_is_read()
    {
        using var folder = new TempFolder();
        var there = folder.Write("there.jsonl", "x");
        foreach (var absent in new[] { folder["absent.jsonl"], folder.Path })
            Assert.Contains(absent, Assert.Throws<FileNotFoundException>(() => new FileSource([there, absent], Reading.InOrder)).Message);
    }

    [Fact]
    public void A_pipe_is_refused_with_the_remedy()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        var file = $"/proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()}";
        var reason = Assert.Throws<IOException>(() => new FileSource([file], Reading.InOrder)).Message;
        Assert.All(new[] { file, "is a pipe", "write it to a file" }, part => Assert.Contains(part, reason));
    }

    [Fact]
    public async Task A_file_that_goes_away_or_shrinks_while_it_is_read_is_named()
    {
        using var folder = new TempFolder();
        var file = folder.Write("a.jsonl", Reading.Numbered(100));
        await using var source = new FileSource([file], Reading.InOrder with { Order = ShuffleOrder.Whole, Passes = 2 });
        await using var entries = source.ReadAsync(new SettledPositions(), default).GetAsyncEnumerator();
        Assert.True(await entries.MoveNextAsync());
        File.WriteAllText(file, "");
        Assert.Contains(file, (await Assert.ThrowsAsync<IOException>(async () =>
        {
            while (await entries.MoveNextAsync())
            {
            }
        })).Message);
        await using var later = new FileSource([file], Reading.InOrder);
        File.Delete(file);
        Assert.Contains(file, (await Assert.ThrowsAnyAsync<IOException>(() => Reading.AllOf(later))).Message);
    }

    [Fact]
    public async Task Every_pass_gives_every_line_once_and_says_where_it_ends()
    {
        using var folder = new TempFolder();
        string[] files = [folder.Write("a.jsonl", Reading.Numbered(40)), Reading.Pack(folder, "b.jsonl.gz", Reading.Numbered(23, from: 40))];
        var lines = Enumerable.Range(0, 63).Select(i => $"line {i}").Order().ToArray();
        foreach (var order in Orders)
        {
            var read = await Reading.AllOf(files, Reading.InOrder with { Order = order, Passes = 3 });
            var passes = read.Chunk(64).ToArray();
            Assert.Equal(3, passes.Length);
            for (var pass = 0; pass < passes.Length; pass++)
            {
                Assert.Equal(Enumerable.Range(0, 64).Select(i => new Position("files", pass, i)), passes[pass].Select(r => r.Position));
                Assert.Equal(63, Array.FindIndex(passes[pass], r => r.IsPassEnd));
                Assert.Equal(lines, passes[pass][..63].Select(r => r.Text).Order());
            }
            var texts = passes.Select(pass => string.Join(",", pass.Select(r => r.Text))).Distinct().Count();
            Assert.Equal(order == ShuffleOrder.None ? 1 : 3, texts);
        }
    }

    [Fact]
    public async Task A_shuffled_line_keeps_its_file_and_its_number()
    {
        using var folder = new TempFolder();
        string[] files = [folder.Write("a.jsonl", "\n" + Reading.Numbered(40)), Reading.Pack(folder, "b.jsonl.gz", Reading.Numbered(23))];
        var expected = await PlacesAsync(ShuffleOrder.None);
        foreach (var order in Orders)
            Assert.Equal(expected, await PlacesAsync(order));

        async Task<IEnumerable<(string, long, string)>> PlacesAsync(ShuffleOrder order) =>
            (await Reading.AllOf(files, Reading.InOrder with { Order = order })).Select(r => (r.File, r.Line, r.Text)).Order();
    }

    [Fact]
    public async Task Reading_on_from_any_position_gives_exactly_what_was_left()
    {
        using var folder = new TempFolder();
        string[] files = [folder.Write("a.jsonl", Reading.Numbered(9)), Reading.Pack(folder, "b.jsonl.gz", Reading.Numbered(4))];
        foreach (var order in Orders)
        {
            foreach (var maxRecords in new[] { 0, 1, 12, 13, 14, 26, 30, 39, 100 })
            {
                var options = Reading.InOrder with { Order = order, Passes = 3, MaxRecords = maxRecords };
                var whole = await Reading.AllOf(files, options);
                // One source that is read again and again, as after every new epoch.
                await using var source = new FileSource(files, options);
                for (var pass = 0; pass <= 3; pass++)
                {
                    for (var index = 0; index <= 14; index++)
                    {
                        var from = new Position("files", pass, index);
                        // A pass that is read to its last line is told to have ended, even where none of its lines is left.
                        var left = whole.Where(r => r.Position.Pass >= pass && (r.Position.Pass > pass || r.IsPassEnd || r.Position.Index >= index));
                        Assert.Equal(left, await Reading.AllOf(source, from));
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 1, 0)]
    [InlineData(9, 9, 0)]
    [InlineData(10, 10, 1)]
    [InlineData(11, 11, 1)]
    [InlineData(20, 20, 2)]
    [InlineData(25, 25, 2)]
    [InlineData(30, 30, 3)]
    [InlineData(31, 30, 3)]
    [InlineData(0, 30, 3)]
    public async Task Input_ends_after_exactly_as_many_records_as_asked_for(int maxRecords, int records, int passEnds)
    {
        using var folder = new TempFolder();
        foreach (var order in Orders)
        {
            var options = Reading.InOrder with { Order = order, Passes = 3, MaxRecords = maxRecords };
            var all = await Reading.AllOf([folder.Write("a.jsonl", Reading.Numbered(10))], Reading.InOrder with { Order = order, Passes = 3 });
            var read = await Reading.AllOf([folder["a.jsonl"]], options);
            Assert.Equal((records, passEnds), (read.Count(r => !r.IsPassEnd), read.Count(r => r.IsPassEnd)));
            Assert.Equal(all.Take(read.Count), read);
        }
    }

    [Fact]
    public async Task How_many_there_will_be_is_told_where_it_is_known()
    {
        using var folder = new TempFolder();
        string[] files = [folder.Write("a.jsonl", Reading.Numbered(10))];
        Assert.Null(new FileSource(files, Reading.InOrder).EstimatedRecords);
        Assert.Equal(7, new FileSource(files, Reading.InOrder with { MaxRecords = 7 }).EstimatedRecords);
        await using var shuffled = new FileSource(files, Reading.InOrder with { Order = ShuffleOrder.Whole, Passes = 3 });
        await Reading.AllOf(shuffled);
        Assert.Equal(30, shuffled.EstimatedRecords);
        await using var limited = new FileSource(files, Reading.InOrder with { Order = ShuffleOrder.Whole, Passes = 3, MaxRecords = 25 });
        await Reading.AllOf(limited);
        Assert.Equal(25, limited.EstimatedRecords);
    }

    [Theory]
    [InlineData("none", false)]
    [InlineData("none", true)]
    [InlineData("50", false)]
    public async Task A_stream_in_its_own_order_is_estimated_by_its_bytes_and_known_after_a_pass(string order, bool packed)
    {
        using var folder = new TempFolder();
        string[] files = [.. Enumerable.Range(0, 2).Select(i => packed
            ? Reading.Pack(folder, $"{i}.gz", Reading.Numbered(20_000, 10_000))
            : folder.Write($"{i}.jsonl", Reading.Numbered(20_000, 10_000)))];
        await using var source = new FileSource(files, Reading.InOrder with { Order = ShuffleOrder.Parse(order), Passes = 3 });
        await using var entries = source.ReadAsync(new SettledPositions(), default).GetAsyncEnumerator();
        for (var read = 1; await entries.MoveNextAsync() && entries.Current is not SourceEntry.PassEnd; read++)
            if (read is 5_000 or 15_000 or 25_000 or 39_000)
                Assert.InRange(source.EstimatedRecords!.Value, 108_000, 132_000);
        Assert.Equal(120_000, source.EstimatedRecords);
    }

    [Fact]
    public async Task A_whole_shuffle_leaves_no_temporary_files()
    {
        using var folder = new TempFolder();
        var (name, cutName) = (Guid.NewGuid() + ".gz", Guid.NewGuid() + ".gz");
        var whole = Reading.Pack(folder, name, Reading.Numbered(1000));
        var cut = Reading.WriteBytes(folder, cutName, File.ReadAllBytes(whole)[..1000]);
        await using var source = new FileSource([whole], Reading.InOrder with { Order = ShuffleOrder.Whole });
        await using var entries = source.ReadAsync(new SettledPositions(), default).GetAsyncEnumerator();
        Assert.True(await entries.MoveNextAsync());
        await Assert.ThrowsAsync<IOException>(() => Reading.AllOf([whole, cut], Reading.InOrder with { Order = ShuffleOrder.Whole }));
        Assert.Empty(new[] { name, cutName }.SelectMany(file => Directory.GetFileSystemEntries(Path.GetTempPath(), $"*{file}*")));
    }

    [Fact]
    public async Task Reading_stops_when_it_is_cancelled()
    {
        using var folder = new TempFolder();
        await using var source = new FileSource([folder.Write("a.jsonl", Reading.Numbered(10))], Reading.InOrder);
        using var stop = new CancellationTokenSource();
        await using var entries = source.ReadAsync(new SettledPositions(), stop.Token).GetAsyncEnumerator();
        Assert.True(await entries.MoveNextAsync());
        stop.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await entries.MoveNextAsync());
    }
}
