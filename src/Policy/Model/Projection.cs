using MassDpo.Policy.Lora;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Model;

/// <summary>
/// One matrix of a layer with what belongs to it: x·Wᵀ + b + s·(x·Aᵀ)·Bᵀ, what the adapter adds and the sum with it in the adapter's type, as PEFT has it. It owns
/// nothing.
/// </summary>
/// <param name="Weight">W, [outputs, inputs]</param>
/// <param name="Bias">b, [outputs]; null: none</param>
/// <param name="Adapter">A, B and s; null: none</param>
/// <param name="Number">of the matrix among all of the policy's</param>
public sealed record Projection(Tensor Weight, Tensor? Bias, LowRank? Adapter, int Number)
{
    /// <summary>Whether it is a matrix and nothing else.</summary>
    public bool IsPlain => Bias is null && Adapter is null;

    /// <summary>[rows, inputs] to [rows, outputs].</summary>
    /// <param name="x">see above</param>
    /// <param name="tap">at the adapter; null: none</param>
    internal Tensor Of(Tensor x, AdapterTap? tap)
    {
        var y = linear(x, Weight, Bias);
        if (Adapter is null)
            return y;
        var given = x.InType(Adapter.A.dtype);
        y = (y + linear(linear(tap is null ? given : tap.Of(given, Number), Adapter.A), Adapter.B) * Adapter.Scale).InType(x.dtype);
        tap?.Passed(this, x, y);
        return y;
    }
}
