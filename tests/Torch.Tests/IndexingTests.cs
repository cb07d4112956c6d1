using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class IndexingTests
{
    private static Tensor Count(params long[] shape) => arange(shape.Aggregate(1L, (a, b) => a * b), dtype: float64).view(shape);

    [Fact]
    public void Positions()
    {
        using var scope = NewDisposeScope();
        var x = Count(2, 3, 4);

        Expect.Same([3, 4], [.. Enumerable.Range(12, 12).Select(i => (double)i)], x[1]);
        Expect.Same([4], [16, 17, 18, 19], x[1, 1]);
        Expect.Same([], [18], x[1, 1, 2]);
        Expect.Same([], [23], x[-1, -1, -1]);
        Expect.Same([], [0], Count(1, 1, 1, 1)[0, 0, 0, 0]);
        Assert.Equal(18, x[1, 1, 2].item<double>());
        Assert.ThrowsAny<Exception>(() => x[2]);
    }

    [Fact]
    public void Slices_and_placeholders()
    {
        using var scope = NewDisposeScope();
        var x = Count(3, 4);

        Expect.Same([2, 4], [4, 5, 6, 7, 8, 9, 10, 11], x[1..]);
        Expect.Same([2, 4], [0, 1, 2, 3, 4, 5, 6, 7], x[..2]);
        Expect.Same([3], [1, 5, 9], x[TensorIndex.Colon, 1]);
        Expect.Same([3], [3, 7, 11], x[.., ^1]);
        Expect.Same([3], [3, 7, 11], x[TensorIndex.Ellipsis, 3]);
        Expect.Same([3, 2], [0, 2, 4, 6, 8, 10], x[TensorIndex.Colon, TensorIndex.Slice(step: 2)]);
        Expect.Same([3, 2], [1, 2, 5, 6, 9, 10], x[.., 1..3]);
        Expect.Same([3, 3], [0, 1, 2, 4, 5, 6, 8, 9, 10], x[.., ..^1]);
        Expect.Same([1, 3, 4], Expect.Values(x), x[TensorIndex.None]);
        Expect.Same([3, 1, 4], Expect.Values(x), x[TensorIndex.Colon, TensorIndex.Null]);
        Expect.Same([2, 2], [5, 6, 9, 10], x[(1, 3), (1, 3)]);
    }

    [Fact]
    public void Tensors_of_positions_and_of_truth_values()
    {
        using var scope = NewDisposeScope();
        var x = Count(3, 4);
        var rows = tensor(new[] { 2L, 0 });

        Expect.Same([2, 4], [8, 9, 10, 11, 0, 1, 2, 3], x[rows]);
        Expect.Same([2], [9, 3], x[rows, tensor(new[] { 1L, 3 })]);
        Expect.Same([2], [9, 1], x[TensorIndex.Tensor(rows), 1]);
        Expect.Same([3], [9, 10, 11], x[x > 8]);
        Expect.Same([3, 2], [2, 0, 6, 4, 10, 8], x.index(TensorIndex.Colon, TensorIndex.Tensor(rows)));
    }

    [Fact]
    public void Assignment()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2, 3, dtype: float64);

        x[0, 1] = 5.0;
        Expect.Close([0, 5, 0, 0, 0, 0], x);
        x[1] = tensor(new[] { 1.0, 2, 3 });
        Expect.Close([0, 5, 0, 1, 2, 3], x);
        x[TensorIndex.Colon, 2] = tensor(9.0);
        Expect.Close([0, 5, 9, 1, 2, 9], x);
        x[x > 4] = tensor(-1.0);
        Expect.Close([0, -1, -1, 1, 2, -1], x);
        x.index_put_(7, TensorIndex.Single(0), TensorIndex.Slice(0, 2));
        Expect.Close([7, 7, -1, 1, 2, -1], x);
        x.index_put_(tensor(new[] { 1.0, 1 }), [tensor(new[] { 1L, 1 }), tensor(new[] { 0L, 0 })], accumulate: true);
        Expect.Close([7, 7, -1, 3, 2, -1], x);
        x.index_put_(ones(2, dtype: float64), [TensorIndex.Colon, TensorIndex.Tensor(tensor(1L))], accumulate: true);
        Expect.Close([7, 8, -1, 3, 3, -1], x);
    }

    [Fact]
    public void Gradients()
    {
        using var scope = NewDisposeScope();
        var x = Expect.Doubles([3, 4]);
        var y = Expect.Doubles([2], seed: 8);

        Expect.Gradients(x => x[0][1], [x]);
        Expect.Gradients(x => x[0][1.., ..2], [x]);
        Expect.Gradients(x => x[0][tensor(new[] { 0L, 0, 2 })], [x]);
        Expect.Gradients(x =>
        {
            var copy = x[0].clone();
            copy[1..3, 2] = x[1];
            return copy * copy;
        }, [x, y]);
    }
}
