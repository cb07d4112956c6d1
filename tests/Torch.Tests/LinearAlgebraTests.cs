using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class LinearAlgebraTests
{
    private static readonly double[,] A = { { 1, 2, 3 }, { 4, 5, 6 } };
    private static readonly double[,] B = { { 1, 0 }, { -1, 2 }, { 3, 1 } };

    [Fact]
    public void Products()
    {
        using var scope = NewDisposeScope();
        var a = tensor(A);
        var b = tensor(B);
        double[] product = [8, 7, 17, 16];

        Expect.Same([2, 2], product, a.matmul(b));
        Expect.Same([2, 2], product, torch.mm(a, b));
        Expect.Same([1, 2, 2], product, a.unsqueeze(0).bmm(b.unsqueeze(0)));
        Expect.Same([3, 2, 2], [.. product, .. product, .. product], matmul(a.expand(3, 2, 3), b));
        Expect.Same([2], [-1, -1], a.mv(tensor(new[] { 1.0, -1, 0 })));
        Expect.Same([], [32], tensor(new[] { 1.0, 2, 3 }).dot(tensor(new[] { 4.0, 5, 6 })));
        Expect.Same([2, 3], [3, 4, 5, 6, 8, 10], tensor(new[] { 1.0, 2 }).outer(tensor(new[] { 3.0, 4, 5 })));
        Expect.Same([3, 2], [1, 4, 2, 5, 3, 6], a.t());
        Expect.Same([3, 2], [1, 4, 2, 5, 3, 6], a.T);
        Expect.Same([3, 2], [1, 4, 2, 5, 3, 6], a.mT);
    }

    [Fact]
    public void Products_added_to_something()
    {
        using var scope = NewDisposeScope();
        var a = tensor(A);
        var b = tensor(B);
        var c = ones(2, 2, dtype: float64);

        Expect.Close([9, 8, 18, 17], c.addmm(a, b));
        Expect.Close([18, 16, 36, 34], addmm(c, a, b, 2, 2));
        Expect.Close([6, 5.5, 10.5, 10], c.unsqueeze(0).baddbmm(a.unsqueeze(0), b.unsqueeze(0), beta: 2, alpha: 0.5f));
        Expect.Close([7, 16], ones(2, dtype: float64).addmv(a, ones(3, dtype: float64)));
        c.addmm_(a, b);
        Expect.Close([9, 8, 18, 17], c);
    }

    [Fact]
    public void Sums_after_Einstein()
    {
        using var scope = NewDisposeScope();
        var a = tensor(A);
        var b = tensor(B);

        Expect.Same([2, 2], [8, 7, 17, 16], einsum("ij,jk->ik", a, b));
        Expect.Same([], [21], einsum("ij->", a));
        Expect.Same([3], [5, 7, 9], einsum("ij->j", a));
        Expect.Same([2, 2], [14, 32, 32, 77], einsum("ij,kj->ik", a, a));
    }

    [Fact]
    public void Gradients()
    {
        using var scope = NewDisposeScope();
        var a = Expect.Doubles([2, 3], seed: 1);
        var b = Expect.Doubles([3, 4], seed: 2);
        var c = Expect.Doubles([2, 4], seed: 3);

        Expect.Gradients(x => x[0].matmul(x[1]), [a, b]);
        Expect.Gradients(x => x[2].addmm(x[0], x[1], 0.5f, 2), [a, b, c]);
        Expect.Gradients(x => einsum("ij,jk->k", x[0], x[1]), [a, b]);
        Expect.Gradients(x => x[0].unsqueeze(0).expand(2, 2, 3).bmm(x[1].unsqueeze(0).expand(2, 3, 4)), [a, b]);
        Expect.Gradients(x => x[0][0].outer(x[1][0]), [a, b]);
        Expect.Gradients(x => x[0][0].dot(x[1].select(1, 0)), [a, b]);
        Expect.Gradients(x => x[0].mv(x[1].select(1, 0)), [a, b]);
    }

    [Fact]
    public void Products_of_half_precision_are_near_those_of_single()
    {
        using var scope = NewDisposeScope();
        var a = Expect.Doubles([16, 16], seed: 4).@float();
        var b = Expect.Doubles([16, 16], seed: 5).@float();

        Expect.Close(Expect.Values(a.bfloat16().@float().matmul(b.bfloat16().@float())), a.bfloat16().matmul(b.bfloat16()), 0.05);
    }
}
