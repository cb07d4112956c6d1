using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using MassDpo.Shared.Files;

namespace MassDpo.Selection.References;

/// <summary>What the start of a file says.</summary>
internal enum SegmentKind
{
    /// <summary>A segment of this version.</summary>
    Whole,
    /// <summary>What a process leaves that dies before it has written the start: nothing is in it.</summary>
    Torn,
    /// <summary>Another version's, or no segment.</summary>
    Foreign,
}

/// <summary>
/// A file of log-probabilities by key, which only ever grows, and where each of them lies. It begins with <see cref="Magic"/>. An entry is, little-endian:
/// bytes of its numbers (4), CRC-32C of these (4), key (16), CRC-32C of the 24 bytes before (4), numbers (4 each, float32). So a damaged stretch is found whatever
/// was hit, and the next whole entry after it too. Entries begin at multiples of 4. Not thread-safe, but for <see cref="TryRead"/> by several at once.
/// </summary>
internal sealed class ReferenceSegment : IDisposable
{
    private const int HeaderSize = 28;
    private const int HeaderChecked = 24;
    private const int ScanBuffer = 1 << 20;

    private readonly IReadFile _file;
    // The half of a key is enough to find an entry, which has all of it.
    private readonly Dictionary<ulong, long> _offsets = [];

    private ReferenceSegment(string path, IReadFile file) => (Path, _file) = (path, file);

    /// <summary>What every segment begins with; its last number is the format's version.</summary>
    public static ReadOnlySpan<byte> Magic => "MDPO reference 1"u8;

    public string Path { get; }

    /// <summary>Bytes up to the end of the last whole entry.</summary>
    public long Length { get; private set; } = Magic.Length;

    /// <summary>Bytes that came after it when the segment was opened.</summary>
    public long Tail { get; private set; }

    /// <summary>Stretches between whole entries that hold none.</summary>
    public int Damaged { get; private set; }

    public int Count => _offsets.Count;

    /// <summary>How many bytes an entry takes.</summary>
    public static int SizeOf(int numbers) => HeaderSize + numbers * sizeof(float);

    public static void Write(IBufferWriter<byte> writer, UInt128 key, ReadOnlySpan<float> logps)
    {
        var numbers = MemoryMarshal.AsBytes(logps);
        var entry = writer.GetSpan(HeaderSize + numbers.Length);
        BinaryPrimitives.WriteInt32LittleEndian(entry, numbers.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], Checksum(numbers));
        BinaryPrimitives.WriteUInt128LittleEndian(entry[8..], key);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[HeaderChecked..], Checksum(entry[..HeaderChecked]));
        numbers.CopyTo(entry[HeaderSize..]);
        writer.Advance(HeaderSize + numbers.Length);
    }

    public static SegmentKind KindOf(IFiles files, string path)
    {
        using var file = files.OpenReadAt(path);
        Span<byte> start = stackalloc byte[Magic.Length];
        var read = start[..file.ReadAt(0, start)];
        if (read.SequenceEqual(Magic))
            return SegmentKind.Whole;
        // A power cut may leave zeros where a length was durable and what was written was not.
        return read.Length < Magic.Length && read.SequenceEqual(Magic[..read.Length]) || !read.ContainsAnyExcept((byte)0) ? SegmentKind.Torn : SegmentKind.Foreign;
    }

    /// <summary>A segment that begins.</summary>
    public static ReferenceSegment New(IFiles files, string path) => new(path, files.OpenReadAt(path));

    /// <summary>A segment that is there, with all that is whole in it.</summary>
    public static ReferenceSegment Load(IFiles files, string path)
    {
        var segment = new ReferenceSegment(path, files.OpenReadAt(path));
        try
        {
            segment.Scan();
            return segment;
        }
        catch
        {
            segment.Dispose();
            throw;
        }
    }

    public bool Contains(UInt128 key) => _offsets.ContainsKey((ulong)key);

    /// <summary>Notes an entry that was appended.</summary>
    public void Add(UInt128 key, int numbers)
    {
        _offsets[(ulong)key] = Length;
        Length += SizeOf(numbers);
    }

    /// <summary>Forgets an entry.</summary>
    public void Remove(UInt128 key) => _offsets.Remove((ulong)key);

    /// <summary>
    /// The numbers of a key, of which there must be so many; null where the entry is not what was written, or another key's whose half is the same.
    /// </summary>
    public float[]? TryRead(UInt128 key, int numbers)
    {
        var size = SizeOf(numbers);
        var rented = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            var entry = rented.AsSpan(0, size);
            return _file.ReadAt(_offsets[(ulong)key], entry) == size && NumbersOf(entry) == numbers * sizeof(float) && KeyOf(entry) == key && AreNumbersWhole(entry)
                ? MemoryMarshal.Cast<byte, float>(entry[HeaderSize..]).ToArray()
                : null;
        }
        catch (IOException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void Dispose() => _file.Dispose();

    private void Scan()
    {
        var end = _file.Length;
        var window = new Window(_file, (int)Math.Min(end, ScanBuffer));
        // Whether something since the last whole entry is none, and in how many stretches.
        var (inside, stretches) = (false, 0);
        var offset = Length;
        while (end - offset >= HeaderSize)
        {
            var header = window.At(offset, HeaderSize);
            var size = header.Length == HeaderSize && NumbersOf(header) is { } bytes ? HeaderSize + (long)bytes : 0;
            if (size == 0 || size > end - offset)
            {
                stretches += inside ? 0 : 1;
                inside = true;
                offset += sizeof(float);
                continue;
            }
            inside = false;
            var key = KeyOf(header);
            var entry = window.At(offset, (int)size);
            if (entry.Length == size && AreNumbersWhole(entry))
            {
                Damaged += stretches;
                stretches = 0;
                _offsets[(ulong)key] = offset;
                Length = offset + size;
            }
            else
            {
                stretches++;
            }
            offset += size;
        }
        Tail = end - Length;
    }

    // Bytes of an entry's numbers; null where its header is damaged.
    private static int? NumbersOf(ReadOnlySpan<byte> entry) => BinaryPrimitives.ReadUInt32LittleEndian(entry[HeaderChecked..]) == Checksum(entry[..HeaderChecked])
        && BinaryPrimitives.ReadInt32LittleEndian(entry) is var bytes and > 0 && bytes % sizeof(float) == 0 && bytes <= Array.MaxLength - HeaderSize
            ? bytes
            : null;

    private static UInt128 KeyOf(ReadOnlySpan<byte> entry) => BinaryPrimitives.ReadUInt128LittleEndian(entry[8..]);

    private static bool AreNumbersWhole(ReadOnlySpan<byte> entry) => BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) == Checksum(entry[HeaderSize..]);

    // CRC-32C begun with ones, so that zeros in front count.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return crc;
    }

    /// <summary>A piece of a file in memory, which moves on with whoever reads.</summary>
    private sealed class Window(IReadFile file, int size)
    {
        private byte[] _bytes = new byte[size];
        private long _start;
        private int _length;

        /// <summary>The bytes from a place on; fewer where the file ends.</summary>
        public ReadOnlySpan<byte> At(long offset, int count)
        {
            if (offset < _start || offset + count > _start + _length)
            {
                if (_bytes.Length < count)
                    _bytes = new byte[count];
                (_start, _length) = (offset, file.ReadAt(offset, _bytes));
            }
            return _bytes.AsSpan((int)(offset - _start), Math.Min(count, _length - (int)(offset - _start)));
        }
    }
}
