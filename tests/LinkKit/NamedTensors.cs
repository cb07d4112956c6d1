using System.Text;
using MassDpo.Shared.Links;

namespace MassDpo.LinkKit;

/// <summary>Tensors that are nothing but a name, which is their hash.</summary>
public sealed class NamedTensors(string name) : ISnapshotTensors
{
    public bool Disposed { get; private set; }

    public string ComputeHash() => name;

    public void Dispose() => Disposed = true;
}

/// <summary>Their form as bytes, padded to a size.</summary>
public sealed class NamedTensorsFormat(int size = 0) : ISnapshotFormat
{
    public long MaxBytes => Math.Max(size, 1024);

    public void Write(ISnapshotTensors tensors, Stream stream)
    {
        var bytes = new byte[Math.Max(size, 64)];
        // Not all the same, so that chunks differ.
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(i * 31 + i / 997);
        bytes[0] = (byte)Encoding.UTF8.GetBytes(tensors.ComputeHash(), bytes.AsSpan(1));
        stream.Write(bytes);
    }

    public ISnapshotTensors Read(Stream stream)
    {
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.Length == Math.Max(size, 64) ? new NamedTensors(Encoding.UTF8.GetString(bytes, 1, bytes[0])) : throw new InvalidDataException($"{bytes.Length} bytes");
    }
}
