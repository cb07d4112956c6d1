using MassDpo.Policy;
using MassDpo.Policy.Model;

namespace MassDpo.PolicyKit;

/// <summary>
/// A forward of the Llama family in plain loops and float64, one sequence at a time, written from the papers and not from the product: what the product's forward is held
/// against.
/// </summary>
public sealed class ReferenceLlama(PolicyWeights weights)
{
    private readonly PolicyConfig _config = weights.Config;
    private readonly Dictionary<string, double[]> _tensors = weights.Tensors.ToDictionary(
        t => t.Key, t => Array.ConvertAll(t.Value.detach().data<float>().ToArray(), x => (double)x));

    /// <summary>Log-probabilities of all tokens after each place: [length][|V|].</summary>
    public double[][] Logps(IReadOnlyList<int> tokens)
    {
        var output = _tensors[_config.TiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"];
        return [.. Hidden(tokens).Select(h => LogSoftmax(MatVec(output, h)))];
    }

    /// <summary>log π(response | prompt), in nats.</summary>
    public double Logp(IReadOnlyList<int> prompt, IReadOnlyList<int> response)
    {
        var logps = Logps([.. prompt, .. response.SkipLast(1)]);
        return response.Select((token, i) => logps[prompt.Count - 1 + i][token]).Sum();
    }

    /// <summary>Hidden states after the final norm: [length][d].</summary>
    public double[][] Hidden(IReadOnlyList<int> tokens)
    {
        var d = _config.HiddenSize;
        var embedding = _tensors["model.embed_tokens.weight"];
        var x = tokens.Select(token => embedding.AsSpan(token * d, d).ToArray()).ToArray();
        for (var layer = 0; layer < _config.Layers; layer++)
        {
            double[] W(string part) => _tensors[$"model.layers.{layer}.{part}.weight"];
            var normed = x.Select(row => Norm(row, W("input_layernorm"))).ToArray();
            double[] Projected(string part, double[] row) => _tensors.TryGetValue($"model.layers.{layer}.self_attn.{part}_proj.bias", out var bias)
                ? Add(MatVec(W($"self_attn.{part}_proj"), row), bias)
                : MatVec(W($"self_attn.{part}_proj"), row);
            double[] HeadNormed(string part, double[] row) => _tensors.TryGetValue($"model.layers.{layer}.self_attn.{part}_norm.weight", out var weight)
                ? [.. row.Chunk(_config.HeadSize).SelectMany(head => Norm(head, weight))]
                : row;
            var q = normed.Select((row, t) => Rotate(HeadNormed("q", Projected("q", row)), t)).ToArray();
            var k = normed.Select((row, t) => Rotate(HeadNormed("k", Projected("k", row)), t)).ToArray();
            var v = normed.Select(row => Projected("v", row)).ToArray();
            var first = _config.Window is { } window && layer >= _config.FirstWindowedLayer ? window : int.MaxValue;
            for (var t = 0; t < x.Length; t++)
                x[t] = Add(x[t], MatVec(W("self_attn.o_proj"), Attend(q[t], k, v, t, Math.Max(0, t - first + 1))));
            for (var t = 0; t < x.Length; t++)
            {
                var h = Norm(x[t], W("post_attention_layernorm"));
                var gated = MatVec(W("mlp.gate_proj"), h).Zip(MatVec(W("mlp.up_proj"), h), (gate, up) => gate / (1 + Math.Exp(-gate)) * up).ToArray();
                x[t] = Add(x[t], MatVec(W("mlp.down_proj"), gated));
            }
        }
        return [.. x.Select(row => Norm(row, _tensors["model.norm.weight"]))];
    }

    private double[] Attend(double[] q, double[][] k, double[][] v, int t, int first)
    {
        var size = _config.HeadSize;
        var group = _config.Heads / _config.KeyValueHeads;
        var result = new double[q.Length];
        for (var head = 0; head < _config.Heads; head++)
        {
            var at = head / group * size;
            var scores = Enumerable.Range(first, t + 1 - first)
                .Select(s => Enumerable.Range(0, size).Sum(i => q[head * size + i] * k[s][at + i]) / Math.Sqrt(size)).ToArray();
            var p = LogSoftmax(scores);
            for (var s = first; s <= t; s++)
                for (var i = 0; i < size; i++)
                    result[head * size + i] += Math.Exp(p[s - first]) * v[s][at + i];
        }
        return result;
    }

    private double[] Rotate(double[] x, int position)
    {
        var (size, half) = (_config.HeadSize, _config.HeadSize / 2);
        var result = new double[x.Length];
        for (var head = 0; head < x.Length; head += size)
        {
            for (var i = 0; i < half; i++)
            {
                var angle = position * Scaled(Math.Pow(_config.RopeTheta, -2.0 * i / size));
                var (a, b) = (x[head + i], x[head + half + i]);
                result[head + i] = a * Math.Cos(angle) - b * Math.Sin(angle);
                result[head + half + i] = b * Math.Cos(angle) + a * Math.Sin(angle);
            }
        }
        return result;
    }

    private double Scaled(double frequency)
    {
        if (_config.RopeScaling is not { } s)
            return frequency;
        var ratio = s.OriginalMaxPositions * frequency / (2 * Math.PI);
        var blend = Math.Clamp((ratio - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor), 0, 1);
        return (1 - blend) * frequency / s.Factor + blend * frequency;
    }

    private double[] Norm(double[] x, double[] weight)
    {
        var scale = 1 / Math.Sqrt(x.Sum(v => v * v) / x.Length + _config.RmsNormEpsilon);
        return [.. x.Zip(weight, (v, w) => v * scale * w)];
    }

    private static double[] MatVec(double[] matrix, double[] x)
    {
        var result = new double[matrix.Length / x.Length];
        for (var row = 0; row < result.Length; row++)
            for (var i = 0; i < x.Length; i++)
                result[row] += matrix[row * x.Length + i] * x[i];
        return result;
    }

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double[] LogSoftmax(double[] x)
    {
        var max = x.Max();
        var log = max + Math.Log(x.Sum(v => Math.Exp(v - max)));
        return [.. x.Select(v => v - log)];
    }
}
