using MassDpo.Policy.Model;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Lora;

/// <summary>The matrices of an adapter by PEFT's names: <c>base_model.model.MODULE.lora_A.weight</c>, [rank, inputs], and <c>lora_B</c>, [outputs, rank].</summary>
internal static class AdapterTensors
{
    private const int InitialStream = 0x10AA;

    public static string A(string module) => $"base_model.model.{module}.lora_A.weight";

    public static string B(string module) => $"base_model.model.{module}.lora_B.weight";

    /// <summary>Names and shapes of all.</summary>
    /// <exception cref="PolicyFormatException">a target is none of the policy's matrices</exception>
    public static SortedDictionary<string, long[]> ShapesOf(PolicyConfig config, LoraOptions options)
    {
        var ofBase = PolicyWeights.ShapesOf(config);
        var shapes = new SortedDictionary<string, long[]>(StringComparer.Ordinal);
        foreach (var module in options.Modules(config))
        {
            var (whole, rank) = (ofBase[module + ".weight"], options.RankOf(module));
            shapes[A(module)] = [rank, whole[1]];
            shapes[B(module)] = [whole[0], rank];
        }
        return shapes;
    }

    /// <summary>A fresh adapter, which adds nothing yet: A uniform within ±1/√inputs as PEFT draws it, B zero.</summary>
    public static SortedDictionary<string, Tensor> Fresh(PolicyConfig config, LoraOptions options, long seed, Device device)
    {
        var tensors = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        var number = 0;
        foreach (var (name, shape) in ShapesOf(config, options))
        {
            var random = new StableRandom(seed, number++, InitialStream);
            var values = new float[shape[0] * shape[1]];
            if (name.EndsWith("lora_A.weight", StringComparison.Ordinal))
            {
                var bound = 1 / Math.Sqrt(shape[1]);
                for (var i = 0; i < values.Length; i++)
                    values[i] = (float)((2 * random.Unit() - 1) * bound);
            }
            tensors[name] = tensor(values, shape, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
        }
        return tensors;
    }
}
