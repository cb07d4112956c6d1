using System.Runtime.InteropServices;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Fused;

/// <summary>
/// Forward and backward of a policy in training by native/fused. It points into the policy's tensors and into their gradients, and must go before them.
/// Not thread-safe.
/// </summary>
internal sealed unsafe class FusedLearner : SafeHandle
{
    private readonly RotaryTable _rotary;

    private FusedLearner(nint learner, RotaryTable rotary) : base(0, ownsHandle: true)
    {
        _rotary = rotary;
        SetHandle(learner);
    }

    public override bool IsInvalid => handle == 0;

    /// <param name="weights">that <see cref="FusedWeights.CanPack"/></param>
    /// <param name="gradientOf">the gradient of each, of its shape, contiguous</param>
    /// <param name="rotary">of the policy</param>
    public static FusedLearner Of(PolicyWeights weights, Func<Tensor, Tensor> gradientOf, RotaryTable rotary)
    {
        var shape = FusedWeights.ShapeOf(weights.Config);
        fixed (nint* tensors = FusedWeights.Addresses(weights, tensor => tensor), gradients = FusedWeights.Addresses(weights, gradientOf))
            return new FusedLearner(FusedLibrary.NewLearner(&shape, (float**)tensors, (float**)gradients), rotary);
    }

    /// <summary>Takes the weights as they are now.</summary>
    public void Refresh() => FusedLibrary.Refresh(handle);

    /// <summary>log π of every candidate, [C].</summary>
    public float[] Forward(IReadOnlyList<EncodedPool> pools, int level = -1)
    {
        var flat = new FlatPools(pools);
        var logps = new float[flat.Candidates];
        flat.With(_rotary, given =>
        {
            fixed (float* logpsAt = logps)
                FusedLibrary.Forward(handle, given, level, logpsAt);
        });
        return logps;
    }

    /// <summary>Adds to the policy's gradients, from those of the log-probabilities of the forward before, [C].</summary>
    public void Backward(ReadOnlySpan<float> gradients, int level = -1)
    {
        fixed (float* at = gradients)
            FusedLibrary.Backward(handle, level, at);
    }

    protected override bool ReleaseHandle()
    {
        FusedLibrary.FreeLearner(handle);
        return true;
    }
}
