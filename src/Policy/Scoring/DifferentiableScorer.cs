using MassDpo.Policy.Fused;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Scores pools so that gradients can be taken with respect to the weights. Policies in float32 on the CPU, with one thread inside an operation, go
/// forward and back through native/fused where this process has it; all others, and all where asked for, through tensor operations and autograd. Either
/// way gradients add up in the weights' <c>grad</c>, and the same calls give the same bits. Not thread-safe.
/// </summary>
public sealed class DifferentiableScorer : IDisposable
{
    // Rows and logits of what is computed together, so that it stays in caches and logits do not fill the memory.
    private const int MostRows = 512;
    private const long MostLogits = 1 << 24;

    private readonly LlamaModel _model;
    private readonly PolicyWeights _weights;
    private readonly Dictionary<Tensor, Tensor> _gradients = new(ReferenceEqualityComparer.Instance);
    private readonly FusedLearner? _fused;
    private Tensor? _logps;
    private bool _changed;

    /// <param name="model">the forward in tensor operations</param>
    /// <param name="weights">that collect gradients; they stay the caller's</param>
    /// <param name="tensorOperationsOnly">leaves native/fused out: the readable reference that it is held against</param>
    public DifferentiableScorer(LlamaModel model, PolicyWeights weights, bool tensorOperationsOnly = false)
    {
        (_model, _weights) = (model, weights);
        if (tensorOperationsOnly || !IsFused(weights))
            return;
        foreach (var tensor in weights.Tensors.Values)
        {
            var gradient = zeros_like(tensor).DetachFromDisposeScope();
            tensor.grad = gradient;
            _gradients[tensor] = gradient;
        }
        _fused = FusedLearner.Of(weights, tensor => _gradients[tensor], model.Rotary);
    }

    /// <summary>Whether weights like these go through native/fused.</summary>
    public static bool IsFused(PolicyWeights weights) => get_num_threads() == 1 && FusedWeights.CanPack(weights);

    /// <summary>
    /// How many pools from the first given one on are best computed together: some at least, all where tensor operations do the work.
    /// </summary>
    public int Fitting(IReadOnlyList<EncodedPool> pools, int start)
    {
        if (_fused is null)
            return pools.Count - start;
        var (count, rows, places) = (0, 0, 0L);
        while (start + count < pools.Count)
        {
            var pool = pools[start + count];
            var own = pool.Responses.Sum(response => response.Length - 1);
            rows += pool.Prompt.Length + own;
            places += 1 + own;
            if (count > 0 && (rows > MostRows || places * _model.Config.VocabularySize > MostLogits))
                break;
            count++;
        }
        return count;
    }

    /// <summary>
    /// log π(y|x) of every candidate, [C], in nats, which a loss may be computed from. It is valid until the next call.
    /// </summary>
    public Tensor Logps(IReadOnlyList<EncodedPool> pools)
    {
        _logps?.Dispose();
        _logps = null;
        if (_fused is null)
        {
            using var batch = PackedBatch.Of(pools);
            return _logps = _model.Logps(_weights, batch).DetachFromDisposeScope();
        }
        if (_changed)
            _fused.Refresh();
        _changed = false;
        _logps = tensor(_fused.Forward(pools), dtype: ScalarType.Float32).DetachFromDisposeScope();
        return _logps.requires_grad_();
    }

    /// <summary>Adds the gradients of a loss, one number, that was computed from what <see cref="Logps"/> gave last.</summary>
    public void Backward(Tensor loss)
    {
        loss.backward();
        if (_fused is null)
            return;
        using var gradients = _logps!.grad;
        _fused.Backward(gradients!.data<float>().ToArray());
    }

    /// <summary>To be told when the weights have changed.</summary>
    public void WeightsChanged() => _changed = true;

    public void Dispose()
    {
        _logps?.Dispose();
        _fused?.Dispose();
        foreach (var gradient in _gradients.Values)
            gradient.Dispose();
    }
}
