using System.Text;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests.Sources;

/// <summary>How files are split into lines, plain and packed, in order and shuffled: all of them must agree.</summary>
public sealed class LineTests
{
    public static TheoryData<string, string[]> Files => new()
    {
        { "", [] },
        { "\n", [] },
        { "a", ["1:a"] },
        { "a\n", ["1:a"] },
        { "a\nb", ["1:a", "2:b"] },
        { "a\r\nb\r\n", ["1:a", "2:b"] },
        { "a\r\nb\r", ["1:a", "2:b"] },
        { "a\r\r\nb\rc\n", ["1:a\r", "2:b\rc"] },
        { "\uFEFFa\nb\n", ["1:a", "2:b"] },
        { "\uFEFF", [] },
        { "\uFEFF\r\na\r\n", ["2:a"] },
        { "a\n\uFEFFb\n", ["1:a", "2:\uFEFFb"] },
        { "\n\na\n \t\r\n\r\n\nb\n\n", ["3:a", "7:b"] },
        { " a \n\f\v\n", ["1: a "] },
        { "é\u2028ü\u0085x\n\0\n", ["1:é\u2028ü\u0085x", "2:\0"] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Lines_end_at_line_feeds_and_blank_ones_count_but_are_no_records(string content, string[] lines)
    {
        using var folder = new TempFolder();
        var plain = Reading.WriteBytes(folder, "a.jsonl", Encoding.UTF8.GetBytes(content));
        foreach (var file in new[] { plain, Reading.Pack(folder, "a.jsonl.gz", content) })
        {
            Assert.Equal(lines, Told(await Reading.LinesOf(file)));
            Assert.Equal(lines.Order(), Told(await Reading.LinesOf(file, Reading.InOrder with { Order = ShuffleOrder.Whole })).Order());
            Assert.Equal(lines.Order(), Told(await Reading.LinesOf(file, Reading.InOrder with { Order = ShuffleOrder.Through(2) })).Order());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public async Task A_line_may_be_as_long_as_the_limit_whatever_its_end_and_wherever_it_stands(string end)
    {
        using var folder = new TempFolder();
        // Also where a line straddles what is read in one go.
        foreach (var limit in new[] { 1, 10, 65_533, 65_534, 65_535, 65_536, 65_537, 131_071, 131_072 })
        {
            foreach (var before in new[] { "", "\uFEFF", "x\r\n", Reading.Numbered(9000) })
            {
                var line = new string('y', limit);
                var file = Reading.WriteBytes(folder, "a.jsonl", Encoding.UTF8.GetBytes(before + line + end));
                foreach (var order in new[] { ShuffleOrder.None, ShuffleOrder.Whole })
                {
                    var lines = await Reading.LinesOf(file, Reading.InOrder with { MaxRecordBytes = limit, Order = order });
                    var read = lines.MaxBy(read => read.Line)!;
                    Assert.Equal((limit, null), (read.Text.Length, read.Oversize));
                    Assert.Equal(line, read.Text);
                }
            }
        }
    }

    [Fact]
    public async Task Of_a_line_beyond_the_limit_the_beginning_and_the_exact_length_are_told_and_the_stream_goes_on()
    {
        using var folder = new TempFolder();
        foreach (var end in new[] { "\n", "\r\n" })
        {
            foreach (var mark in new[] { "", "\uFEFF" })
            {
                foreach (var length in new[] { 11, 12, 13, 14, 15, 16, 65_535, 65_536, 65_537, 65_540, 131_071, 131_072, 131_073, 1_000_003 })
                {
                    var content = mark + string.Join(end, Of('x', length), "next", Of('z', length + 1), Of('w', 10), Of('v', length));
                    var file = Reading.WriteBytes(folder, "a.jsonl", Encoding.UTF8.GetBytes(content));
                    foreach (var order in new[] { ShuffleOrder.None, ShuffleOrder.Whole })
                    {
                        var lines = await Reading.LinesOf(file, Reading.InOrder with { MaxRecordBytes = 10, Order = order });
                        var told = lines.OrderBy(read => read.Line).Select(read => (read.Line, read.Text, read.Oversize));
                        var (x, z) = ((1, Of('x', 10), length), (3, Of('z', 10), length + 1));
                        Assert.Equal([x, (2, "next", null), z, (4, Of('w', 10), null), (5, Of('v', 10), length)], told);
                    }
                }
            }
        }
    }

    [Fact]
    public async Task Lines_of_a_mebibyte_are_read_whole()
    {
        using var folder = new TempFolder();
        var letters = string.Concat(Enumerable.Range(0, 1 << 20).Select(i => (char)('a' + i % 26)));
        string[] lines = [letters, letters[1..], letters[2..], letters[3..]];
        var file = Reading.Pack(folder, "a.jsonl.gz", string.Join('\n', lines));
        Assert.Equal(lines, (await Reading.LinesOf(file)).Select(read => read.Text));
    }

    [Fact]
    public async Task A_line_of_gigabytes_would_take_no_more_memory_than_the_limit()
    {
        using var folder = new TempFolder();
        var file = folder["a.jsonl"];
        using (var stream = File.Create(file))
        {
            stream.SetLength(256 << 20);
            stream.Position = stream.Length;
            stream.Write("\nnext\n"u8);
        }
        await using var source = new FileSource([file], Reading.InOrder with { MaxRecordBytes = 100_000 });
        await using var entries = source.ReadAsync(new SettledPositions(), default).GetAsyncEnumerator();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(await entries.MoveNextAsync());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 100_000, 1_000_000);
        Assert.Equal(256 << 20, Read.Of(entries.Current).Oversize);
        Assert.True(await entries.MoveNextAsync());
        Assert.Equal("next", Read.Of(entries.Current).Text);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("all")]
    [InlineData("2")]
    public async Task A_record_of_10_MB_over_the_limit_is_refused_with_its_hash_and_never_held_whole(string order)
    {
        const int length = 10_000_000;
        using var folder = new TempFolder();
        var record = Encoding.UTF8.GetBytes($$"""{"prompt":"p","chosen":"{{new string('x', length - 45)}}","rejected":["y"]}""");
        record[^1] = (byte)'\r';
        var file = Reading.WriteBytes(folder, "a.jsonl", [.. record, .. "\r\n{}\n"u8]);
        await using var source = new FileSource([file], Reading.InOrder with { MaxRecordBytes = 1 << 20, Order = ShuffleOrder.Parse(order) });
        await using var entries = source.ReadAsync(new SettledPositions(), default).GetAsyncEnumerator();
        var validator = new RecordValidator(new RecordEncoder(WordLevelTokenizer.Create(["a"], splitsAtWhitespace: true), MadePolicy.Config()), Duplicates.Drop, 1 << 20);
        var letters = new List<DeadLetter>();
        var before = GC.GetAllocatedBytesForCurrentThread();
        while (await entries.MoveNextAsync())
            if (entries.Current is SourceEntry.Bytes entry)
                letters.Add(validator.Validate(entry).Dead!);
        // The reader's buffer grows to the limit by doubling.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 3 << 20);
        var letter = Assert.Single(letters, letter => letter.Code == DeadLetterCodes.TooLarge);
        Assert.Equal((record.Length, ContentHash.Of(record)), (letter.Origin.RawLength, letter.Origin.RawHash));
        Assert.Equal(record[..4096], letter.Origin.Raw.ToArray());
    }

    [Fact]
    public async Task A_record_of_10_MB_within_the_limit_is_held_by_the_readers_buffer_alone()
    {
        const int length = 10_000_000;
        using var folder = new TempFolder();
        var file = Reading.WriteBytes(folder, "a.jsonl", [.. Enumerable.Repeat((byte)'x', length), (byte)'\n', .. Enumerable.Repeat((byte)'y', length), (byte)'\n']);
        await using var source = new FileSource([file], Reading.InOrder with { MaxRecordBytes = 12_000_000 });
        await using var entries = source.ReadAsync(new SettledPositions(), default).GetAsyncEnumerator();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(await entries.MoveNextAsync());
        // Buffers of 2^17 … 2^23 on the way, and one of the limit.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, length, (1 << 24) + 12_100_000);
        before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(await entries.MoveNextAsync());
        Assert.Equal(length, Assert.IsType<SourceEntry.Bytes>(entries.Current).Json.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000);
    }

    private static string Of(char letter, int length) => new(letter, length);

    private static string[] Told(IEnumerable<Read> lines) => [.. lines.Select(read => $"{read.Line}:{read.Text}")];
}
