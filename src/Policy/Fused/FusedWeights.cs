using System.Runtime.InteropServices;
using MassDpo.Policy.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Fused;

/// <summary>
/// A policy's matrices laid out for native/fused. It points into the policy's own tensors, too, and must go before them. Thread-safe.
/// </summary>
internal sealed unsafe class FusedWeights : SafeHandle
{
    private FusedWeights(nint packed) : base(0, ownsHandle: true) => SetHandle(packed);

    public override bool IsInvalid => handle == 0;

    /// <summary>Whether a policy can be packed: float32 in main memory, and a library to do it.</summary>
    public static bool CanPack(PolicyWeights weights) => FusedLibrary.IsAvailable
        && weights.Tensors.Values.All(tensor => tensor.dtype == ScalarType.Float32 && tensor.device_type == DeviceType.CPU && tensor.is_contiguous());

    /// <summary>Packs the weights as they are now: a copy of every matrix.</summary>
    public static FusedWeights Pack(PolicyWeights weights)
    {
        var config = weights.Config;
        var shape = new FusedShape
        {
            Hidden = config.HiddenSize,
            Intermediate = config.IntermediateSize,
            Layers = config.Layers,
            Heads = config.Heads,
            KeyValueHeads = config.KeyValueHeads,
            HeadSize = config.HeadSize,
            Vocabulary = config.VocabularySize,
            Positions = config.MaxPositions,
            Epsilon = (float)config.RmsNormEpsilon,
        };
        using var _ = no_grad();
        var tensors = new List<nint> { Address(weights.Embedding), Address(weights.FinalNorm), Address(weights.Output) };
        foreach (var layer in weights.Layers)
            tensors.AddRange(
                [Address(layer.AttentionNorm), Address(layer.Query), Address(layer.Key), Address(layer.Value), Address(layer.AttentionOutput),
                Address(layer.MlpNorm), Address(layer.Gate), Address(layer.Up), Address(layer.Down)]);
        fixed (nint* addresses = tensors.ToArray())
            return new FusedWeights(FusedLibrary.Pack(&shape, (float**)addresses));
    }

    /// <summary>Where a contiguous tensor's numbers begin; valid as long as the tensor.</summary>
    public static nint Address(Tensor tensor)
    {
        // The aliases on the way hold the memory too: none may be left to the collector.
        using var scope = NewDisposeScope();
        // One number alone: a span holds less than a large matrix has.
        var first = tensor.detach().view(-1).narrow(0, 0, 1);
        return (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }

    protected override bool ReleaseHandle()
    {
        FusedLibrary.Free(handle);
        return true;
    }
}
