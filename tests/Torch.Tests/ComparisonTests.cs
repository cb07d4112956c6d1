using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class ComparisonTests
{
    private static void Is(bool[] expected, Tensor actual)
    {
        Assert.Equal(ScalarType.Bool, actual.dtype);
        Assert.Equal(expected, actual.data<bool>().ToArray());
    }

    [Fact]
    public void Comparisons_with_tensors_and_numbers()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 1.0, 2, 3 });
        var b = tensor(new[] { 2.0, 2, 2 });

        foreach (var result in new[] { a == b, a.eq(b), torch.eq(a, b), a.equal(b), a == 2, a.eq(2), 2 == a })
            Is([false, true, false], result);
        foreach (var result in new[] { a != b, a.ne(b), a.not_equal(b), a != 2, 2 != a })
            Is([true, false, true], result);
        foreach (var result in new[] { a < b, a.lt(b), a.less(b), a < 2, a.lt(2), 2 > a })
            Is([true, false, false], result);
        foreach (var result in new[] { a <= b, a.le(b), a.less_equal(b), a <= 2, 2 >= a })
            Is([true, true, false], result);
        foreach (var result in new[] { a > b, a.gt(b), a.greater(b), a > 2, 2 < a })
            Is([false, false, true], result);
        foreach (var result in new[] { a >= b, a.ge(b), a.greater_equal(b), a >= 2, 2 <= a })
            Is([false, true, true], result);
    }

    [Fact]
    public void Logic()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { true, true, false, false });
        var b = tensor(new[] { true, false, true, false });

        foreach (var result in new[] { a.logical_and(b), logical_and(a, b), a & b, a.bitwise_and(b), a.clone().logical_and_(b) })
            Is([true, false, false, false], result);
        foreach (var result in new[] { a.logical_or(b), logical_or(a, b), a | b, a.bitwise_or(b), a.clone().logical_or_(b) })
            Is([true, true, true, false], result);
        foreach (var result in new[] { a.logical_xor(b), a ^ b, a.bitwise_xor(b) })
            Is([false, true, true, false], result);
        foreach (var result in new[] { a.logical_not(), logical_not(a), ~a, a.bitwise_not() })
            Is([false, false, true, true], result);
        Expect.Close([4, 1], tensor(new[] { 6L, 3 }) & tensor(new[] { 12L, 5 }));
        Expect.Close([14, 7], tensor(new[] { 6L, 3 }) | tensor(new[] { 12L, 5 }));
    }

    [Fact]
    public void What_is_no_number_and_what_is_infinite()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, double.NaN, double.PositiveInfinity, double.NegativeInfinity });

        Is([false, true, false, false], x.isnan());
        Is([false, false, true, true], x.isinf());
        Is([true, false, false, false], x.isfinite());
        Is([true, false, false, false], isfinite(x));
    }

    [Fact]
    public void Equality_of_whole_tensors()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 1.0, 2 });

        Assert.True(a.Equals(tensor(new[] { 1.0, 2 })));
        Assert.False(a.Equals(tensor(new[] { 1.0, 2.1 })));
        Assert.False(a.Equals(tensor(new[] { 1.0, 2, 3 })));
        Assert.True(a.Equals((object)a.clone()));
        Assert.False(a.Equals("a string"));
        Assert.True(allclose(a, a + 1e-9));
        Assert.False(a.allclose(a + 1e-3));
        Assert.True(a.allclose(a + 1e-3, rtol: 0, atol: 0.01));
        Assert.False(tensor(double.NaN).allclose(tensor(double.NaN)));
        Assert.True(tensor(double.NaN).allclose(tensor(double.NaN), equal_nan: true));
        Is([true, false], a.isclose(tensor(new[] { 1.0, 2.1 })));
    }
}
