using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class ReductionTests
{
    private static Tensor Matrix() => tensor(new double[,] { { 1, 5, 3 }, { 4, 2, 6 } });

    [Fact]
    public void Sums_and_means()
    {
        using var scope = NewDisposeScope();
        var m = Matrix();

        Expect.Same([], [21], m.sum());
        // A literal 0 would be a ScalarType here.
        Expect.Same([3], [5, 7, 9], m.sum(0L));
        Expect.Same([2, 1], [9, 12], m.sum(1, keepdim: true));
        Expect.Same([], [21], m.sum(0, 1));
        Expect.Same([1, 1], [21], m.sum([0L, 1L], true));
        Expect.Same([2], [9, 12], torch.sum(m, -1));
        Assert.Equal(float32, m.sum(float32).dtype);
        Assert.Equal(int64, tensor(new[] { true, true }).sum().dtype);
        Expect.Same([], [3.5], m.mean());
        Expect.Same([3], [2.5, 3.5, 4.5], m.mean([0L]));
        Expect.Same([2, 1], [3, 4], torch.mean(m, [1L], keepdim: true));
        Assert.Equal(float32, tensor(new[] { 1L, 2 }).mean([0L], type: float32).dtype);
        Expect.Same([], [720], m.prod());
        Expect.Same([2], [15, 48], m.prod(1));
    }

    [Fact]
    public void Extremes_and_where_they_are()
    {
        using var scope = NewDisposeScope();
        var m = Matrix();

        Expect.Close(6, m.max());
        Expect.Close(1, m.min());
        var (largest, at) = m.max(1);
        Expect.Same([2], [5, 6], largest);
        Expect.Same([2], [1, 2], at);
        var (smallest, where) = torch.min(m, 0, keepdim: true);
        Expect.Same([1, 3], [1, 2, 3], smallest);
        Expect.Same([1, 3], [0, 1, 0], where);
        Expect.Same([2], [5, 6], m.amax(1));
        Expect.Same([1, 3], [1, 2, 3], m.amin([0L], keepdim: true));
        Expect.Same([], [6], m.amax(0, 1));
        Expect.Close(5, m.argmax());
        Expect.Same([3], [1, 0, 1], m.argmax(0));
        Expect.Same([2, 1], [0, 1], torch.argmin(m, 1, keepdim: true));
        Expect.Close(0, m.argmin());
        Assert.Equal(int64, m.argmax().dtype);
    }

    [Fact]
    public void Any_and_all()
    {
        using var scope = NewDisposeScope();
        var m = tensor(new[,] { { true, false }, { true, true } });

        Assert.True(m.any().ToBoolean());
        Assert.False(m.all().ToBoolean());
        Assert.Equal([true, true], m.any(1).data<bool>().ToArray());
        Assert.Equal([true, false], torch.all(m, 0).data<bool>().ToArray());
    }

    [Fact]
    public void Spread()
    {
        using var scope = NewDisposeScope();
        var m = Matrix();

        // Of 1..6: squares from the mean sum to 17.5.
        Expect.Close(Math.Sqrt(17.5 / 5), m.std());
        Expect.Close(17.5 / 6, m.var(unbiased: false));
        Expect.Same([3], [4.5, 4.5, 4.5], m.var(0));
        Expect.Same([2, 1], [2, 2], m.std([1L], keepdim: true));
        Expect.Same([], [17.5 / 5], torch.var(m, (0L, 1L)));
        Expect.Close(Math.Sqrt(91), m.norm());
        Expect.Close(21, m.norm(1f));
        Expect.Close([Math.Sqrt(35), Math.Sqrt(56)], m.norm(1, false, 2f));
        Expect.Close(Math.Sqrt(91), linalg.norm(m));
        Expect.Close(Math.Sqrt(91), linalg.norm(m, "fro"));
        Expect.Close(10, linalg.norm(m, double.PositiveInfinity) - 2);
        Expect.Close(9, linalg.norm(m, 1));
        Expect.Close(Math.Sqrt(91), linalg.vector_norm(m));
        Expect.Same([3], [5, 7, 9], linalg.vector_norm(m, 1, [0]));
    }

    [Fact]
    public void Logarithm_of_a_sum_of_exponentials_does_not_overflow()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[,] { { 1000.0, 1000 }, { 0, Math.Log(3) } });

        Expect.Close([1000 + Math.Log(2), Math.Log(4)], x.logsumexp(1));
        Expect.Same([2, 1], [1000 + Math.Log(2), Math.Log(4)], torch.logsumexp(x, 1, keepdim: true));
        Expect.Close([0.5, 0.5, 0.25, 0.75], x.softmax(1));
        Expect.Close([-Math.Log(2), -Math.Log(2), -Math.Log(4), Math.Log(0.75)], x.log_softmax(1));
        Expect.Close([0.5, 0.5, 0.25, 0.75], nn.functional.softmax(x, -1));
        Expect.Close([0.5, 0.5, 0.25, 0.75], torch.softmax(x, 1));
        Expect.Close([0.5, 0.5, 0.25, 0.75], special.softmax(x, 1));
        Assert.Equal(float64, tensor(new[] { 1f, 2f }).softmax(0, float64).dtype);
    }

    [Fact]
    public void Along_a_dimension()
    {
        using var scope = NewDisposeScope();
        var m = Matrix();

        Expect.Close([1, 6, 9, 4, 6, 12], m.cumsum(1));
        Expect.Close([1, 5, 3, 5, 7, 9], torch.cumsum(m, 0));
        Expect.Close([1, 5, 15, 4, 8, 48], m.cumprod(1));
        var (top, at) = m.topk(2, 1);
        Expect.Same([2, 2], [5, 3, 6, 4], top);
        Expect.Same([2, 2], [1, 2, 2, 0], at);
        Expect.Close([1, 2], m.topk(1, 1, largest: false).values);
        var (sorted, order) = m.sort(1, descending: true);
        Expect.Close([5, 3, 1, 6, 4, 2], sorted);
        Expect.Close([1, 2, 0, 2, 0, 1], order);
        Expect.Close([0, 2, 1, 1, 0, 2], m.argsort(1));
        Expect.Close([2, 0, 1, 3], tensor(new[] { 1.0, 1, 0, 2 }).sort(stable: true).Indices);
        Expect.Same([2, 1], [1, 3], tensor(new[] { 0, 5, 0, 7 }).nonzero());
    }

    [Fact]
    public void Gradients()
    {
        using var scope = NewDisposeScope();
        var m = Expect.Doubles([3, 4], 0.2, 2);

        Expect.Gradients(x => x[0].sum(), [m]);
        Expect.Gradients(x => x[0].sum(1), [m]);
        Expect.Gradients(x => x[0].mean([0L]), [m]);
        Expect.Gradients(x => x[0].prod(1), [m]);
        Expect.Gradients(x => x[0].max(1).values, [m]);
        Expect.Gradients(x => x[0].amin(0), [m]);
        Expect.Gradients(x => x[0].logsumexp(1), [m]);
        Expect.Gradients(x => x[0].softmax(1), [m]);
        Expect.Gradients(x => x[0].log_softmax(0), [m]);
        Expect.Gradients(x => x[0].cumsum(1), [m]);
        Expect.Gradients(x => x[0].std(1), [m]);
        Expect.Gradients(x => x[0].var(), [m]);
        Expect.Gradients(x => x[0].norm(), [m]);
        Expect.Gradients(x => linalg.vector_norm(x[0], 3, [1]), [m]);
        Expect.Gradients(x => x[0].topk(2, 1).values, [m]);
        Expect.Gradients(x => x[0].sort(0).Values, [m]);
    }

    [Fact]
    public void Extremes_into_a_given_tensor()
    {
        using var scope = NewDisposeScope();
        var into = zeros(2, dtype: float64);

        Matrix().amax([1L], @out: into);
        Expect.Close([5, 6], into);
    }
}
