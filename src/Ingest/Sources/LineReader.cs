using System.Security.Cryptography;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Sources;

/// <summary>One line of a file: its bytes without the line end, valid until the next line is read.</summary>
/// <param name="Number">counted from 1</param>
/// <param name="Offset">of its first byte in the file (of the unpacked bytes, for .gz)</param>
/// <param name="Bytes">all of them; of a line longer than the reader's limit only what a dead letter tells</param>
/// <param name="Length">how many the line really has</param>
/// <param name="Hash">of all of a line that is longer than the limit; null of any other</param>
internal readonly record struct FileLine(long Number, long Offset, ReadOnlyMemory<byte> Bytes, long Length, string? Hash = null)
{
    /// <summary>Bytes kept of a line that is longer than a limit.</summary>
    public static int Kept(int limit) => Math.Min(limit, RecordOrigin.RawLimit);
}

/// <summary>
/// Splits a stream into lines at line feeds; a carriage return before one goes too, as does a byte order mark at the beginning. Of a line longer than
/// the limit only the beginning is kept and a hash made, so memory stays bounded whatever the file holds. Lines of white space alone are passed over: they are no
/// records.
/// </summary>
internal sealed class LineReader(Stream stream, int limit) : IDisposable
{
    // What a line may have beyond its content: a byte order mark and a carriage return.
    private const int Marks = 4;

    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private long _bufferOffset;

    /// <summary>Lines read so far, those passed over too.</summary>
    public long Number { get; private set; }

    /// <summary>Share of the bytes taken from the stream that lines have been made of.</summary>
    public double Used => _bufferOffset + _end == 0 ? 1 : (double)(_bufferOffset + _start) / (_bufferOffset + _end);

    public FileLine? Next()
    {
        while (NextAny() is { } line)
            if (line.Bytes.Span.Trim(" \t\r\f\v"u8).Length > 0 || line.Length > line.Bytes.Length)
                return line;
        return null;
    }

    public void Dispose() => stream.Dispose();

    private FileLine? NextAny()
    {
        var searched = 0;
        while (true)
        {
            var window = _buffer.AsSpan(_start, _end - _start);
            var at = window[searched..].IndexOf((byte)'\n');
            if (at >= 0)
                return Line(searched + at, lineFeed: 1);
            searched = window.Length;
            if (searched > (long)limit + Marks)
                return LongLine();
            if (!Fill())
                return searched > 0 ? Line(searched, lineFeed: 0) : null;
        }
    }

    private FileLine Line(int length, int lineFeed)
    {
        var start = _start + ByteOrderMark();
        var kept = _start + length - start;
        if (kept > 0 && _buffer[start + kept - 1] == '\r')
            kept--;
        _start += length + lineFeed;
        return new FileLine(++Number, _bufferOffset + start, _buffer.AsMemory(start, Math.Min(kept, limit)), kept,
            kept > limit ? ContentHash.Of(_buffer.AsSpan(start, kept)) : null);
    }

    // The line is longer than a record may be: its beginning is kept, the rest hashed and passed over.
    private FileLine LongLine()
    {
        _start += ByteOrderMark();
        var offset = _bufferOffset + _start;
        var beginning = _buffer.AsSpan(_start, FileLine.Kept(limit)).ToArray();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        // A carriage return belongs to the line unless it is its last byte.
        var (length, waits) = (0L, false);
        bool ends;
        do
        {
            var window = _buffer.AsSpan(_start, _end - _start);
            var at = window.IndexOf((byte)'\n');
            ends = at >= 0;
            var part = ends ? window[..at] : window;
            _start += part.Length + (ends ? 1 : 0);
            if (part.IsEmpty)
                continue;
            if (waits)
                hash.AppendData("\r"u8);
            waits = part[^1] == '\r';
            hash.AppendData(waits ? part[..^1] : part);
            length += part.Length;
        }
        while (!ends && Fill());
        return new FileLine(++Number, offset, beginning, waits ? length - 1 : length, ContentHash.Current(hash));
    }

    private int ByteOrderMark() => _bufferOffset + _start == 0 && _buffer.AsSpan(_start, _end - _start).StartsWith("\uFEFF"u8) ? 3 : 0;

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _bufferOffset += _start;
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, (int)Math.Min(_buffer.Length * 2L, (long)limit + Marks + 1));
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        return read > 0;
    }
}
