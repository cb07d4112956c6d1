using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Features.Bench;

/// <summary>
/// The gradient of log π(y|x) with respect to all parameters, by one backward pass a candidate: what features stand for. An adapter is merged into its base first.
/// </summary>
internal sealed class TrueGradients(LlamaModel model, PolicyWeights start) : IDisposable
{
    private readonly PolicyWeights _weights = Trainable(start);

    /// <summary>Inner products of the candidates' gradients in float64: [C × C], row-major.</summary>
    public double[] Gram(EncodedPool pool)
    {
        using var scope = NewDisposeScope();
        var gradients_CP = stack(pool.Responses.Select(response => Of(pool.Prompt, response))).to(ScalarType.Float64);
        return gradients_CP.matmul(gradients_CP.t()).data<double>().ToArray();
    }

    public void Dispose() => _weights.Dispose();

    private static PolicyWeights Trainable(PolicyWeights start)
    {
        if (start.Lora is null)
            return start.Copy(trainable: true);
        using var merged = start.Merged();
        return merged.Copy(trainable: true);
    }

    private Tensor Of(int[] prompt, int[] response)
    {
        using var scope = NewDisposeScope();
        using var batch = PackedBatch.Of([new EncodedPool(prompt, [response])]);
        model.Logps(_weights, batch).sum().backward();
        var parts = new List<Tensor>();
        foreach (var tensor in _weights.Tensors.Values)
        {
            parts.Add(tensor.grad!.reshape(-1));
            tensor.grad = null;
        }
        return cat(parts, 0).MoveToOuterDisposeScope();
    }
}
