namespace MassDpo.Ingest.Sources;

/// <summary>One line of a file: its bytes without the line end, valid until the next line is read.</summary>
/// <param name="Number">counted from 1</param>
/// <param name="Offset">of its first byte in the file (of the unpacked bytes, for .gz)</param>
/// <param name="Bytes">at most as many as the reader's limit</param>
/// <param name="Length">how many the line really has</param>
internal readonly record struct FileLine(long Number, long Offset, ReadOnlyMemory<byte> Bytes, long Length);

/// <summary>
/// Splits a stream into lines at line feeds; a carriage return before one goes too, as does a byte order mark at the beginning. Of a line longer than the limit only the beginning is
/// kept, so memory stays bounded whatever the file holds. Lines of white space alone are passed over: they are no records.
/// </summary>
internal sealed class LineReader(Stream stream, int limit) : IDisposable
{
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private long _bufferOffset;
    private long _number;

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
            if (searched > limit)
                return LongLine();
            if (!Fill())
                return searched > 0 ? Line(searched, lineFeed: 0) : null;
        }
    }

    private FileLine Line(int length, int lineFeed)
    {
        var (start, kept) = (_start, length);
        var offset = _bufferOffset + _start;
        if (offset == 0 && _buffer.AsSpan(start, kept).StartsWith("\uFEFF"u8))
            (start, kept, offset) = (start + 3, kept - 3, offset + 3);
        if (kept > 0 && _buffer[start + kept - 1] == '\r')
            kept--;
        _start += length + lineFeed;
        return new FileLine(++_number, offset, _buffer.AsMemory(start, Math.Min(kept, limit)), kept);
    }

    // The line is longer than a record may be: its beginning is kept, the rest passed over.
    private FileLine LongLine()
    {
        var offset = _bufferOffset + _start;
        var beginning = _buffer.AsSpan(_start, limit).ToArray();
        long length = 0;
        while (true)
        {
            var window = _buffer.AsSpan(_start, _end - _start);
            var at = window.IndexOf((byte)'\n');
            if (at >= 0)
            {
                length += at;
                _start += at + 1;
                break;
            }
            length += window.Length;
            _start = _end;
            if (!Fill())
                break;
        }
        return new FileLine(++_number, offset, beginning, length);
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _bufferOffset += _start;
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length * 2);
        var read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        return read > 0;
    }
}
