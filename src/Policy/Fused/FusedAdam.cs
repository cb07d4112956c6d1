using static TorchSharp.torch;

namespace MassDpo.Policy.Fused;

/// <summary>What one step of Adam multiplies by; see arXiv 1412.6980.</summary>
/// <param name="Rate">the learning rate over the correction of the mean</param>
/// <param name="Scale">of the gradients</param>
/// <param name="Beta1">decay of the mean</param>
/// <param name="Beta2">decay of the squares</param>
/// <param name="Correction2">root of the correction of the squares</param>
/// <param name="Epsilon">added to the root of the squares</param>
public readonly record struct AdamStep(double Rate, double Scale, double Beta1, double Beta2, double Correction2, double Epsilon);

/// <summary>Adam in one pass over memory by native/fused, where this process has it.</summary>
public static unsafe class FusedAdam
{
    /// <summary>Whether it can step this tensor: float32 in main memory, without gaps.</summary>
    public static bool CanStep(Tensor tensor) =>
        FusedLibrary.IsAvailable && tensor.dtype == ScalarType.Float32 && tensor.device_type == TorchSharp.DeviceType.CPU && tensor.is_contiguous();

    /// <summary>Σ x² over a tensor that it can step.</summary>
    public static double SumOfSquares(Tensor tensor) => tensor.numel() == 0 ? 0 : FusedLibrary.Squares((float*)FusedWeights.Address(tensor), tensor.numel());

    /// <summary>Changes a parameter and its state; all have its shape.</summary>
    /// <param name="parameter">first multiplied by <paramref name="decay"/></param>
    /// <param name="gradient">read</param>
    /// <param name="mean">of the gradients</param>
    /// <param name="square">mean of their squares</param>
    /// <param name="decay">1: none</param>
    /// <param name="step">see there</param>
    public static void Step(Tensor parameter, Tensor gradient, Tensor mean, Tensor square, double decay, AdamStep step)
    {
        if (parameter.numel() == 0)
            return;
        var slot = new FusedAdamSlot
        {
            Parameter = (float*)FusedWeights.Address(parameter),
            Gradient = (float*)FusedWeights.Address(gradient),
            Mean = (float*)FusedWeights.Address(mean),
            Square = (float*)FusedWeights.Address(square),
            Count = parameter.numel(),
            Decay = (float)decay,
        };
        var numbers = new FusedAdamStep
        {
            Scale = (float)step.Scale,
            Beta1 = (float)step.Beta1,
            Rest1 = (float)(1 - step.Beta1),
            Beta2 = (float)step.Beta2,
            Rest2 = (float)(1 - step.Beta2),
            Epsilon = (float)step.Epsilon,
            Correction2 = (float)step.Correction2,
            Rate = (float)step.Rate,
        };
        FusedLibrary.Adam(&slot, 1, &numbers);
    }
}
