using MassDpo.Selection.References;
using MassDpo.Shared.Files;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Selection.Tests.References;

/// <summary>What is kept on disk is found with its bits or not at all, whatever happens to the disk.</summary>
public sealed class ReferenceStoreTests : IDisposable
{
    private const long Bound = 1 << 20;

    private readonly TempFolder _folder = new();
    private readonly List<string> _notes = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_later_start_finds_every_bit()
    {
        float[] odd = [-0f, float.NegativeInfinity, float.Epsilon, BitConverter.UInt32BitsToSingle(0xFFC12345), -12.75f];
        using (var store = Open())
        {
            store.Append([(1, odd), .. Entries(2, 100)]);
            store.Append(Entries(100, 200));
            AssertHolds(store, 2, 200);
        }
        using var again = Open();
        Assert.Equal(odd.Select(BitConverter.SingleToUInt32Bits), again.Find(1, odd.Length)!.Select(BitConverter.SingleToUInt32Bits));
        AssertHolds(again, 2, 200);
        Assert.Null(again.Find(0, 3));
        Assert.Null(again.Find(200, 3));
        Assert.Equal((199L, 0L, SizeOnDisk("0000")), (again.Count, again.Damaged, again.Bytes));
        Assert.Empty(_notes);
        // The half of a key is not enough.
        Assert.Null(again.Find(KeyOf(100) + (UInt128.One << 64), Logps(100).Length));
    }

    [Fact]
    public void What_is_there_is_not_written_again()
    {
        using var store = Open();
        store.Append(Entries(0, 20));
        var bytes = store.Bytes;
        store.Append([.. Entries(0, 20), .. Entries(0, 20)]);
        Assert.Equal(bytes, store.Bytes);
    }

    [Fact]
    public void Cut_at_any_byte_it_holds_what_is_whole_before_and_goes_on_behind()
    {
        var whole = Written(8);
        for (var length = 0; length <= whole.Length; length++)
        {
            var held = WithSegment(whole[..length], store =>
            {
                var found = Enumerable.Range(0, 8).TakeWhile(i => Find(store, i) is not null).Count();
                for (var i = 0; i < 8; i++)
                    AssertRightOr(i >= found, Find(store, i), i);
                Assert.Equal(0, store.Damaged);
                store.Append(Entries(0, 9));
                return found;
            });
            Assert.Equal(EndsOf(whole, 8).Count(end => end <= length), held);
            var isTorn = length > 16 && !EndsOf(whole, 8).Contains(length);
            Assert.Equal(isTorn ? 1 : 0, _notes.Count(note => note.Contains("are cut off", StringComparison.Ordinal)));
            using var again = Open();
            AssertHolds(again, 0, 9);
            Assert.Equal(0, again.Damaged);
        }
    }

    [Fact]
    public void A_byte_that_changed_anywhere_costs_the_entry_that_it_is_in_and_no_wrong_one_is_found()
    {
        var whole = Written(6);
        var ends = EndsOf(whole, 6);
        for (var at = 16; at < whole.Length; at++)
        {
            var bytes = whole.ToArray();
            bytes[at] ^= (byte)(1 << at % 8);
            var hit = ends.Count(end => end <= at);
            WithSegment(bytes, store =>
            {
                for (var i = 0; i < 6; i++)
                    AssertRightOr(i == hit, Find(store, i), i);
                Assert.Null(Find(store, hit));
                // The last one is no different from one that a crash has torn.
                Assert.Equal(hit < 5 ? 1 : 0, store.Damaged);
                store.Append(Entries(0, 6));
                return 0;
            });
            Assert.Single(_notes);
            using var again = Open();
            AssertHolds(again, 0, 6);
        }
    }

    [Fact]
    public void Zeros_and_stretches_of_anything_in_place_of_what_was_written_are_passed_over()
    {
        var whole = Written(40);
        var random = new StableRandom(5);
        for (var round = 0; round < 100; round++)
        {
            var bytes = whole.ToArray();
            var (from, length) = (16 + random.Below(bytes.Length - 16), 1 + random.Below(200));
            foreach (ref var one in bytes.AsSpan(from, Math.Min(length, bytes.Length - from)))
                one = round % 2 == 0 ? (byte)0 : (byte)random.Below(256);
            var (before, behind) = (EndsOf(whole, 40).Count(end => end <= from), EndsOf(whole, 40).Count(end => end < from + length));
            WithSegment(bytes, store =>
            {
                for (var i = 0; i < 40; i++)
                    AssertRightOr(i >= before && i <= behind, Find(store, i), i);
                return 0;
            });
        }
    }

    [Fact]
    public void What_is_damaged_while_it_is_open_is_told_once_not_found_and_written_anew()
    {
        using var store = Open();
        store.Append(Entries(0, 10));
        var path = Segments("0000").Single();
        var bytes = File.ReadAllBytes(path);
        var ends = EndsOf(bytes, 10);
        foreach (var entry in new[] { 3, 7 })
            bytes[ends[entry] - 1] ^= 0x10;
        WriteOver(path, bytes);
        for (var i = 0; i < 10; i++)
            AssertRightOr(i is 3 or 7, Find(store, i), i);
        Assert.Null(Find(store, 3));
        Assert.Equal((2L, 1), (store.Damaged, _notes.Count));
        store.Append(Entries(0, 10));
        AssertHolds(store, 0, 10);
        store.Dispose();
        using var again = Open();
        AssertHolds(again, 0, 10);
    }

    [Fact]
    public void It_never_takes_more_than_its_bytes_and_the_oldest_goes_first()
    {
        const long bound = ReferenceStore.LeastBytes;
        using (var store = Open(bound))
        {
            var (lost, size) = (0, 0L);
            for (var i = 0; i < 5000; i += 25)
            {
                store.Append(Entries(i, i + 25));
                Assert.InRange(SizeOnDisk("0000"), 0, bound);
                Assert.Equal(SizeOnDisk("0000"), store.Bytes);
                size = Math.Max(size, store.Bytes);
                // All there are, are the newest.
                while (Find(store, lost) is null)
                    lost++;
                AssertHolds(store, lost, i + 25);
            }
            Assert.InRange(lost, 1000, 4800);
            Assert.InRange(size, bound * 3 / 4, bound);
            Assert.Equal(0, store.Damaged);
        }
        // What does not fit into a segment is not kept.
        using var wide = Open(bound);
        wide.Append([(9999, new float[(int)bound / 8 / sizeof(float)])]);
        Assert.Null(wide.Find(9999, (int)bound / 8 / sizeof(float)));
        Assert.InRange(wide.Bytes, bound / 2, bound);
    }

    [Fact]
    public void A_smaller_bound_holds_from_the_start_on()
    {
        using (var store = Open(16 * ReferenceStore.LeastBytes))
            store.Append(Entries(0, 10_000));
        using var smaller = Open(ReferenceStore.LeastBytes);
        Assert.InRange(SizeOnDisk("0000"), 0, ReferenceStore.LeastBytes);
        smaller.Append(Entries(10_000, 10_100));
        AssertHolds(smaller, 10_000, 10_100);
        Assert.InRange(SizeOnDisk("0000"), 0, ReferenceStore.LeastBytes);
    }

    [Fact]
    public void Processes_share_a_directory_and_each_finds_what_others_had_kept_when_it_began()
    {
        using (var first = Open())
        {
            first.Append(Entries(0, 50));
            using var second = Open();
            AssertHolds(second, 0, 50);
            second.Append(Entries(0, 80));
            first.Append(Entries(80, 90));
            Assert.Null(Find(second, 80));
            AssertHolds(second, 0, 80);
            // What one has the other does not write again.
            Assert.Equal((60L, 80L), (first.Count, second.Count));
            Assert.Equal((SizeOnDisk("0000"), SizeOnDisk("0001")), (first.Bytes, second.Bytes));
        }
        using var alone = Open();
        AssertHolds(alone, 0, 90);
        Assert.Equal(SizeOnDisk("0000"), alone.Bytes);
        Assert.Empty(_notes);
    }

    [Fact]
    public void One_that_another_process_has_deleted_meanwhile_is_found_or_missing()
    {
        using var first = Open(ReferenceStore.LeastBytes);
        first.Append(Entries(0, 100));
        using var second = Open();
        first.Append(Entries(100, 5000));
        Assert.Null(Find(first, 0));
        for (var i = 0; i < 100; i++)
            AssertRightOr(true, Find(second, i), i);
    }

    [Fact]
    public void Threads_find_and_keep_beside_each_other_while_segments_go()
    {
        using var store = Open(ReferenceStore.LeastBytes);
        var found = 0;
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, thread =>
        {
            var random = new StableRandom(thread, 0xCAC8E);
            for (var round = 0; round < 2000; round++)
            {
                var first = round + random.Below(100);
                store.Append(Entries(first, first + 4));
                var asked = Math.Max(0, round - 50 + random.Below(100));
                var logps = Find(store, asked);
                AssertRightOr(true, logps, asked);
                if (logps is not null)
                    Interlocked.Increment(ref found);
            }
        });
        Assert.InRange(found, 1000, 8000);
        Assert.Equal((0L, SizeOnDisk("0000")), (store.Damaged, store.Bytes));
    }

    [Fact]
    public void A_full_disk_is_told_once_and_when_there_is_room_again_it_goes_on()
    {
        var files = new FaultyFiles();
        using (var store = Open(ReferenceStore.LeastBytes, files))
        {
            // Not even a segment can begin.
            files.FailWhen(step => step.Name == "append", Fault.NoSpace);
            store.Append(Entries(0, 10));
            store.Append(Entries(0, 10));
            Assert.Contains("No space left", Assert.Single(_notes));
            Assert.Single(Segments("0000"));
            files.Mend();
            _notes.Clear();
            store.Append(Entries(0, 10));
            files.FailWhen(step => step.Name is "append" or "create", Fault.NoSpace);
            for (var i = 10; i < 3000; i += 10)
                store.Append(Entries(i, i + 10));
            AssertHolds(store, 0, 10);
            Assert.Null(Find(store, 10));
            Assert.Contains("No space left", Assert.Single(_notes));
            files.Mend();
            store.Append(Entries(5000, 5010));
            AssertHolds(store, 5000, 5010);
            files.FailAt(1, Fault.NoSpace, lasting: true);
            store.Append(Entries(6000, 6010));
            Assert.Equal(2, _notes.Count);
            files.Mend();
        }
        using var again = Open();
        AssertHolds(again, 0, 10);
        AssertHolds(again, 5000, 5010);
        for (var i = 0; i < 7000; i++)
            AssertRightOr(true, Find(again, i), i);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dead_at_any_step_on_the_disk_it_comes_back_with_what_is_whole(bool power)
    {
        for (var step = 1; ; step++)
        {
            Clear();
            var files = new FaultyFiles();
            files.FailAt(step, Fault.Crash);
            try
            {
                using var store = Open(ReferenceStore.LeastBytes, files);
                for (var i = 0; i < 1500; i += 50)
                    store.Append(Entries(i, i + 50));
            }
            catch (SimulatedCrashException)
            {
            }
            if (power)
                files.CutPower(names: true);
            using (var again = Open(ReferenceStore.LeastBytes))
            {
                for (var i = 0; i < 1500; i++)
                    AssertRightOr(true, Find(again, i), i);
                Assert.Equal(0, again.Damaged);
                again.Append(Entries(2000, 2050));
                AssertHolds(again, 2000, 2050);
                Assert.InRange(SizeOnDisk("0000"), 0, ReferenceStore.LeastBytes);
            }
            if (!files.HasFailed)
            {
                Assert.InRange(step, 40, 100);
                return;
            }
        }
    }

    [Fact]
    public void A_file_of_another_version_is_left_as_it_is_and_told()
    {
        var bytes = Written(5);
        bytes[15]++;
        WithSegment(bytes, store =>
        {
            Assert.Null(Find(store, 0));
            store.Append(Entries(0, 5));
            AssertHolds(store, 0, 5);
            return 0;
        });
        Assert.Contains("no segment of this version", Assert.Single(_notes));
        Assert.Equal(bytes, File.ReadAllBytes(Segments("0000")[0]));
        Assert.Equal(2, Segments("0000").Length);
    }

    [Fact]
    public void A_directory_that_cannot_be_used_is_refused_with_the_setting()
    {
        var error = Assert.Throws<IOException>(() => ReferenceStore.Open(_folder.Write("file", ""), Bound, PhysicalFiles.Instance, _notes.Add));
        Assert.Contains(_folder["file"], error.Message);
        Assert.Contains("selection.reference-cache-directory", error.Message);
    }

    private ReferenceStore Open(long bound = Bound, IFiles? files = null) => ReferenceStore.Open(_folder["kept"], bound, files ?? PhysicalFiles.Instance, _notes.Add);

    // What a key's numbers are: every check knows them.
    private static float[] Logps(int key) => [.. Enumerable.Range(0, 1 + key % 5).Select(i => -(key + 0.1f * i))];

    private static (UInt128, float[])[] Entries(int from, int to) => [.. Enumerable.Range(from, to - from).Select(i => (KeyOf(i), Logps(i)))];

    private static UInt128 KeyOf(int i) => new((ulong)i * 0x9E3779B97F4A7C15, (ulong)i);

    private static float[]? Find(ReferenceStore store, int i) => store.Find(KeyOf(i), Logps(i).Length);

    private static void AssertHolds(ReferenceStore store, int from, int to)
    {
        for (var i = from; i < to; i++)
            Assert.Equal(Logps(i), Find(store, i));
    }

    private static void AssertRightOr(bool mayLack, float[]? found, int i)
    {
        if (found is not null || !mayLack)
            Assert.Equal(Logps(i), found);
    }

    private string[] Segments(string folder) => [.. Directory.GetFiles(_folder["kept", folder], "*.references").Order(StringComparer.Ordinal)];

    private long SizeOnDisk(string folder) => Segments(folder).Sum(path => new FileInfo(path).Length);

    // The bytes of a segment with so many entries.
    private byte[] Written(int entries)
    {
        using (var store = Open())
            store.Append(Entries(0, entries));
        return File.ReadAllBytes(Segments("0000").Single());
    }

    // Where each entry ends.
    private static int[] EndsOf(byte[] segment, int entries)
    {
        var ends = new int[entries];
        for (var i = 0; i < entries; i++)
            ends[i] = (i == 0 ? 16 : ends[i - 1]) + 28 + Logps(i).Length * sizeof(float);
        Assert.Equal(segment.Length, ends[^1]);
        return ends;
    }

    // A store that finds these bytes as its only segment; notes are those of its opening and of what is done.
    private T WithSegment<T>(byte[] bytes, Func<ReferenceStore, T> use)
    {
        Clear();
        Directory.CreateDirectory(_folder["kept", "0000"]);
        File.WriteAllBytes(_folder["kept", "0000", "00000001.references"], bytes);
        using var store = Open();
        return use(store);
    }

    private void Clear()
    {
        _notes.Clear();
        if (Directory.Exists(_folder["kept"]))
            Directory.Delete(_folder["kept"], recursive: true);
    }

    private static void WriteOver(string path, byte[] bytes)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Write(bytes);
    }
}
