using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// A random projection of matrices G, [a, b], to p₁·p₂ numbers: P₁ᵀ G P₂, with P₁ [a, p₁] of ±1/√p₁ and P₂ [b, p₂] of ±1/√p₂, every sign drawn alone. Of a sum of outer products
/// it is the sum of the outer products of what is projected, so that G need not be formed.
/// <para>It keeps inner products in the mean: E[P Pᵀ] = I and P₁, P₂ are independent, so E tr((P₁ᵀGP₂)ᵀ(P₁ᵀG'P₂)) = tr(GᵀG'). Sketches of several matrices may be
/// added up, each with signs of its own: P₂ has mean 0, so what two different matrices have in common has mean 0. The error falls with 1/√p₂ for matrices of low rank, where
/// P₁ is the identity, and else with 1/√p₁ + 1/√p₂.</para>
/// <para>Of at most p numbers as many as there are: p₁ = √p, or, where a is no more than that, P₁ is the identity and p₁ = a: what need not be drawn is not.</para>
/// </summary>
internal sealed class KroneckerSketch : IDisposable
{
    private const int Stream = 0x5C37;

    private readonly Tensor? _left_aq;

    /// <param name="rows">a</param>
    /// <param name="columns">b</param>
    /// <param name="size">p, at least 1</param>
    /// <param name="seed">of the signs</param>
    /// <param name="matrix">the number of the matrices whose sketch it is: another one's signs are others</param>
    /// <param name="device">where it is used</param>
    public KroneckerSketch(long rows, long columns, int size, long seed, int matrix, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var side = (int)Math.Sqrt(size);
        LeftSize = (int)Math.Min(rows, side);
        RightSize = size / LeftSize;
        _left_aq = rows <= side ? null : Signs(rows, LeftSize, new StableRandom(seed, matrix, 0, Stream), device);
        Right_bq = Signs(columns, RightSize, new StableRandom(seed, matrix, 1, Stream), device);
    }

    /// <summary>p₁</summary>
    public int LeftSize { get; }

    /// <summary>p₂</summary>
    public int RightSize { get; }

    /// <summary>P₂</summary>
    public Tensor Right_bq { get; }

    /// <summary>Columns of G in the sketch: [n, a] to [n, p₁].</summary>
    public Tensor Left(Tensor x_na) => _left_aq is null ? x_na : x_na.matmul(_left_aq);

    /// <summary>The sketches of whole matrices: [n, a, b] to [n, p₁·p₂].</summary>
    public Tensor Of(Tensor g_nab)
    {
        using var scope = NewDisposeScope();
        var right_naq = g_nab.matmul(Right_bq);
        var sketch = _left_aq is null ? right_naq : _left_aq.t().matmul(right_naq);
        return sketch.reshape(g_nab.shape[0], -1).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _left_aq?.Dispose();
        Right_bq.Dispose();
    }

    private static Tensor Signs(long rows, int columns, StableRandom random, Device device)
    {
        var values = new float[rows * columns];
        var one = BitConverter.SingleToUInt32Bits((float)(1 / Math.Sqrt(columns)));
        for (var first = 0; first < values.Length; first += 64)
        {
            var bits = random.Next();
            // A branch would be guessed wrong half the time.
            foreach (ref var value in values.AsSpan(first, Math.Min(64, values.Length - first)))
            {
                value = BitConverter.UInt32BitsToSingle(one | (uint)(bits & 1) << 31);
                bits >>= 1;
            }
        }
        return tensor(values, [rows, columns], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
    }
}
