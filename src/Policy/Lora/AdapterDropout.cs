using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Lora;

/// <summary>
/// Leaves inputs of adapters out at random, as PEFT's lora_dropout does. What is left out of a pack is a function of its seed and the matrix alone: not of the
/// packs beside it, and the same each time that it is computed.
/// </summary>
/// <param name="probability">of each input</param>
/// <param name="seeds">one of each pack, in their order</param>
internal sealed class AdapterDropout(double probability, IReadOnlyList<long> seeds) : AdapterTap
{
    private const int Stream = 0xD50F;

    /// <summary>What is left of x, [packs · places, inputs], scaled so that its mean stays.</summary>
    /// <param name="x">see above</param>
    /// <param name="matrix">its number among all of the policy's</param>
    public override Tensor Of(Tensor x, int matrix)
    {
        using var scope = NewDisposeScope();
        // On the CPU: the same on every device.
        using var generator = new Generator(0);
        var (places, inputs) = (x.shape[0] / seeds.Count, x.shape[1]);
        var drawn = new Tensor[seeds.Count];
        for (var pack = 0; pack < drawn.Length; pack++)
        {
            generator.manual_seed((long)new StableRandom(seeds[pack], matrix, Stream).Next());
            // Row by row, so that places filled up at the end change nothing before them.
            drawn[pack] = rand([places, inputs], dtype: ScalarType.Float32, device: CPU, generator: generator);
        }
        var kept = cat(drawn, 0).ge(probability).to(x.dtype).to(x.device);
        return (x * kept / (1 - probability)).MoveToOuterDisposeScope();
    }
}
