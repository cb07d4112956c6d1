using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class ShapeTests
{
    /// <summary>0, 1, 2, ... in the given shape.</summary>
    private static Tensor Count(params long[] shape) => arange(shape.Aggregate(1L, (a, b) => a * b), dtype: float64).view(shape);

    [Fact]
    public void Views_share_memory()
    {
        using var scope = NewDisposeScope();
        var x = Count(2, 3);

        var view = x.view(3, 2);
        view[0, 1] = -1.0;
        Expect.Close([0, -1, 2, 3, 4, 5], x);
        x.t()[2, 0].fill_(-2);
        Expect.Close([0, -1, -2, 3, 4, 5], x);
        x.select(0, 1).zero_();
        Expect.Close([0, -1, -2, 0, 0, 0], x);
        x.narrow(1, 1, 2).fill_(7);
        Expect.Close([0, 7, 7, 0, 7, 7], x);
    }

    [Fact]
    public void Other_shapes()
    {
        using var scope = NewDisposeScope();
        var x = Count(2, 3, 4);

        Expect.Shape([6, 4], x.view(-1, 4));
        Expect.Shape([6, 4], x.reshape(6, -1));
        Expect.Shape([24], x.flatten());
        Expect.Shape([2, 12], torch.flatten(x, 1));
        Expect.Shape([2, 3, 2, 2], x.unflatten(2, 2, 2));
        Expect.Shape([2, 1, 3, 4], x.unsqueeze(1));
        Expect.Shape([2, 3, 4], x.unsqueeze(1).squeeze(1));
        Expect.Shape([2, 3, 4], x.unsqueeze(0).unsqueeze(-1).squeeze());
        Expect.Shape([4, 3, 2], x.transpose(0, 2));
        Expect.Shape([4, 2, 3], x.permute(2, 0, 1));
        Expect.Shape([2, 3, 4], x.view_as(zeros(2, 3, 4)));
        Expect.Same([3, 2], [0, 3, 1, 4, 2, 5], permute(Count(2, 3), 1, 0));
        Assert.Equal([12L, 4, 1], x.stride());
        Assert.Equal(4, x.stride(1));
        Assert.Equal(3, x.size(1));
        Assert.Equal(4, x.size(-1));
        Assert.Equal([2L, 3, 4], x.size());
        Assert.Equal(3, x.ndim);
        Assert.Equal(3, x.dim());
        Assert.Equal(24, x.numel());
        Assert.Equal(4, x[0, 1].storage_offset());
    }

    [Fact]
    public void Contiguous_or_not()
    {
        using var scope = NewDisposeScope();
        var x = Count(2, 3).t();

        Assert.False(x.is_contiguous());
        Assert.True(x.contiguous().is_contiguous());
        Assert.True(x.reshape(6).is_contiguous());
        Assert.ThrowsAny<Exception>(() => x.view(6));
    }

    [Fact]
    public void Repetition()
    {
        using var scope = NewDisposeScope();
        var x = Count(1, 2);

        Expect.Same([3, 2], [0, 1, 0, 1, 0, 1], x.expand(3, 2));
        Expect.Same([3, 2], [0, 1, 0, 1, 0, 1], x.expand_as(zeros(3, 2)));
        Expect.Same([2, 4], [0, 1, 0, 1, 0, 1, 0, 1], x.repeat(2, 2));
        Expect.Same([4], [0, 0, 1, 1], x.repeat_interleave(2));
        Expect.Same([1, 4], [0, 0, 1, 1], x.repeat_interleave(2, 1));
        Expect.Same([1, 3], [0, 1, 1], x.repeat_interleave(tensor(new[] { 1L, 2 }), 1));
    }

    [Fact]
    public void Parts()
    {
        using var scope = NewDisposeScope();
        var x = Count(3, 4);

        Expect.Same([3, 2], [1, 2, 5, 6, 9, 10], x.narrow(1, 1, 2));
        Expect.Same([3, 2], [0, 2, 4, 6, 8, 10], x.slice(1, 0, 4, 2));
        Expect.Same([4], [4, 5, 6, 7], x.select(0, 1));
        Expect.Same([3], [0, 5, 10], x.diagonal());
        Expect.Same([2, 2], [0, 2, 4, 6], x.as_strided([2, 2], [4, 2]));
        Expect.Close([0, 0, 0, 0, 4, 5, 0, 0, 8, 9, 10, 0], x.tril());
        Expect.Close([0, 1, 2, 3, 0, 5, 6, 7, 0, 0, 10, 11], triu(x));
        Expect.Close([0, 1, 0, 0, 0, 0, 6, 0, 0, 0, 0, 11], x.triu(1).tril(1));
        Expect.Close([0, 0, 0, 0, 4, 5, 0, 0, 8, 9, 10, 0], x.clone().tril_());
    }

    [Fact]
    public void Order()
    {
        using var scope = NewDisposeScope();
        var x = Count(2, 3);

        Expect.Close([2, 1, 0, 5, 4, 3], x.flip(1));
        Expect.Close([5, 4, 3, 2, 1, 0], torch.flip(x, 0, 1));
        Expect.Close([2, 0, 1, 5, 3, 4], x.roll(1, 1));
        Expect.Close([5, 0, 1, 2, 3, 4], x.roll(1));
        Expect.Close([5, 3, 4, 2, 0, 1], x.roll([1L, 1], [0L, 1]));
    }

    [Fact]
    public void Joining()
    {
        using var scope = NewDisposeScope();
        var a = Count(1, 2);
        var b = Count(2, 2);

        Expect.Same([3, 2], [0, 1, 0, 1, 2, 3], cat([a, b]));
        Expect.Same([3, 2], [0, 1, 0, 1, 2, 3], cat(new List<Tensor> { a, b }, 0));
        Expect.Same([3, 2], [0, 1, 0, 1, 2, 3], torch.concat(new[] { a, b }));
        Expect.Same([2, 4], [0, 1, 0, 1, 2, 3, 2, 3], cat([b, b], dim: 1));
        Expect.Same([2, 1, 2], [0, 1, 0, 1], stack([a, a]));
        Expect.Same([1, 2, 2], [0, 0, 1, 1], stack(new[] { a, a }, -1));
        // More than fit on the stack.
        Expect.Same([40, 2], [.. Enumerable.Repeat(new[] { 0.0, 1 }, 40).SelectMany(row => row)], cat(Enumerable.Repeat(a, 40).ToArray()));
    }

    [Fact]
    public void Splitting()
    {
        using var scope = NewDisposeScope();
        var x = Count(5, 2);

        Assert.Equal([[2, 2], [2, 2], [1, 2]], x.split(2).Select(part => part.shape));
        Assert.Equal([[1, 2], [4, 2]], x.split([1L, 4], 0).Select(part => part.shape));
        Assert.Equal([[5, 1], [5, 1]], x.chunk(2, 1).Select(part => part.shape));
        Assert.Equal([[3, 2], [2, 2]], torch.chunk(x, 2).Select(part => part.shape));
        var rows = x.unbind();
        Assert.Equal(5, rows.Length);
        Expect.Same([2], [4, 5], rows[2]);
        Assert.Equal(2, x.unbind(1).Length);
    }

    [Fact]
    public void Gradients()
    {
        using var scope = NewDisposeScope();
        var x = Expect.Doubles([3, 4]);
        var y = Expect.Doubles([2, 4], seed: 9);

        Expect.Gradients(x => x[0].view(4, 3).t().flatten().flip(0).reshape(2, 6), [x]);
        Expect.Gradients(x => x[0].unsqueeze(1).expand(3, 2, 4).permute(2, 1, 0), [x]);
        Expect.Gradients(x => x[0].repeat(2, 1).narrow(0, 1, 4), [x]);
        Expect.Gradients(x => x[0].repeat_interleave(2, 0), [x]);
        Expect.Gradients(x => cat([x[0], x[1]]).roll(1, 0), [x, y]);
        Expect.Gradients(x => stack([x[0][0], x[1][1]]), [x, y]);
        Expect.Gradients(x => x[0].tril().select(1, 0) + x[0].triu().slice(1, 0, 4, 2).sum(1), [x]);
        Expect.Gradients(x => x[0].split(2)[1].unbind(1)[3] + x[0].chunk(3)[0].sum(), [x]);
        Expect.Gradients(x => x[0].contiguous().squeeze().diagonal(), [x]);
    }
}
