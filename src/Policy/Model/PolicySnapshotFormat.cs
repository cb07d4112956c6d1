using MassDpo.Policy.Safetensors;
using MassDpo.Shared.Links;

namespace MassDpo.Policy.Model;

/// <summary>A policy's weights as safetensors, for snapshots between processes: names, shapes and types are checked, and nothing is read beyond what they need.</summary>
public sealed class PolicySnapshotFormat(PolicyConfig config) : ISnapshotFormat
{
    // More than any header of these tensors has.
    private const long HeaderBytes = 1 << 20;

    /// <inheritdoc/>
    public long MaxBytes { get; } = HeaderBytes + sizeof(float) * PolicyWeights.ShapesOf(config).Values.Sum(shape => shape.Aggregate(1L, (product, size) => product * size));

    /// <inheritdoc/>
    public void Write(ISnapshotTensors tensors, Stream stream) => SafetensorsFile.Write(stream, ((PolicyWeights)tensors).Tensors);

    /// <inheritdoc/>
    public ISnapshotTensors Read(Stream stream)
    {
        if (stream.Length > MaxBytes)
            throw new InvalidDataException($"{stream.Length} bytes, where this policy has at most {MaxBytes}");
        try
        {
            return PolicyWeights.From(config, SafetensorsFile.Read(stream, "the snapshot"), "the snapshot");
        }
        catch (PolicyFormatException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}
