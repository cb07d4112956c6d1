using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MassDpo.Selection.Kernels;

/// <summary>
/// Inner products of a pool's features, summed in float64 whatever they are stored in. The width is fixed at four doubles, so the order of summation,
/// and with it every last bit, is the same for all rows and on all machines: identical candidates tie exactly.
/// </summary>
internal static class Dots
{
    /// <summary>⟨u_j, u_j⟩ for every j.</summary>
    public static void Norms(scoped Pool pool, Span<double> norms)
    {
        if (pool.IsGram)
            Diagonal(pool.Gram, norms);
        else if (pool.Doubles.IsEmpty)
            Norms(pool.Singles, pool.Dimension, norms);
        else
            Norms(pool.Doubles, pool.Dimension, norms);
    }

    /// <summary>⟨u_index, u_j⟩ for every j: one row of the Gram matrix.</summary>
    /// <param name="feature">d numbers of working memory; holds u_index in float64 afterwards</param>
    /// <param name="row">n numbers and the padding, which gets finite ones</param>
    public static void Row(scoped Pool pool, int index, Span<double> feature, Span<double> row)
    {
        if (pool.IsGram)
        {
            pool.Gram.Slice(index * pool.Count, pool.Count).CopyTo(row);
            row[pool.Count..].Clear();
            return;
        }

        // The row that all others are multiplied with is widened once.
        Feature(pool, index, feature);
        if (pool.Doubles.IsEmpty)
            Row(pool.Singles, feature, row);
        else
            Row(pool.Doubles, feature, row);
    }

    /// <summary>u_index in float64.</summary>
    /// <exception cref="ArgumentException">the pool has only inner products</exception>
    public static void Feature(scoped Pool pool, int index, Span<double> feature)
    {
        if (pool.IsGram)
            throw new ArgumentException("This needs a pool with features, not with their inner products.", nameof(pool));
        if (pool.Doubles.IsEmpty)
            TensorPrimitives.ConvertTruncating(pool.Singles.Slice(index * pool.Dimension, pool.Dimension), feature);
        else
            pool.Doubles.Slice(index * pool.Dimension, pool.Dimension).CopyTo(feature);
    }

    /// <summary>⟨u_i, u_l⟩ for all i, l of a subset.</summary>
    /// <param name="matrix">k×k, written</param>
    public static void Of(scoped Pool pool, ReadOnlySpan<int> subset, Span<double> matrix)
    {
        var (k, d) = (subset.Length, pool.Dimension);
        if (pool.IsGram)
        {
            for (var i = 0; i < k; i++)
                for (var l = 0; l < k; l++)
                    matrix[i * k + l] = pool.Gram[subset[i] * pool.Count + subset[l]];
            return;
        }

        var features = new double[k * d];
        for (var i = 0; i < k; i++)
            Feature(pool, subset[i], features.AsSpan(i * d, d));
        for (var i = 0; i < k; i++)
            for (var l = 0; l < k; l++)
                matrix[i * k + l] = TensorPrimitives.Dot<double>(features.AsSpan(i * d, d), features.AsSpan(l * d, d));
    }

    // Rounding may leave a difference of equal candidates a square below 0.
    private static void Diagonal(ReadOnlySpan<double> gram, Span<double> norms)
    {
        for (var j = 0; j < norms.Length; j++)
            norms[j] = Math.Max(gram[j * norms.Length + j], 0);
    }

    private static void Norms<T>(ReadOnlySpan<T> features, int dimension, Span<double> norms) where T : struct
    {
        var length = (nuint)dimension;
        for (var j = 0; j < norms.Length; j++)
        {
            ref var u = ref Start(features, dimension, j);
            var (sum0, sum1) = (Vector256<double>.Zero, Vector256<double>.Zero);
            nuint i = 0;
            for (; i + 8 <= length; i += 8)
            {
                var (x, y) = (Four(ref u, i), Four(ref u, i + 4));
                sum0 = Vector256.FusedMultiplyAdd(x, x, sum0);
                sum1 = Vector256.FusedMultiplyAdd(y, y, sum1);
            }

            var sum = Vector256.Sum(sum0 + sum1);
            for (; i < length; i++)
                sum = Math.FusedMultiplyAdd(At(ref u, i), At(ref u, i), sum);
            norms[j] = sum;
        }
    }

    private static void Row<T>(ReadOnlySpan<T> features, ReadOnlySpan<double> feature, Span<double> row) where T : struct
    {
        var (d, last) = (feature.Length, features.Length / feature.Length - 1);
        for (var j = 0; j < row.Length; j += Workspace.Lanes)
        {
            // Beyond the last candidate the last one is read again.
            ref var a = ref Start(features, d, j);
            ref var b = ref Start(features, d, Math.Min(j + 1, last));
            ref var c = ref Start(features, d, Math.Min(j + 2, last));
            ref var e = ref Start(features, d, Math.Min(j + 3, last));
            Products(feature, ref a, ref b, ref c, ref e).StoreUnsafe(ref row[j]);
        }
    }

    private static ref T Start<T>(ReadOnlySpan<T> features, int dimension, int index) where T : struct =>
        ref Unsafe.Add(ref MemoryMarshal.GetReference(features), (nint)index * dimension);

    // Two sums for each of four rows: eight additions under way hide the time that each takes, and u is read once for four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Products<T>(ReadOnlySpan<double> feature, ref T a, ref T b, ref T c, ref T d) where T : struct
    {
        var length = (nuint)feature.Length;
        ref var u = ref MemoryMarshal.GetReference(feature);
        var (a0, b0, c0, d0) = (Vector256<double>.Zero, Vector256<double>.Zero, Vector256<double>.Zero, Vector256<double>.Zero);
        var (a1, b1, c1, d1) = (a0, b0, c0, d0);
        nuint i = 0;
        for (; i + 8 <= length; i += 8)
        {
            var (x, y) = (Vector256.LoadUnsafe(ref u, i), Vector256.LoadUnsafe(ref u, i + 4));
            a0 = Vector256.FusedMultiplyAdd(x, Four(ref a, i), a0);
            b0 = Vector256.FusedMultiplyAdd(x, Four(ref b, i), b0);
            c0 = Vector256.FusedMultiplyAdd(x, Four(ref c, i), c0);
            d0 = Vector256.FusedMultiplyAdd(x, Four(ref d, i), d0);
            a1 = Vector256.FusedMultiplyAdd(y, Four(ref a, i + 4), a1);
            b1 = Vector256.FusedMultiplyAdd(y, Four(ref b, i + 4), b1);
            c1 = Vector256.FusedMultiplyAdd(y, Four(ref c, i + 4), c1);
            d1 = Vector256.FusedMultiplyAdd(y, Four(ref d, i + 4), d1);
        }

        var sums = Vector256.Create(Vector256.Sum(a0 + a1), Vector256.Sum(b0 + b1), Vector256.Sum(c0 + c1), Vector256.Sum(d0 + d1));
        for (; i < length; i++)
        {
            var column = Vector256.Create(At(ref a, i), At(ref b, i), At(ref c, i), At(ref d, i));
            sums = Vector256.FusedMultiplyAdd(Vector256.Create(Unsafe.Add(ref u, i)), column, sums);
        }

        return sums;
    }

    // The instruction widens straight from memory, which the portable form does not do; both give the same numbers.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Four<T>(ref T from, nuint offset) where T : struct
    {
        if (typeof(T) == typeof(double))
            return Vector256.LoadUnsafe(ref Unsafe.As<T, double>(ref from), offset);
        var singles = Vector128.LoadUnsafe(ref Unsafe.As<T, float>(ref from), offset);
        return Avx.IsSupported ? Avx.ConvertToVector256Double(singles) : Vector256.WidenLower(singles.ToVector256Unsafe());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double At<T>(ref T from, nuint offset) where T : struct => typeof(T) == typeof(float)
        ? Unsafe.As<T, float>(ref Unsafe.Add(ref from, offset))
        : Unsafe.As<T, double>(ref Unsafe.Add(ref from, offset));
}
