using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class GatherScatterTests
{
    private static Tensor Matrix() => tensor(new double[,] { { 1, 2, 3 }, { 4, 5, 6 } });

    [Fact]
    public void Picking()
    {
        using var scope = NewDisposeScope();
        var m = Matrix();
        var index = tensor(new[,] { { 2L, 0 }, { 1, 1 } });

        Expect.Same([2, 2], [3, 1, 5, 5], m.gather(1, index));
        Expect.Same([2, 2], [3, 1, 5, 5], gather(m, 1, index));
        Expect.Same([2, 2], [3, 1, 5, 5], m.take_along_dim(index, 1));
        Expect.Same([2], [6, 1], m.take(tensor(new[] { 5L, 0 })));
        Expect.Same([2, 2], [3, 1, 6, 4], m.index_select(1, tensor(new[] { 2L, 0 })));
        Expect.Same([3], [4, 5, 6], m.masked_select(m > 3));
        Expect.Close([1, 2, 3, 0, 0, 0], m.masked_fill(m > 3, 0));
    }

    [Fact]
    public void Putting_back()
    {
        using var scope = NewDisposeScope();
        var index = tensor(new[,] { { 2L, 0 }, { 1, 1 } });
        var source = tensor(new double[,] { { 10, 20 }, { 30, 40 } });

        Expect.Close([20, 0, 10, 0, 70, 0], zeros(2, 3, dtype: float64).scatter_add(1, index, source));
        Expect.Close([20, 2, 10], Matrix().scatter(1, index, source)[0]);
        var x = Matrix();
        x.scatter_add_(1, index, source);
        Expect.Close([21, 2, 13, 4, 75, 6], x);
        x.scatter_(0, tensor(new[,] { { 1L, 0, 1 } }), tensor(new double[,] { { -1, -2, -3 } }));
        Expect.Close([21, -2, 13, -1, 75, -3], x);
    }

    [Fact]
    public void Whole_rows()
    {
        using var scope = NewDisposeScope();
        var rows = tensor(new[] { 2L, 0, 2 });
        var source = tensor(new double[,] { { 1, 2 }, { 3, 4 }, { 5, 6 } });
        var x = ones(3, 2, dtype: float64);

        Expect.Close([4, 5, 1, 1, 7, 9], x.index_add(0, rows, source, 1));
        Expect.Close([7, 9, 1, 1, 13, 17], torch.index_add(x, 0, rows, source, 2));
        x.index_add_(0, rows, source, 1);
        Expect.Close([4, 5, 1, 1, 7, 9], x);
        x.index_copy_(0, tensor(new[] { 1L }), tensor(new double[,] { { -1, -2 } }));
        Expect.Close([4, 5, -1, -2, 7, 9], x);
        Expect.Close([4, 5, 0, 0, 7, 9], x.index_copy(0, tensor(new[] { 1L }), zeros(1, 2, dtype: float64)));
        Expect.Close([4, 0, -1, 0, 7, 0], x.index_fill(1, tensor(new[] { 1L }), 0));
        x.index_fill_(0, tensor(new[] { 0L, 2 }), 8);
        Expect.Close([8, 8, -1, -2, 8, 8], x);
    }

    [Fact]
    public void Gradients()
    {
        using var scope = NewDisposeScope();
        var m = Expect.Doubles([2, 3]);
        var source = Expect.Doubles([2, 2], seed: 3);
        var index = tensor(new[,] { { 2L, 0 }, { 1, 1 } });

        Expect.Gradients(x => x[0].gather(1, index), [m]);
        Expect.Gradients(x => x[0].index_select(0, tensor(new[] { 1L, 1 })), [m]);
        Expect.Gradients(x => x[0].masked_select(tensor(new[,] { { true, false, true }, { false, true, true } })), [m]);
        Expect.Gradients(x => x[0].masked_fill(tensor(new[,] { { true, false, true }, { false, true, true } }), 3) * x[0], [m]);
        Expect.Gradients(x => x[0].scatter_add(1, index, x[1]).square(), [m, source]);
        Expect.Gradients(x => x[0].index_add(1, tensor(new[] { 0L, 2 }), x[1], 0.5).square(), [m, source]);
    }
}
