using MassDpo.Policy.Lora;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Model;

/// <summary>One matrix of a layer with what belongs to it: x·Wᵀ + b + s·(x·Aᵀ)·Bᵀ. It owns nothing.</summary>
/// <param name="Weight">W, [outputs, inputs]</param>
/// <param name="Bias">b, [outputs]; null: none</param>
/// <param name="Adapter">A, B and s; null: none</param>
public sealed record Projection(Tensor Weight, Tensor? Bias, LowRank? Adapter)
{
    /// <summary>Whether it is a matrix and nothing else.</summary>
    public bool IsPlain => Bias is null && Adapter is null;

    /// <summary>[…, inputs] to […, outputs].</summary>
    public Tensor Of(Tensor x)
    {
        var y = linear(x, Weight, Bias);
        return Adapter is null ? y : y + linear(linear(x, Adapter.A), Adapter.B) * Adapter.Scale;
    }
}
