using MassDpo.Ingest.Sources;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests.Sources;

/// <summary>A resume on other data is refused by this.</summary>
public sealed class IdentityTests
{
    [Fact]
    public void The_same_data_is_the_same_wherever_it_lies_and_however_it_is_read()
    {
        using var folder = new TempFolder();
        var identity = Of(folder.Write("a.jsonl", "one\ntwo\n"), folder.Write("b.jsonl", "three\n"));
        Assert.Equal(identity, Of(folder.Write("elsewhere/x", "one\ntwo\n"), folder.Write("elsewhere/y", "three\n")));
        var otherwise = Reading.InOrder with { Order = ShuffleOrder.Whole, Passes = 2, MaxRecords = 1 };
        using var shuffled = new Closing(new FileSource([folder["a.jsonl"], folder["b.jsonl"]], otherwise));
        Assert.Equal(identity, shuffled.Source.Identity);
    }

    [Fact]
    public void Other_content_another_length_another_order_and_other_bounds_are_other_data()
    {
        using var folder = new TempFolder();
        var (a, b, empty) = (folder.Write("a.jsonl", "one\ntwo\n"), folder.Write("b.jsonl", "three\n"), folder.Write("empty.jsonl", ""));
        string[] others =
        [
            Of(a, b), Of(b, a), Of(a), Of(b), Of(a, b, b), Of(empty), Of(a, b, empty), Of(a, empty, b),
            Of(folder.Write("edited.jsonl", "one\ntwO\n"), b),
            Of(folder.Write("longer.jsonl", "one\ntwo\n\n"), b),
            Of(folder.Write("shorter.jsonl", "one\ntwo"), b),
            Of(folder.Write("joined.jsonl", "one\ntwo\nthree\n")),
            Of(folder.Write("first.jsonl", "one\n"), folder.Write("rest.jsonl", "two\nthree\n")),
        ];
        Assert.Equal(others.Length, others.Distinct().Count());
    }

    [Theory]
    [InlineData(1 << 16)]
    [InlineData((1 << 16) + 1)]
    [InlineData((16 << 20) - 1)]
    [InlineData(16 << 20)]
    public void Of_a_file_up_to_16_MiB_every_byte_counts(int length)
    {
        using var folder = new TempFolder();
        var file = Sparse(folder, length);
        var identities = new HashSet<string> { Of(file) };
        foreach (var place in new[] { 0, length / 3, length / 2, (1 << 16) - 1, length - 1 })
            Assert.True(identities.Add(Of(Edited(file, place, 1))), $"an edit at {place} of {length}");
    }

    [Fact]
    public void Of_a_larger_file_its_length_its_ends_and_every_edit_longer_than_the_gaps_between_samples_count()
    {
        using var folder = new TempFolder();
        const int length = 40 << 20;
        var file = Sparse(folder, length);
        var identities = new HashSet<string> { Of(file) };
        Assert.True(identities.Add(Of(Sparse(folder, length + 1))));
        Assert.True(identities.Add(Of(Sparse(folder, length - 1))));
        file = Sparse(folder, length);
        foreach (var place in new[] { 0, (1 << 16) - 1, length - (1 << 16), length - 1 })
            Assert.True(identities.Add(Of(Edited(file, place, 1))), $"an edit at {place}");
        // 256 samples of 64 KiB: what lies between two of them is 97 KiB here.
        for (var place = 1 << 16; place < length - (200 << 10); place += 997 << 10)
            Assert.True(identities.Add(Of(Edited(file, place, 97 << 10))), $"an edit from {place} on");
    }

    private static string Of(params string[] files)
    {
        using var source = new Closing(new FileSource(files, Reading.InOrder));
        return source.Source.Identity;
    }

    private static string Sparse(TempFolder folder, int length)
    {
        using var stream = File.Create(folder["sparse.jsonl"]);
        stream.SetLength(length);
        return folder["sparse.jsonl"];
    }

    private static string Edited(string file, int place, int count)
    {
        using var stream = File.Open(file, FileMode.Open);
        stream.Position = place;
        var bytes = new byte[count];
        Array.Fill(bytes, (byte)(stream.ReadByte() + 1));
        stream.Position = place;
        stream.Write(bytes);
        return file;
    }

    private sealed class Closing(FileSource source) : IDisposable
    {
        public FileSource Source => source;

        public void Dispose() => source.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
