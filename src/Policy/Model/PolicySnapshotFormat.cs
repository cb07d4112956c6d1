using MassDpo.Policy.Safetensors;
using MassDpo.Shared.Links;

namespace MassDpo.Policy.Model;

/// <summary>
/// A policy's weights as safetensors, for snapshots between processes: those of its adapter alone where it has one. Names, shapes and types are checked, and
/// nothing is read beyond what they need.
/// </summary>
/// <param name="found">as this process found the policy; what it reads has the same base</param>
public sealed class PolicySnapshotFormat(PolicyWeights found) : ISnapshotFormat
{
    // More than any header of these tensors has.
    private const long HeaderBytes = 1 << 20;

    /// <inheritdoc/>
    public long MaxBytes { get; } = HeaderBytes + found.Bytes;

    /// <inheritdoc/>
    public void Write(ISnapshotTensors tensors, Stream stream) => SafetensorsFile.Write(stream, ((PolicyWeights)tensors).Tensors);

    /// <inheritdoc/>
    public ISnapshotTensors Read(Stream stream)
    {
        if (stream.Length > MaxBytes)
            throw new InvalidDataException($"{stream.Length} bytes, where this policy has at most {MaxBytes}");
        try
        {
            return found.Take(SafetensorsFile.Read(stream, "the snapshot"), "the snapshot");
        }
        catch (PolicyFormatException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}
