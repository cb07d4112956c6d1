using System.IO.Compression;

namespace MassDpo.Ingest.Sources;

/// <summary>
/// Unpacks .gz, of one member or several, and says so where the file is cut off: GZipStream alone takes a file that ends too early for a shorter one.
/// What comes before the cut is given out first. Zeros or other bytes after the last member are passed over, as gzip does; a file of no bytes is an
/// empty one.
/// </summary>
internal sealed class WholeGZipStream : ForwardStream
{
    private readonly WithEndMark _packed;
    private readonly GZipStream _unpacked;
    private bool _ended;

    public WholeGZipStream(Stream packed)
    {
        _packed = new WithEndMark(packed);
        _unpacked = new GZipStream(_packed, CompressionMode.Decompress);
    }

    /// <exception cref="InvalidDataException">the file is cut off, damaged, or no .gz</exception>
    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_ended || count == 0)
            return 0;
        var read = _unpacked.Read(buffer, offset, count);
        // More is asked for only when all that was there has been given out: what comes after that is the mark's, if the file is whole.
        if (read > 0 && !_packed.MarkBegun)
            return read;
        _ended = true;
        if (_packed.MarkBegun && !IsMark(buffer.AsSpan(offset, read)))
            throw new InvalidDataException("the .gz is cut off");
        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _unpacked.Dispose();
        base.Dispose(disposing);
    }

    private bool IsMark(ReadOnlySpan<byte> beginning)
    {
        var rest = new byte[WithEndMark.Text.Length + 1];
        var length = 0;
        for (var read = -1; read != 0 && length < rest.Length; length += read)
            read = _unpacked.Read(rest, length, rest.Length - length);
        return beginning.Length + length == WithEndMark.Text.Length
            && WithEndMark.Text.StartsWith(beginning) && WithEndMark.Text[beginning.Length..].SequenceEqual(rest.AsSpan(0, length));
    }

    /// <summary>A file with one more .gz member after its end: it unpacks to the mark only where the file ends between two members.</summary>
    private sealed class WithEndMark(Stream file) : ForwardStream
    {
        private static readonly byte[] Mark = Pack();
        private int _given;

        public static ReadOnlySpan<byte> Text => "the end of a whole file"u8;

        public bool MarkBegun => _given > 0;

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = _given > 0 ? 0 : file.Read(buffer, offset, count);
            if (read > 0)
                return read;
            read = Math.Min(count, Mark.Length - _given);
            Mark.AsSpan(_given, read).CopyTo(buffer.AsSpan(offset));
            _given += read;
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                file.Dispose();
            base.Dispose(disposing);
        }

        private static byte[] Pack()
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
                gzip.Write(Text);
            return packed.ToArray();
        }
    }
}
