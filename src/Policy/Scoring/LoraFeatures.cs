using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Scores pools with the gradients of log π(y|x) with respect to the policy's adapter. Each candidate is computed with a prompt of its own, as many at a time as the budget
/// of places allows, pool by pool: what a pool gives does not depend on its neighbours. Only what enters each layer is kept for the way back. Where a fresh
/// adapter has B = 0, so has ∂/∂A, and B's part is all there is.
/// </summary>
internal static class LoraFeatures
{
    /// <exception cref="InvalidOperationException">the policy has no adapter</exception>
    public static PoolScores Score(PoolScorer scorer, PolicyWeights weights, IReadOnlyList<EncodedPool> pools, FeatureForm form)
    {
        if (weights.Lora is null)
            throw new InvalidOperationException("features 'lora' are gradients of an adapter, and this policy has none");
        // One that is left off is no part of the forward, and weights that are trained would collect what is none of their own.
        using var copy = weights.IsOff || weights.Tensors.Values.Any(tensor => tensor.requires_grad) ? weights.Copy() : null;
        var starts = PoolScores.StartsOf(pools);
        var size = form.SizeOf(scorer.FeatureSize);
        var logps = new float[starts[^1]];
        var features = form.IsGram ? null : new float[(long)starts[^1] * size];
        var grams = form.IsGram ? new double[pools.Count][] : null;
        for (var n = 0; n < pools.Count; n++)
        {
            var ofPool = logps.AsSpan(starts[n], pools[n].Candidates);
            if (grams is not null)
            {
                using var gram = new GramSum(pools[n].Candidates, weights.Device);
                Compute(scorer, copy ?? weights, pools[n], gram.Add, ofPool);
                grams[n] = gram.ToArray();
                if (form.UnitLength)
                    UnitLength.OfGram(grams[n], pools[n].Candidates);
                continue;
            }
            using var sketches = new SketchSum(pools[n].Candidates, size, form.Seed, weights.Device);
            Compute(scorer, copy ?? weights, pools[n], sketches.Add, ofPool);
            var made = sketches.ToArray();
            if (form.UnitLength)
                UnitLength.OfRows(made, size);
            made.CopyTo(features!, (long)starts[n] * size);
        }
        return new PoolScores(starts, logps, features, size) { Grams = grams };
    }

    // Gives, for some of the candidates at a time, a matrix's number and these candidates' gradients.
    private static void Compute(PoolScorer scorer, PolicyWeights weights, EncodedPool pool, Action<int[], int, Tensor> ofMatrix, Span<float> logps)
    {
        var rows = Array.ConvertAll(pool.Responses, response => new EncodedPool(pool.Prompt, [response]));
        foreach (var group in PackPlan.Groups(rows, scorer.Limits.Tokens))
        {
            using var scope = NewDisposeScope();
            using var batch = PackedBatch.Of(Array.ConvertAll(group, candidate => rows[candidate]), weights.Device);
            using var gradients = new AdapterGradients(group.Length, (matrix, gradient) => ofMatrix(group, matrix, gradient));
            using var forward = new CheckpointedForward(scorer.Model, weights, batch, gradients);
            var (ofGroup, gradient_Ud) = Head(weights, batch, forward.Hidden_Ud, scorer.Limits.Logits);
            for (var i = 0; i < group.Length; i++)
                logps[group[i]] = ofGroup[i];
            using var _ = enable_grad();
            forward.Backward(gradient_Ud);
        }
    }

    // log π(y|x) of every row's candidate, and its gradient with respect to the row's hidden states: W_{y_t} − E_{π_t}[W], as every place predicts one token.
    private static (float[] Logps, Tensor Gradient_Ud) Head(PolicyWeights weights, PackedBatch batch, Tensor hidden_Ud, long mostLogits)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var expected_Ud = empty_like(hidden_Ud);
        var logps_T = OutputHead.TokenLogps(weights, batch, hidden_Ud, mostLogits, expected_Ud);
        var chosen_Ud = zeros_like(hidden_Ud).index_copy_(0, batch.Place_T, weights.Output.index_select(0, batch.Token_T));
        return (LlamaModel.CandidateLogps(batch, logps_T).cpu().data<float>().ToArray(), (chosen_Ud.InFloat32() - expected_Ud.InFloat32()).InType(hidden_Ud.dtype).MoveToOuterDisposeScope());
    }

    /// <summary>Adds up the inner products of gradients over matrices, in float64. A matrix is kept only until it has been told of every candidate.</summary>
    private sealed class GramSum(int candidates, Device device) : IDisposable
    {
        // Numbers of a matrix's gradients made wide at a time.
        private const long Wide = 1 << 22;

        private readonly Tensor _gram_CC = zeros([candidates, candidates], dtype: ScalarType.Float64, device: device).DetachFromDisposeScope();
        private readonly Dictionary<int, (Tensor Gradients_Cq, int Known)> _partly = [];

        public void Add(int[] group, int matrix, Tensor gradient_nab)
        {
            using var scope = NewDisposeScope();
            var gradient_nq = gradient_nab.reshape(group.Length, -1);
            if (group.Length == candidates)
            {
                AddProducts(gradient_nq);
                return;
            }
            if (!_partly.TryGetValue(matrix, out var partly))
                partly = (empty([candidates, gradient_nq.shape[1]], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope(), 0);
            partly.Gradients_Cq.index_copy_(0, tensor(Array.ConvertAll(group, candidate => (long)candidate), dtype: ScalarType.Int64, device: device), gradient_nq);
            _partly[matrix] = partly with { Known = partly.Known + group.Length };
            if (_partly[matrix].Known < candidates)
                return;
            AddProducts(partly.Gradients_Cq);
            partly.Gradients_Cq.Dispose();
            _partly.Remove(matrix);
        }

        public double[] ToArray()
        {
            using var scope = NewDisposeScope();
            return _gram_CC.cpu().data<double>().ToArray();
        }

        public void Dispose()
        {
            _gram_CC.Dispose();
            foreach (var (gradients, _) in _partly.Values)
                gradients.Dispose();
        }

        private void AddProducts(Tensor gradient_Cq)
        {
            var (all, step) = (gradient_Cq.shape[1], Math.Max(1, Wide / candidates));
            for (var first = 0L; first < all; first += step)
            {
                using var ofPart = NewDisposeScope();
                var wide_Cs = gradient_Cq.narrow(1, first, Math.Min(step, all - first)).to(ScalarType.Float64);
                _gram_CC.add_(wide_Cs.matmul(wide_Cs.t()));
            }
        }
    }

    /// <summary>Adds up sketches of gradients over matrices. Signs are drawn anew each time: fewer numbers than the gradients took, and none that stay.</summary>
    private sealed class SketchSum(int candidates, int size, long seed, Device device) : IDisposable
    {
        private readonly Tensor _sketch_Cp = zeros([candidates, size], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();

        public void Add(int[] group, int matrix, Tensor gradient_nab)
        {
            using var scope = NewDisposeScope();
            using var sketch = new KroneckerSketch(gradient_nab.shape[1], gradient_nab.shape[2], size, seed, matrix, device);
            var made_nq = sketch.Of(gradient_nab);
            _sketch_Cp.narrow(1, 0, made_nq.shape[1])
                .index_add_(0, tensor(Array.ConvertAll(group, candidate => (long)candidate), dtype: ScalarType.Int64, device: device), made_nq, 1);
        }

        public float[] ToArray()
        {
            using var scope = NewDisposeScope();
            return _sketch_Cp.cpu().data<float>().ToArray();
        }

        public void Dispose() => _sketch_Cp.Dispose();
    }
}
