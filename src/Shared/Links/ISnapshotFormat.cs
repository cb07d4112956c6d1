namespace MassDpo.Shared.Links;

/// <summary>Turns the tensors of snapshots into bytes and back, for links between processes.</summary>
public interface ISnapshotFormat
{
    /// <summary>No snapshot of this policy has more bytes.</summary>
    long MaxBytes { get; }

    /// <summary>Writes tensors.</summary>
    void Write(ISnapshotTensors tensors, Stream stream);

    /// <summary>Reads what <see cref="Write"/> writes; the caller owns the tensors.</summary>
    /// <exception cref="InvalidDataException">the bytes are no snapshot of this policy</exception>
    ISnapshotTensors Read(Stream stream);
}
