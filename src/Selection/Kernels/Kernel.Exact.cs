using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MassDpo.Selection.Kernels;

public static partial class Kernel
{
    /// <summary>
    /// Greedy maximisation of F(S) = log det(I + (β²/γ)(diag(p) − p pᵀ)G), G_ij = ⟨u_i, u_j⟩, p the softmax over S and the preferred response: the
    /// information of the loss that is trained after the selection. γ is the number that <see cref="Mass"/> uses for the same pool.
    /// There are always min(k, n) picks. F is not monotone: a gain can be negative, and there is no bound. Ties go to the lowest index.
    /// </summary>
    /// <remarks>
    /// With Ω_ij = √(w_i w_j)⟨u_i, u_j⟩, w = e^z, W = 1 + Σ_S w, τ = Wγ/β² and ω = √w, the determinant is that of (τI + Ω)/τ times
    /// 1/W + (γ/β²) ωᵀ(τI + Ω)⁻¹ω: no subtraction is left beside the factorisation's. Derived in docs/selection.md. Four candidates at a time, each
    /// with its own k×k matrix, because each has its own τ: O(nkd + nk⁴). Gains are good to some 1e-15 of the subset's largest (β²/γ) p_j |u_j|²,
    /// which exceeds 1e6 only where weights in the pool differ by many orders of magnitude or the ridge is tiny.
    /// </remarks>
    /// <exception cref="RefusedPoolException">z or features NaN or infinite, or an absolute ridge below tr(K)·1e-15</exception>
    /// <exception cref="ArgumentException">the pool has no features</exception>
    public static SelectionResult Exact(scoped Pool pool, KernelOptions options, Workspace workspace)
    {
        var weighing = Weighing.Of(pool, options, workspace);
        var n = pool.Count;
        var k = Math.Min(options.Negatives, n);
        var picks = workspace.Picks(k);
        if (weighing.NoInformation)
            return LowestIndices(weighing, options, picks) with { Bound = null };

        var subsets = ExactSubsets.Start(pool, weighing, options, workspace, k);
        Span<int> indices = stackalloc int[2];
        Span<double> best = stackalloc double[2];
        var information = 0.0;
        for (var i = 0; i < k; i++)
        {
            var known = Rank(subsets.Informations(), indices, best);
            picks[i] = known > 1
                ? new Pick(indices[0], best[0] - information, indices[1], best[1] - information)
                : new Pick(indices[0], best[0] - information);
            information = best[0];
            if (i + 1 < k)
                subsets.Append(pool, indices[0]);
        }

        return new SelectionResult
        {
            Picks = picks,
            Information = information,
            Ridge = weighing.Ridge,
            Trace = weighing.Trace,
            TouchedRows = Math.Max(k - 1, 0)
        };
    }

    /// <summary>S ∪ {j} for every candidate j: the rows of Ω at S, and the k×k factorisations.</summary>
    private ref struct ExactSubsets
    {
        // A quotient of a pivot and τ is below 1e51 whatever the input, so as many of them multiply within float64's range.
        private const int PivotsPerLogarithm = 4;

        private Span<double> _weights, _roots, _diagonal, _values, _gram, _rows, _feature;
        private Span<int> _picked;
        private Span<Vector256<double>> _lower, _inverses, _solved, _unscaled;
        private int _n, _padded, _count;
        private double _ratio, _total;

        public static ExactSubsets Start(scoped Pool pool, Weighing weighing, KernelOptions options, Workspace workspace, int k)
        {
            var n = pool.Count;
            var padded = Workspace.Padded(n);
            var lanes = workspace.LaneMatrices(checked(k * k + 3 * k));
            var subsets = new ExactSubsets
            {
                _n = n,
                _padded = padded,
                _ratio = weighing.Ridge / (options.Beta * options.Beta),
                _total = 1,
                _weights = workspace.Weights(padded),
                _roots = workspace.Scales(padded),
                _diagonal = workspace.Diagonal(padded),
                _values = workspace.Values(padded),
                _gram = workspace.Gram(padded),
                _rows = workspace.Rows(checked(k * padded)),
                _feature = workspace.Features(pool.Dimension),
                _picked = workspace.Order(k),
                _lower = lanes[..(k * k)],
                _inverses = lanes.Slice(k * k, k),
                _solved = lanes.Slice(k * k + k, k),
                _unscaled = lanes.Slice(k * k + 2 * k, k)
            };
            for (var j = 0; j < padded; j++)
            {
                subsets._roots[j] = Math.Sqrt(subsets._weights[j]);
                subsets._diagonal[j] *= subsets._weights[j];
            }

            return subsets;
        }

        /// <summary>F(S ∪ {j}) for every j; −∞ for those in S.</summary>
        public readonly ReadOnlySpan<double> Informations()
        {
            for (var j = 0; j < _padded; j += Workspace.Lanes)
                Information(j).StoreUnsafe(ref _values[j]);
            foreach (var picked in _picked[.._count])
                _values[picked] = double.NegativeInfinity;
            return _values[.._n];
        }

        public void Append(scoped Pool pool, int s)
        {
            Dots.Row(pool, s, _feature, _gram);
            var row = _rows.Slice(_count * _padded, _padded);
            for (var j = 0; j < _padded; j++)
                row[j] = _roots[s] * _roots[j] * _gram[j];
            _total += _weights[s];
            _picked[_count++] = s;
        }

        /// <summary>F(S ∪ {j}), …, F(S ∪ {j + 3}) through τI + Ω = L D Lᵀ; candidate j stands in the last row.</summary>
        private readonly Vector256<double> Information(int j)
        {
            var size = _count + 1;
            var total = Vector256.Create(_total) + Load(_weights, j);
            var tau = total * _ratio;
            var inverseTau = Vector256<double>.One / tau;
            var (information, product, quadratic) = (Vector256<double>.Zero, Vector256<double>.One, Vector256<double>.Zero);
            for (var i = 0; i < size; i++)
            {
                var isLast = i == _count;
                var row = _lower.Slice(i * size, size);
                var diagonal = isLast ? Load(_diagonal, j) : Vector256.Create(_diagonal[_picked[i]]);
                var pivot = tau + diagonal;
                var y = isLast ? Load(_roots, j) : Vector256.Create(_roots[_picked[i]]);
                for (var l = 0; l < i; l++)
                {
                    var entry = isLast ? Load(_rows, l * _padded + j) : Vector256.Create(_rows[l * _padded + _picked[i]]);
                    for (var t = 0; t < l; t++)
                        entry = Vector256.FusedMultiplyAdd(-_unscaled[t], _lower[l * size + t], entry);
                    _unscaled[l] = entry;
                    row[l] = entry * _inverses[l];
                    pivot = Vector256.FusedMultiplyAdd(-entry, row[l], pivot);
                    y = Vector256.FusedMultiplyAdd(-row[l], _solved[l], y);
                }

                // The pivot of a candidate that the others explain is about τ. Where that is less than the rounding of what was subtracted, its
                // direction is left out: it has no more to give, and what rounding left of it would grow from pivot to pivot.
                var isNew = Vector256.GreaterThan(pivot, diagonal * Weighing.SmallestRelativeRidge);
                product *= Vector256.ConditionalSelect(isNew, pivot * inverseTau, Vector256<double>.One);
                _inverses[i] = Vector256.ConditionalSelect(isNew, Vector256<double>.One / pivot, Vector256<double>.Zero);
                _solved[i] = y;
                quadratic = Vector256.FusedMultiplyAdd(y * _inverses[i], y, quadratic);
                if (i % PivotsPerLogarithm == PivotsPerLogarithm - 1)
                {
                    information += Vector256.Log(product);
                    product = Vector256<double>.One;
                }
            }

            return information + Vector256.Log(product) + Vector256.Log(Vector256<double>.One / total + quadratic * _ratio);
        }

        private static Vector256<double> Load(ReadOnlySpan<double> from, int offset) =>
            Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(from), (nuint)offset);
    }
}
