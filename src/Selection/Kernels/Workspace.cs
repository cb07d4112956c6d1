using System.Runtime.Intrinsics;

namespace MassDpo.Selection.Kernels;

/// <summary>
/// The memory of the kernels: it grows to the largest pool seen and is used again, so that a selection allocates nothing. One per thread.
/// </summary>
public sealed class Workspace
{
    /// <summary>How many doubles one vector holds. Rows over candidates are padded to whole vectors with zeros.</summary>
    internal const int Lanes = 4;

    private double[] _weights = [], _scales = [], _diagonal = [], _values = [], _gram = [], _rows = [], _features = [], _topValues = [], _column = [];
    private int[] _topIndices = [], _order = [];
    private Pick[] _picks = [];
    private Vector256<double>[] _lanes = [];

    internal Span<double> Weights(int count) => Grow(ref _weights, count);
    internal Span<double> Scales(int count) => Grow(ref _scales, count);
    internal Span<double> Diagonal(int count) => Grow(ref _diagonal, count);
    internal Span<double> Values(int count) => Grow(ref _values, count);
    internal Span<double> Gram(int count) => Grow(ref _gram, count);
    internal Span<double> Rows(int count) => Grow(ref _rows, count);
    internal Span<double> Features(int count) => Grow(ref _features, count);
    internal Span<double> Column(int count) => Grow(ref _column, count);
    internal Span<double> TopValues(int count) => Grow(ref _topValues, count);
    internal Span<int> TopIndices(int count) => Grow(ref _topIndices, count);
    internal Span<int> Order(int count) => Grow(ref _order, count);
    internal Span<Pick> Picks(int count) => Grow(ref _picks, count);
    internal Span<Vector256<double>> LaneMatrices(int count) => Grow(ref _lanes, count);

    internal static int Padded(int count) => checked(count + Lanes - 1) / Lanes * Lanes;

    private static Span<T> Grow<T>(ref T[] array, int count)
    {
        if (array.Length < count)
            array = new T[Math.Max(count, (int)Math.Min(2L * array.Length, Array.MaxLength))];
        return array.AsSpan(0, count);
    }
}
