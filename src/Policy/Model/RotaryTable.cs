using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>
/// Cosines and sines of rotary position embeddings (RoFormer, arXiv 2104.09864) in the half-split layout of Hugging Face, in float32 as there; with
/// Llama 3's scaling of the low frequencies where the policy has it.
/// </summary>
public sealed class RotaryTable : IDisposable
{
    /// <param name="config">of the policy</param>
    /// <param name="device">where they lie; null: the CPU</param>
    public RotaryTable(PolicyConfig config, Device? device = null)
    {
        var half = config.HeadSize / 2;
        var frequencies = new float[half];
        for (var i = 0; i < half; i++)
            frequencies[i] = Scale(1f / MathF.Pow((float)config.RopeTheta, 2f * i / config.HeadSize), config.RopeScaling);
        var cos = new float[config.MaxPositions * half];
        var sin = new float[config.MaxPositions * half];
        for (var position = 0; position < config.MaxPositions; position++)
        {
            for (var i = 0; i < half; i++)
            {
                var angle = position * frequencies[i];
                (sin[position * half + i], cos[position * half + i]) = MathF.SinCos(angle);
            }
        }
        Cos = tensor(cos, [config.MaxPositions, half], dtype: ScalarType.Float32, device: device ?? CPU).DetachFromDisposeScope();
        Sin = tensor(sin, [config.MaxPositions, half], dtype: ScalarType.Float32, device: device ?? CPU).DetachFromDisposeScope();
    }

    /// <summary>[positions, head size / 2]</summary>
    public Tensor Cos { get; }

    /// <summary>[positions, head size / 2]</summary>
    public Tensor Sin { get; }

    public void Dispose()
    {
        Cos.Dispose();
        Sin.Dispose();
    }

    private static float Scale(float frequency, Llama3RopeScaling? scaling)
    {
        if (scaling is null)
            return frequency;
        var wavelength = 2 * MathF.PI / frequency;
        var longest = (float)(scaling.OriginalMaxPositions / scaling.LowFrequencyFactor);
        var shortest = (float)(scaling.OriginalMaxPositions / scaling.HighFrequencyFactor);
        if (wavelength < shortest)
            return frequency;
        if (wavelength > longest)
            return (float)(frequency / scaling.Factor);
        var smooth = (scaling.OriginalMaxPositions / wavelength - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return (float)((1 - smooth) * frequency / scaling.Factor + smooth * frequency);
    }
}
