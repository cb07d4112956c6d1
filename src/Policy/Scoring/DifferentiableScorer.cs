using MassDpo.Policy.Fused;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Scores pools so that gradients can be taken with respect to the weights. Llamas in float32 on the CPU whose weights are all trained, with one thread inside an
/// operation, go forward and back through native/fused where this process has it; all others, and all where asked for, through tensor operations and autograd.
/// Either way gradients add up in the weights' <c>grad</c>, and the same calls give the same bits. Not thread-safe.
/// </summary>
public sealed class DifferentiableScorer : IDisposable
{
    // Rows and logits of what is computed together, so that it stays in caches and logits do not fill the memory.
    private const int MostRows = 512;
    private const long MostLogits = 1 << 24;

    private readonly LlamaModel _model;
    private readonly PolicyWeights _weights;
    private readonly ComputeLimits _limits;
    private readonly Dictionary<Tensor, Tensor> _gradients = new(ReferenceEqualityComparer.Instance);
    private readonly FusedLearner? _fused;
    // What the next backward goes through, in tensor operations.
    private PackedPass? _pass;
    private List<(EncodedPool Part, int First, long? Seed)> _split = [];
    private Tensor? _logps;
    private bool _changed;

    /// <param name="model">the forward in tensor operations</param>
    /// <param name="weights">that collect gradients; they stay the caller's</param>
    /// <param name="limits">of memory in tensor operations; null: <see cref="ComputeLimits.Default"/></param>
    /// <param name="tensorOperationsOnly">leaves native/fused out: the readable reference that it is held against</param>
    public DifferentiableScorer(LlamaModel model, PolicyWeights weights, ComputeLimits? limits = null, bool tensorOperationsOnly = false)
    {
        (_model, _weights, _limits) = (model, weights, limits ?? ComputeLimits.Default);
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

    /// <summary>Which pools are computed together, of those given; all of them, indices in each group in order. A pure function of the pools and the limits.</summary>
    public IReadOnlyList<int[]> Plan(IReadOnlyList<EncodedPool> pools) => _fused is null ? PackPlan.Groups(pools, _limits.Tokens) : Runs(pools);

    /// <summary>
    /// log π(y|x) of every candidate, [C], in nats, on the CPU, which a loss may be computed from. It is valid until the next call.
    /// </summary>
    /// <param name="pools">one group of <see cref="Plan"/>, so that memory is bounded; a pool that is longer than the limit is split by candidates</param>
    /// <param name="seeds">of each pool's dropout, where the weights have any; null: none is left out</param>
    public Tensor Logps(IReadOnlyList<EncodedPool> pools, IReadOnlyList<long>? seeds = null)
    {
        Forget();
        if (_fused is null)
            return Leaf(Forward(pools, seeds));
        if (_changed)
            _fused.Refresh();
        _changed = false;
        return Leaf(tensor(_fused.Forward(pools), dtype: ScalarType.Float32, device: CPU));
    }

    /// <summary>Adds the gradients of a loss, one number, that was computed from what <see cref="Logps"/> gave last.</summary>
    public void Backward(Tensor loss)
    {
        loss.backward();
        using var gradient_C = _logps!.grad!;
        if (_fused is not null)
        {
            _fused.Backward(gradient_C.data<float>().ToArray());
            return;
        }
        _pass?.Backward(gradient_C);
        foreach (var (part, first, seed) in _split)
        {
            using var pass = new PackedPass(_model, _weights, [part], _limits, seed is { } own ? [own] : null);
            using var ofPart_C = gradient_C.narrow(0, first, part.Candidates);
            pass.Backward(ofPart_C);
        }
        _weights.GradientsAreThere();
    }

    /// <summary>To be told when the weights have changed.</summary>
    public void WeightsChanged()
    {
        _weights.Changed();
        _changed = true;
    }

    public void Dispose()
    {
        Forget();
        _fused?.Dispose();
        foreach (var gradient in _gradients.Values)
            gradient.Dispose();
    }

    // One pass where all fits; else part by part, once now without and once in the backward with what gradients need.
    private Tensor Forward(IReadOnlyList<EncodedPool> pools, IReadOnlyList<long>? seeds)
    {
        if (pools.All(pool => PackPlan.LengthOf(pool) <= _limits.Tokens))
        {
            _pass = new PackedPass(_model, _weights, pools, _limits, seeds);
            using var here = _pass.Logps_C.alias();
            return here.cpu();
        }
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var first = 0;
        var logps = new List<Tensor>();
        for (var n = 0; n < pools.Count; n++)
        {
            foreach (var part in PackPlan.Split(pools[n], _limits.Tokens))
            {
                // Parts of a pool have dropout of their own each.
                var seed = seeds is null ? (long?)null : unchecked(seeds[n] * 31 + first);
                using var pass = new PackedPass(_model, _weights, [part], _limits, seed is { } own ? [own] : null);
                logps.Add(pass.Logps_C.clone());
                _split.Add((part, first, seed));
                first += part.Candidates;
            }
        }
        return cat(logps, 0).cpu().MoveToOuterDisposeScope();
    }

    // A leaf of the loss's own graph: what lies before it is gone through apart.
    private Tensor Leaf(Tensor logps) => _logps = logps.DetachFromDisposeScope().requires_grad_();

    private void Forget()
    {
        _logps?.Dispose();
        _pass?.Dispose();
        (_logps, _pass, _split) = (null, null, []);
    }

    private List<int[]> Runs(IReadOnlyList<EncodedPool> pools)
    {
        var runs = new List<int[]>();
        for (var start = 0; start < pools.Count; start += runs[^1].Length)
        {
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
            runs.Add([.. Enumerable.Range(start, count)]);
        }
        return runs;
    }
}
