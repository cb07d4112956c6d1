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
        && weights.Config.Window is null && weights.Layers.All(layer => layer.IsPlain)
        && TensorsOf(weights).All(tensor => tensor.dtype == ScalarType.Float32 && tensor.device_type == DeviceType.CPU && tensor.is_contiguous());

    /// <summary>Packs the weights as they are now: a copy of every matrix.</summary>
    public static FusedWeights Pack(PolicyWeights weights)
    {
        var shape = ShapeOf(weights.Config);
        fixed (nint* addresses = Addresses(weights, tensor => tensor))
            return new FusedWeights(FusedLibrary.Pack(&shape, (float**)addresses));
    }

    /// <summary>An architecture as native/fused takes it.</summary>
    public static FusedShape ShapeOf(PolicyConfig config) => new()
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

    /// <summary>Where all tensors of a policy begin, or what belongs to each, in the order in which native/fused takes them.</summary>
    public static nint[] Addresses(PolicyWeights weights, Func<Tensor, Tensor> of)
    {
        using var _ = no_grad();
        return [.. TensorsOf(weights).Select(tensor => Address(of(tensor)))];
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

    private static IEnumerable<Tensor> TensorsOf(PolicyWeights weights) =>
        [weights.Embedding, weights.FinalNorm, weights.Output, .. weights.Layers.SelectMany(layer => new[]
        {
            layer.AttentionNorm, layer.Query.Weight, layer.Key.Weight, layer.Value.Weight, layer.AttentionOutput.Weight,
            layer.MlpNorm, layer.Gate.Weight, layer.Up.Weight, layer.Down.Weight,
        })];

    protected override bool ReleaseHandle()
    {
        FusedLibrary.Free(handle);
        return true;
    }
}
