namespace MassDpo.Selection.Kernels;

/// <summary>
/// One record's pool of n negatives, as views of the caller's memory.
/// </summary>
public readonly ref struct Pool
{
    /// <summary>A pool without features: enough for <c>hardest</c>, <c>random</c> and <c>all</c>.</summary>
    /// <param name="z">n numbers z_j = β(Δ_j − Δ_w), Δ the log-ratio of policy to reference summed over a response's tokens, w the preferred
    /// one</param>
    public Pool(ReadOnlySpan<double> z) => Z = z;

    /// <summary>A pool with features as a model gives them.</summary>
    /// <param name="z">n numbers z_j = β(Δ_j − Δ_w)</param>
    /// <param name="features">n×d, row by row: u_j = φ(x, y_j) − φ(x, y_w)</param>
    /// <param name="dimension">d, at least 1</param>
    /// <exception cref="ArgumentException">the lengths do not agree</exception>
    public Pool(ReadOnlySpan<double> z, ReadOnlySpan<float> features, int dimension)
    {
        Check(z.Length, features.Length, dimension);
        Z = z;
        Singles = features;
        Dimension = dimension;
    }

    /// <summary>A pool with features in float64.</summary>
    /// <inheritdoc cref="Pool(ReadOnlySpan{double}, ReadOnlySpan{float}, int)"/>
    public Pool(ReadOnlySpan<double> z, ReadOnlySpan<double> features, int dimension)
    {
        Check(z.Length, features.Length, dimension);
        Z = z;
        Doubles = features;
        Dimension = dimension;
    }

    /// <summary>
    /// A pool by the inner products of its features alone, where the features are too many numbers to be written down.
    /// </summary>
    /// <param name="z">n numbers z_j = β(Δ_j − Δ_w)</param>
    /// <param name="gram">
    /// n×n, row by row: ⟨u_i, u_j⟩, symmetric and positive semidefinite up to rounding; <see cref="DifferenceGram"/> makes it of the inner products
    /// of the candidates' own features
    /// </param>
    /// <exception cref="ArgumentException">the lengths do not agree</exception>
    public static Pool OfGram(ReadOnlySpan<double> z, ReadOnlySpan<double> gram)
    {
        if ((long)z.Length * z.Length != gram.Length)
            throw new ArgumentException($"{z.Length} candidates have {(long)z.Length * z.Length} inner products, not {gram.Length}.", nameof(gram));
        return new Pool(z) { Gram = gram, IsGram = true };
    }

    public ReadOnlySpan<double> Z { get; }

    /// <summary>n, the size of the whole pool.</summary>
    public int Count => Z.Length;

    /// <summary>d; 0 where the pool has no features, or only their inner products.</summary>
    public int Dimension { get; }

    internal ReadOnlySpan<float> Singles { get; }
    internal ReadOnlySpan<double> Doubles { get; }

    /// <summary>n×n; empty unless <see cref="IsGram"/>.</summary>
    internal ReadOnlySpan<double> Gram { get; private init; }

    /// <summary>Whether the pool is given by inner products.</summary>
    internal bool IsGram { get; private init; }

    /// <summary>Whether a kernel that compares candidates can work on it.</summary>
    internal bool HasInnerProducts => Dimension > 0 || IsGram;

    private static void Check(int count, int features, int dimension)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(dimension);
        if ((long)count * dimension != features)
            throw new ArgumentException($"{count} candidates of dimension {dimension} have {(long)count * dimension} features, not {features}.",
                nameof(features));
    }
}

/// <summary>The numbers of a pool admit no selection. The record is at fault, not the program.</summary>
public sealed class RefusedPoolException(string message, int? index = null) : ArgumentException(message)
{
    /// <summary>The candidate at fault; null where the pool as a whole is.</summary>
    public int? Index { get; } = index;
}
