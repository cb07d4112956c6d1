using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MassDpo.Selection.Kernels;

public static partial class Kernel
{
    // A value that subtraction has brought down by more than this has lost too many digits and is computed anew.
    private const double Cancellation = 1e5;

    /// <summary>
    /// Greedy maximisation of f(S) = log det(I + K_S/γ), K_ij = √(c_i c_j)⟨u_i, u_j⟩, c_j = β² p_0 p_j, p over the whole pool: the objective of
    /// MASS-DPO (arXiv 2605.10784). f is monotone and submodular, so it reaches (1 − 1/e) of the best k negatives at least; the bound tells how much
    /// for this pool. Ties go to the lowest index. Gains do not increase, up to rounding.
    /// </summary>
    /// <remarks>
    /// In sample space, with the incremental Cholesky factor of fast greedy MAP (arXiv 1709.05135): O(nkd + nk²), and only the k picked rows of the
    /// Gram matrix. The bound is min over the greedy prefixes S_i of f(S_i) + the k largest marginal gains at S_i; derived in docs/selection.md.
    /// Of a pool given by inner products gains are good to some 1e-15 of its largest K_jj/γ; of features they are better.
    /// </remarks>
    /// <exception cref="RefusedPoolException">z or features NaN or infinite, or an absolute ridge below tr(K)·1e-15</exception>
    /// <exception cref="ArgumentException">the pool has no features</exception>
    public static SelectionResult Mass(scoped Pool pool, KernelOptions options, Workspace workspace)
    {
        var weighing = Weighing.Of(pool, options, workspace);
        var k = Math.Min(options.Negatives, pool.Count);
        var picks = workspace.Picks(k);
        if (weighing.NoInformation)
            return LowestIndices(weighing, options, picks);

        var factor = MassFactor.Start(pool, weighing, options, workspace, k);
        var indices = workspace.TopIndices(Math.Max(k, 2));
        var marginals = workspace.TopValues(Math.Max(k, 2));
        var (information, bound) = (0.0, double.PositiveInfinity);
        while (true)
        {
            var known = Rank(factor.Marginals, indices, marginals);
            var rest = 0.0;
            foreach (var marginal in marginals[..Math.Min(k, known)])
                rest += LogOnePlus(marginal);
            bound = Math.Min(bound, information + rest);
            if (factor.Count == k)
                break;
            var gain = LogOnePlus(marginals[0]);
            if (factor.Count > 0 && gain < options.MinimumGain)
                break;
            picks[factor.Count] = known > 1
                ? new Pick(indices[0], gain, indices[1], LogOnePlus(marginals[1]))
                : new Pick(indices[0], gain);
            information += gain;
            factor.Append(pool, indices[0]);
        }

        return new SelectionResult
        {
            Picks = picks[..factor.Count],
            Information = information,
            Bound = bound,
            Ridge = weighing.Ridge,
            Trace = weighing.Trace,
            TouchedRows = factor.Count
        };
    }

    // Math.Log(1 + x) alone would lose a small x; the quotient undoes the rounding of 1 + x.
    internal static double LogOnePlus(double x)
    {
        var y = 1 + Math.Max(x, 0);
        return y > 1 ? Math.Log(y) * (x / (y - 1)) : Math.Max(x, 0);
    }

    /// <summary>
    /// The growing Cholesky factor L of I + K_S/γ together with L⁻¹(K_Sj/γ) for every candidate j: after t picks the first t rows, one number per
    /// candidate. With q_j = v_jᵀH⁻¹v_j, H = γI + Σ_S v vᵀ, the marginal gain of j is ln(1 + q_j). Each pick s appends
    /// e_j = (K_sj/γ − ⟨row_s, row_j⟩)/√(1 + q_s) and takes e_j² from q_j. Keeping q, not 1 + q, keeps the order of candidates that hardly matter.
    /// </summary>
    private ref struct MassFactor
    {
        private Span<double> _scales, _diagonal, _values, _gram, _rows, _column, _feature, _residual;
        private Span<int> _picked;
        private int _n, _padded;
        private double _largest;

        public int Count { get; private set; }

        /// <summary>q_j for every j; −∞ for the picked.</summary>
        public readonly ReadOnlySpan<double> Marginals => _values[.._n];

        public static MassFactor Start(scoped Pool pool, Weighing weighing, KernelOptions options, Workspace workspace, int k)
        {
            var n = pool.Count;
            var padded = Workspace.Padded(n);
            var features = workspace.Features(2 * pool.Dimension);
            var factor = new MassFactor
            {
                _n = n,
                _padded = padded,
                _scales = workspace.Scales(padded),
                _diagonal = workspace.Diagonal(padded),
                _values = workspace.Values(padded),
                _gram = workspace.Gram(padded),
                _rows = workspace.Rows(checked(k * padded)),
                _column = workspace.Column(2 * k),
                _picked = workspace.Order(k),
                _feature = features[..pool.Dimension],
                _residual = features[pool.Dimension..]
            };
            var weights = workspace.Weights(padded);
            var scale = options.Beta / (weighing.Total * Math.Sqrt(weighing.Ridge));
            for (var j = 0; j < padded; j++)
            {
                var s = scale * Math.Sqrt(weights[j]);
                factor._scales[j] = s;
                factor._diagonal[j] *= s * s;
                factor._values[j] = factor._diagonal[j];
                factor._largest = Math.Max(factor._largest, factor._diagonal[j]);
            }

            return factor;
        }

        public void Append(scoped Pool pool, int s)
        {
            Dots.Row(pool, s, _feature, _gram);
            var pivot = Math.Sqrt(1 + Math.Max(_values[s], 0));
            for (var t = 0; t < Count; t++)
                _column[t] = -_rows[t * _padded + s];
            Subtract(_scales[s], 1 / pivot);

            // From here on row Count holds e for every candidate; at s itself it becomes L's diagonal.
            _rows[Count * _padded + s] = pivot;
            _picked[Count++] = s;
            // Inner products have no digits left that could come back.
            if (_largest > Cancellation && !pool.IsGram)
                for (var j = 0; j < _n; j++)
                    if (_diagonal[j] > Cancellation * (1 + _values[j]))
                        _values[j] = Recompute(pool, j);
            foreach (var picked in _picked[..Count])
                _values[picked] = double.NegativeInfinity;
        }

        private readonly void Subtract(double scale, double inversePivot)
        {
            ref var scales = ref MemoryMarshal.GetReference(_scales);
            ref var gram = ref MemoryMarshal.GetReference(_gram);
            ref var values = ref MemoryMarshal.GetReference(_values);
            ref var rows = ref MemoryMarshal.GetReference(_rows);
            var padded = (nuint)_padded;
            for (nuint j = 0; j < padded; j += Workspace.Lanes)
            {
                var e = Vector256.LoadUnsafe(ref gram, j) * Vector256.LoadUnsafe(ref scales, j) * scale;
                var at = j;
                for (var t = 0; t < Count; t++, at += padded)
                    e = Vector256.FusedMultiplyAdd(Vector256.Create(_column[t]), Vector256.LoadUnsafe(ref rows, at), e);
                e *= inversePivot;
                e.StoreUnsafe(ref rows, at);
                Vector256.FusedMultiplyAdd(-e, e, Vector256.LoadUnsafe(ref values, j)).StoreUnsafe(ref values, j);
            }
        }

        /// <summary>
        /// q_j = min over x of |v_j − Σ x_t v_{s_t}|²/γ + |x|², at the x that the factor gives. Both terms are sums of squares, and an error in x
        /// counts only squared: nearly all digits that the subtraction lost come back. It is needed where near-duplicates meet a small ridge.
        /// </summary>
        private readonly double Recompute(scoped Pool pool, int j)
        {
            var x = _column[Count..(2 * Count)];
            for (var t = Count - 1; t >= 0; t--)
            {
                x[t] = _rows[t * _padded + j];
                for (var i = t + 1; i < Count; i++)
                    x[t] -= _rows[t * _padded + _picked[i]] * x[i];
                x[t] /= _rows[t * _padded + _picked[t]];
            }

            Dots.Feature(pool, j, _residual);
            foreach (ref var r in _residual)
                r *= _scales[j];
            var q = 0.0;
            for (var t = 0; t < Count; t++)
            {
                Dots.Feature(pool, _picked[t], _feature);
                var weight = x[t] * _scales[_picked[t]];
                for (var i = 0; i < _residual.Length; i++)
                    _residual[i] -= weight * _feature[i];
                q += x[t] * x[t];
            }

            foreach (var r in _residual)
                q += r * r;
            return q;
        }
    }
}
