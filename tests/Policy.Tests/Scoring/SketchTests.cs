using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Scoring;

/// <summary>What random sketches keep of inner products: their mean, and the better the larger they are.</summary>
public sealed class SketchTests : IDisposable
{
    // Of what is measured over seeds; the seeds are fixed, and so are the results.
    private const double StandardErrors = 4.5;

    private readonly PolicyConfig _config = MadePolicy.Config(hidden: 32);
    private readonly PolicyWeights _base;
    private readonly PolicyWeights _weights;
    private readonly LlamaModel _model;
    private readonly EncodedPool _pool;

    public SketchTests()
    {
        _base = MadePolicy.Weights(_config);
        _weights = MadePolicy.WithAdapter(_base, new LoraOptions { Rank = 3, Alpha = 6, Targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] });
        _model = new LlamaModel(_config);
        var random = new StableRandom(8, 0x5E);
        _pool = MadePolicy.Pool(ref random, _config.VocabularySize, candidates: 5, longestPrompt: 6, longestResponse: 6);
    }

    [Theory]
    // One side kept whole, and both projected.
    [InlineData(3, 20, 48)]
    [InlineData(9, 20, 30)]
    [InlineData(9, 20, 1)]
    public void Sums_of_sketches_of_several_matrices_keep_inner_products_in_the_mean(int rows, int columns, int size)
    {
        using var scope = NewDisposeScope();
        var random = new StableRandom(rows, columns);
        // The same numbers in both matrices: were their signs the same, they would add up to more than they have.
        var one_2ab = Made(ref random, rows, columns);
        Tensor[] matrices = [one_2ab, one_2ab * 0.5 + Made(ref random, rows, columns)];
        var exact = Gram(cat([.. matrices.Select(matrix => matrix.reshape(2, -1))], 1));
        AssertUnbiased(exact, 2000, seed =>
        {
            var sum_2q = zeros([2, 1]);
            for (var number = 0; number < matrices.Length; number++)
            {
                using var sketch = new KroneckerSketch(rows, columns, size, seed, number, CPU);
                Assert.InRange(sketch.LeftSize * sketch.RightSize, 1, size);
                sum_2q = sum_2q + sketch.Of(matrices[number]);
            }
            return Gram(sum_2q);
        });

        static Tensor Made(ref StableRandom random, int rows, int columns)
        {
            var values = new float[2 * rows * columns];
            foreach (ref var x in values.AsSpan())
                x = (float)random.Normal();
            return tensor(values, [2, rows, columns]);
        }
    }

    [Fact]
    public void A_sketch_is_a_function_of_seed_and_matrix_and_of_outer_products_the_outer_product()
    {
        using var scope = NewDisposeScope();
        using var sketch = new KroneckerSketch(9, 20, 30, seed: 1, matrix: 2, CPU);
        using var same = new KroneckerSketch(9, 20, 30, seed: 1, matrix: 2, CPU);
        var (x_39, y_37) = (rand([3, 9]), rand([3, 20]));
        var g_1ab = x_39.t().matmul(y_37).unsqueeze(0);
        Assert.Equal(Values(sketch.Of(g_1ab)), Values(same.Of(g_1ab)));
        var apart = Values(sketch.Left(x_39).t().matmul(y_37.matmul(sketch.Right_bq)));
        Assert.All(Values(sketch.Of(g_1ab)).Zip(apart), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
        foreach (var (seed, matrix) in new[] { (2, 2), (1, 3) })
        {
            using var other = new KroneckerSketch(9, 20, 30, seed, matrix, CPU);
            Assert.NotEqual(Values(sketch.Of(g_1ab)), Values(other.Of(g_1ab)));
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => new KroneckerSketch(9, 20, 0, 1, 2, CPU));
    }

    [Theory]
    [InlineData(FeatureKind.Head)]
    [InlineData(FeatureKind.Lora)]
    public void Sketched_features_keep_inner_products_in_the_mean(FeatureKind kind) => AssertUnbiased(Exact(kind), 300, seed => Sketched(kind, 60, seed));

    [Theory]
    // Both sides projected: an error that falls with a side of the sketch, √p.
    [InlineData(FeatureKind.Head, 16, 256, 1.5, 4)]
    // One side whole: with the number of its numbers, p.
    [InlineData(FeatureKind.Lora, 16, 256, 3, 5.3)]
    public void The_error_falls_with_size(FeatureKind kind, int small, int large, double least, double most)
    {
        var exact = Exact(kind);
        Assert.InRange(Error(small) / Error(large), least, most);

        double Error(int size) => Math.Sqrt(Enumerable.Range(1, 60).Average(seed => Sketched(kind, size, seed).Zip(exact, (x, y) => (x - y) * (x - y)).Sum() / exact.Sum(x => x * x)));
    }

    [Fact]
    public void Sketched_features_of_unit_length_are_of_unit_length_and_near_the_cosines()
    {
        foreach (var kind in new[] { FeatureKind.Head, FeatureKind.Lora })
        {
            var scores = new PoolScorer(_model).Score(_weights, [_pool], new FeatureForm(kind, true) { Sketch = 4000, Seed = 3 });
            var exact = new PoolScorer(_model).Score(_weights, [_pool], new FeatureForm(kind, true)).Grams![0];
            Assert.Equal((_pool.Candidates * 4000, 4000), (scores.Features!.Length, scores.FeatureSize));
            using var scope = NewDisposeScope();
            var gram = Gram(tensor(scores.Features, [_pool.Candidates, 4000]));
            for (var i = 0; i < gram.Length; i++)
                Assert.Equal(exact[i], gram[i], i % (_pool.Candidates + 1) == 0 ? 1e-5 : 0.25);
        }
    }

    public void Dispose()
    {
        _model.Dispose();
        _weights.Dispose();
        _base.Dispose();
    }

    // Inner products of differences to the first candidate, which is what selection sees.
    private double[] Exact(FeatureKind kind)
    {
        var gram = new PoolScorer(_model).Score(_weights, [_pool], new FeatureForm(kind, false)).Grams![0];
        var size = _pool.Candidates;
        return [.. from i in Enumerable.Range(1, size - 1)
                   from j in Enumerable.Range(1, size - 1)
                   select gram[i * size + j] + gram[0] - gram[i] - gram[j]];
    }

    private double[] Sketched(FeatureKind kind, int size, long seed)
    {
        using var scope = NewDisposeScope();
        var scores = new PoolScorer(_model).Score(_weights, [_pool], new FeatureForm(kind, false) { Sketch = size, Seed = seed });
        var features_Cp = tensor(scores.Features!, [_pool.Candidates, size]);
        return Gram(features_Cp.narrow(0, 1, _pool.Candidates - 1) - features_Cp.narrow(0, 0, 1));
    }

    private static void AssertUnbiased(double[] exact, int seeds, Func<int, double[]> sketched)
    {
        var (sum, squares) = (new double[exact.Length], new double[exact.Length]);
        for (var seed = 1; seed <= seeds; seed++)
        {
            using var scope = NewDisposeScope();
            var found = sketched(seed);
            for (var i = 0; i < exact.Length; i++)
                (sum[i], squares[i]) = (sum[i] + found[i], squares[i] + found[i] * found[i]);
        }
        for (var i = 0; i < exact.Length; i++)
        {
            var mean = sum[i] / seeds;
            var deviation = Math.Sqrt(Math.Max(squares[i] / seeds - mean * mean, 0) / seeds);
            Assert.True(Math.Abs(mean - exact[i]) <= StandardErrors * deviation + 1e-5 * Math.Abs(exact[i]), $"at {i}: {mean} ± {deviation}, where {exact[i]} is right");
        }
    }

    private static double[] Gram(Tensor rows) => [.. rows.to(ScalarType.Float64).matmul(rows.to(ScalarType.Float64).t()).data<double>().ToArray()];

    private static float[] Values(Tensor tensor) => tensor.contiguous().data<float>().ToArray();
}
