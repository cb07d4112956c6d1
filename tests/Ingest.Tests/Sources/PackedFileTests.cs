using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests.Sources;

public sealed class PackedFileTests
{
    // Enough that a file is unpacked in many goes.
    private const int Lines = 20_000;

    // Of text that packs badly, so that a cut anywhere in the file is a cut in the text.
    private static string Hashes(int from, int count) =>
        string.Concat(Enumerable.Range(from, count).Select(i => ContentHash.Of(i.ToString()) + "\n"));

    [Fact]
    public async Task Members_of_a_gz_follow_one_another()
    {
        using var folder = new TempFolder();
        var file = Reading.Pack(folder, "A.JSONL.GZ", "a\nb", "c\n", "", "d\n");
        Assert.Equal(["a", "bc", "d"], (await Reading.LinesOf(file)).Select(read => read.Text));
    }

    [Fact]
    public async Task A_gz_may_be_padded_with_zeros()
    {
        using var folder = new TempFolder();
        foreach (var padding in new[] { 1, 17, 512, 100_000 })
        {
            var file = Reading.WriteBytes(folder, "a.jsonl.gz", [.. Reading.Pack(Hashes(0, Lines)), .. new byte[padding]]);
            Assert.Equal(Lines, (await Reading.LinesOf(file)).Count);
        }
    }

    [Fact]
    public async Task Of_a_gz_that_is_cut_off_what_there_is_is_read_and_then_the_file_is_named()
    {
        using var folder = new TempFolder();
        var expected = Hashes(0, Lines).Split('\n');
        var whole = Reading.Pack(Hashes(0, Lines / 2)).Concat(Reading.Pack(Hashes(Lines / 2, Lines / 2))).ToArray();
        var first = Reading.Pack(Hashes(0, Lines / 2)).Length;
        int[] cuts =
        [
            1, 5, 9, 10, 11, 100, first / 2, first - 9, first - 8, first - 1, first + 1, first + 2, first + 5, first + 10, first + 11, first + 1000,
            whole.Length - 9, whole.Length - 8, whole.Length - 4, whole.Length - 1,
        ];
        foreach (var cut in cuts)
        {
            var file = Reading.WriteBytes(folder, "cut.jsonl.gz", whole[..cut]);
            var read = new List<string>();
            var failure = await Assert.ThrowsAsync<IOException>(() => Fill(read, file, ShuffleOrder.None));
            Assert.StartsWith($"{file} cannot be read beyond line {read.Count}:", failure.Message);
            Assert.Equal(expected.Take(read.Count), read);
            // What was packed before the cut is not lost: at most a block of it.
            Assert.InRange(read.Count, (int)(Lines * ((double)cut / whole.Length)) - 4000, Lines);
            Assert.Contains(file, (await Assert.ThrowsAsync<IOException>(() => Fill([], file, ShuffleOrder.Whole))).Message);
        }
        Assert.Equal(Lines, (await Reading.LinesOf(Reading.WriteBytes(folder, "whole.jsonl.gz", whole))).Count);
        Assert.Equal(Lines / 2, (await Reading.LinesOf(Reading.WriteBytes(folder, "first.jsonl.gz", whole[..first]))).Count);
    }

    [Fact]
    public async Task A_gz_that_is_damaged_or_none_at_all_is_named()
    {
        using var folder = new TempFolder();
        var damaged = Reading.Pack(Hashes(0, Lines));
        damaged[^6] ^= 0x10;
        foreach (var bytes in new[] { damaged, "{\"prompt\":\"plain\"}\n"u8.ToArray(), [0x1F, 0x8B, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0] })
        {
            var file = Reading.WriteBytes(folder, "bad.jsonl.gz", bytes);
            foreach (var order in new[] { ShuffleOrder.None, ShuffleOrder.Whole, ShuffleOrder.Through(10) })
                Assert.StartsWith($"{file} cannot be read", (await Assert.ThrowsAsync<IOException>(() => Fill([], file, order))).Message);
        }
    }

    private static async Task Fill(List<string> read, string file, ShuffleOrder order)
    {
        await using var source = new FileSource([file], Reading.InOrder with { Order = order });
        await foreach (var entry in source.ReadAsync(new SettledPositions(), default))
            read.Add(Read.Of(entry).Text);
    }
}
