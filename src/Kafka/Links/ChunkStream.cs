namespace MassDpo.Kafka.Links;

/// <summary>Cuts what is written to it into chunks of one size and hands each on as soon as it is full; <see cref="Complete"/> hands on the last one.</summary>
/// <param name="size">bytes of every chunk but the last</param>
/// <param name="full">gets each chunk, in order, and keeps it</param>
internal sealed class ChunkStream(int size, Action<byte[]> full) : Stream
{
    private byte[] _chunk = [];
    private int _filled;
    private long _length;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    /// <summary>Bytes written.</summary>
    public override long Length => _length;

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _length += buffer.Length;
        while (buffer.Length > 0)
        {
            if (_filled == 0)
                _chunk = new byte[size];
            var taken = Math.Min(buffer.Length, size - _filled);
            buffer[..taken].CopyTo(_chunk.AsSpan(_filled));
            _filled += taken;
            buffer = buffer[taken..];
            if (_filled == size)
                HandOn(_chunk);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Nothing more is written.</summary>
    public void Complete()
    {
        if (_filled > 0)
            HandOn(_chunk[.._filled]);
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void HandOn(byte[] chunk)
    {
        _filled = 0;
        full(chunk);
    }
}
