using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>In which type and on which device a policy is held and computed.</summary>
/// <param name="Type">
/// of weights and activations: float32 or bfloat16. In bfloat16 norms, softmax, log-probabilities and adapters with all that trains them are float32 still, as
/// transformers and PEFT have it
/// </param>
/// <param name="Device">of all tensors</param>
public sealed record Placement(ScalarType Type, Device Device)
{
    /// <summary>float32 on the CPU.</summary>
    public static Placement Default { get; } = new(ScalarType.Float32, CPU);

    /// <summary>What is trained lies there too, in float32.</summary>
    internal Placement OfTrained => this with { Type = ScalarType.Float32 };
}

/// <summary>Between the compute type and float32.</summary>
internal static class PlacementExtensions
{
    /// <summary>The tensor in a type; itself where it has that already.</summary>
    public static Tensor InType(this Tensor x, ScalarType type) => x.dtype == type ? x : x.to(type);

    /// <summary>The same in float32.</summary>
    public static Tensor InFloat32(this Tensor x) => x.InType(ScalarType.Float32);
}
