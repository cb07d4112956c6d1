using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class PointwiseTests
{
    private sealed record Unary(
        Func<Tensor, Tensor> Function, Func<double, double> Reference, double Low, double High, Func<Tensor, Tensor>? InPlace = null);

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double Erf(double x)
    {
        // Its Taylor series, which converges everywhere and fast below 3.
        double sum = x, term = x;
        for (var n = 1; n < 80; n++)
        {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private static readonly Dictionary<string, Unary> Functions = new()
    {
        ["neg"] = new(x => x.neg(), x => -x, -3, 3, x => x.neg_()),
        ["exp"] = new(x => x.exp(), Math.Exp, -3, 3, x => x.exp_()),
        ["log"] = new(x => x.log(), Math.Log, 0.1, 9, x => x.log_()),
        ["log1p"] = new(x => x.log1p(), x => Math.Log(1 + x), -0.5, 3, x => x.log1p_()),
        ["expm1"] = new(x => x.expm1(), x => Math.Exp(x) - 1, -3, 3, x => x.expm1_()),
        ["log2"] = new(x => x.log2(), Math.Log2, 0.1, 9, x => x.log2_()),
        ["log10"] = new(x => x.log10(), Math.Log10, 0.1, 9, x => x.log10_()),
        ["sqrt"] = new(x => x.sqrt(), Math.Sqrt, 0.1, 9, x => x.sqrt_()),
        ["rsqrt"] = new(x => x.rsqrt(), x => 1 / Math.Sqrt(x), 0.1, 9, x => x.rsqrt_()),
        ["square"] = new(x => x.square(), x => x * x, -3, 3),
        ["abs"] = new(x => x.abs(), Math.Abs, 0.1, 3, x => x.abs_()),
        ["sin"] = new(x => x.sin(), Math.Sin, -3, 3, x => x.sin_()),
        ["cos"] = new(x => x.cos(), Math.Cos, -3, 3, x => x.cos_()),
        ["tanh"] = new(x => x.tanh(), Math.Tanh, -3, 3, x => x.tanh_()),
        ["sigmoid"] = new(x => x.sigmoid(), Sigmoid, -3, 3, x => x.sigmoid_()),
        ["silu"] = new(x => x.silu(), x => x * Sigmoid(x), -3, 3, x => x.silu_()),
        ["relu"] = new(x => x.relu(), x => Math.Max(x, 0), 0.1, 3, x => x.relu_()),
        ["gelu"] = new(x => x.gelu(), x => x * 0.5 * (1 + Erf(x / Math.Sqrt(2))), -2, 2),
        ["gelu tanh"] = new(x => x.gelu(TorchSharp.Modules.GELU.Approximate.tanh),
            x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))), -2, 2),
        ["softplus"] = new(x => x.softplus(), x => Math.Log(1 + Math.Exp(x)), -3, 3),
        ["log_sigmoid"] = new(x => x.log_sigmoid(), x => Math.Log(Sigmoid(x)), -3, 3),
        ["reciprocal"] = new(x => x.reciprocal(), x => 1 / x, 0.3, 3, x => x.reciprocal_()),
        ["erf"] = new(x => x.erf(), Erf, -2, 2, x => x.erf_()),
        ["pow 3"] = new(x => x.pow(3), x => x * x * x, -2, 2, x => x.pow_(3)),
        ["pow 1.5"] = new(x => x.pow(1.5), x => Math.Pow(x, 1.5), 0.2, 3),
        ["clamp"] = new(x => x.clamp(-0.5, 0.5), x => Math.Clamp(x, -0.5, 0.5), -2, 2, x => x.clamp_(-0.5, 0.5)),
        ["3 - x"] = new(x => 3 - x, x => 3 - x, -2, 2),
        ["2 / x"] = new(x => 2 / x, x => 2 / x, 0.4, 2),
        ["x / 4"] = new(x => x / 4, x => x / 4, -2, 2, x => x.div_(4)),
        ["1.5 * x + 1"] = new(x => 1.5 * x + 1, x => 1.5 * x + 1, -2, 2, x => x.mul_(1.5).add_(1)),
        ["-x"] = new(x => -x, x => -x, -2, 2),
    };

    public static TheoryData<string> FunctionNames => [.. Functions.Keys];

    [Theory]
    [MemberData(nameof(FunctionNames))]
    public void A_function_and_its_form_in_place_give_what_mathematics_says(string name)
    {
        using var scope = NewDisposeScope();
        var (function, reference, low, high, inPlace) = Functions[name];
        var x = Expect.Doubles([3, 7], low, high);
        var before = Expect.Values(x);
        var expected = before.Select(reference).ToArray();

        Expect.Same([3, 7], expected, function(x), 1e-10);
        Expect.Close(before, x, 0);
        if (inPlace is null)
            return;
        Assert.Same(x, inPlace(x));
        Expect.Close(expected, x, 1e-10);
    }

    [Theory]
    [MemberData(nameof(FunctionNames))]
    public void A_function_has_the_gradient_that_finite_differences_find(string name)
    {
        using var scope = NewDisposeScope();
        var (function, _, low, high, _) = Functions[name];
        Expect.Gradients(x => function(x[0]), [Expect.Doubles([2, 5], low, high)]);
    }

    private static readonly Dictionary<string, (Func<Tensor, Tensor> Function, double[] Expected)> Steps = new()
    {
        ["floor"] = (x => x.floor(), [-3, -1, 0, 0, 1, 2]),
        ["floor_"] = (x => x.floor_(), [-3, -1, 0, 0, 1, 2]),
        ["ceil"] = (x => x.ceil(), [-2, 0, 0, 1, 2, 3]),
        ["trunc"] = (x => x.trunc(), [-2, 0, 0, 0, 1, 2]),
        // Halves go to the even neighbour.
        ["round"] = (x => x.round(), [-2, 0, 0, 0, 2, 2]),
        ["round_"] = (x => x.round_(), [-2, 0, 0, 0, 2, 2]),
        ["sign"] = (x => x.sign(), [-1, -1, 0, 1, 1, 1]),
    };

    public static TheoryData<string> StepNames => [.. Steps.Keys];

    [Theory]
    [MemberData(nameof(StepNames))]
    public void Functions_to_whole_numbers(string name)
    {
        using var scope = NewDisposeScope();
        var (function, expected) = Steps[name];
        Expect.Close(expected, function(tensor(new[] { -2.5, -0.25, 0, 0.5, 1.5, 2.5 })));
    }

    [Fact]
    public void Rounding_to_decimals() => Expect.Close([1.23, -4.57], tensor(new[] { 1.2345, -4.5678 }).round(2));

    [Fact]
    public void Arithmetic_of_two_tensors()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 1.0, 2, 3, -4 });
        var b = tensor(new[] { 2.0, -3, 4, 5 });

        Expect.Close([3, -1, 7, 1], a + b);
        Expect.Close([-1, 5, -1, -9], a - b);
        Expect.Close([2, -6, 12, -20], a * b);
        Expect.Close([0.5, -2.0 / 3, 0.75, -0.8], a / b);
        Expect.Close([1, -1, 3, 1], a % b);
        Expect.Close([5, -4, 11, 6], a.add(b, 2));
        Expect.Close([21, 22, 23, 16], torch.add(a, 10, 2));
        Expect.Close([2, 2, 4, 5], maximum(a, b));
        Expect.Close([1, -3, 3, -4], minimum(a, b));
        Expect.Close([1, 0.125, 81, -1024], a.pow(b));
        Expect.Close([1, 2, 3, -4], a);
    }

    [Fact]
    public void Arithmetic_with_numbers_on_either_side()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 1.0, -2 });

        foreach (var sum in new[] { a + 2, a + 2L, a + 2f, a + 2.0, 2 + a, 2L + a, 2f + a, 2.0 + a, a + (Scalar)2, (Scalar)2 + a })
            Expect.Close([3, 0], sum);
        foreach (var difference in new[] { a - 2, a - 2L, a - 2f, a - 2.0, a - (Scalar)2 })
            Expect.Close([-1, -4], difference);
        foreach (var difference in new[] { 2 - a, 2L - a, 2f - a, 2.0 - a, (Scalar)2 - a })
            Expect.Close([1, 4], difference);
        foreach (var product in new[] { a * 3, a * 3L, a * 3f, a * 3.0, 3 * a, 3L * a, 3f * a, 3.0 * a, a * (Scalar)3, (Scalar)3 * a })
            Expect.Close([3, -6], product);
        foreach (var quotient in new[] { a / 4, a / 4L, a / 4f, a / 4.0, a / (Scalar)4 })
            Expect.Close([0.25, -0.5], quotient);
        foreach (var quotient in new[] { 4 / a, 4L / a, 4f / a, 4.0 / a, (Scalar)4 / a })
            Expect.Close([4, -2], quotient);
        foreach (var rest in new[] { a % 3, a % 3L, a % 3f, a % 3.0, a % (Scalar)3 })
            Expect.Close([1, 1], rest);
    }

    [Fact]
    public void Division_can_round()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 7.0, -7 });

        Expect.Close([3.5, -3.5], a.div(2));
        Expect.Close([3, -3], a.div(2, RoundingMode.trunc));
        Expect.Close([3, -4], a.div(2, RoundingMode.floor));
        Expect.Close([3, -4], torch.div(a, tensor(2.0), RoundingMode.floor));
        Expect.Close([3, -3], a.div_(tensor(2.0), RoundingMode.trunc));
        Expect.Close([1, -2], a.div_(2, RoundingMode.floor));
        Assert.Equal(int64, tensor(new[] { 7L }).div(2, RoundingMode.floor).dtype);
        Assert.Equal(float32, (tensor(new[] { 7L }) / 2).dtype);
    }

    [Fact]
    public void In_place_forms_change_the_tensor_itself()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2, 3 });
        var alias = x.alias();

        x.add_(tensor(new[] { 1.0, 1, 1 }));
        x.add_(tensor(new[] { 1.0, 2, 3 }), 2);
        Expect.Close([4, 7, 10], x);
        x.sub_(1).sub_(tensor(new[] { 0.0, 1, 2 }));
        Expect.Close([3, 5, 7], x);
        x.mul_(tensor(new[] { 1.0, 2, 3 })).div_(tensor(new[] { 3.0, 5, 7 }));
        Expect.Close([1, 2, 3], x);
        x.addcmul_(tensor(new[] { 1.0, 2, 3 }), tensor(new[] { 2.0, 2, 2 }), 0.5);
        Expect.Close([2, 4, 6], x);
        x.addcdiv_(tensor(new[] { 3.0, 3, 3 }), tensor(new[] { 1.0, 2, 3 }), -1);
        Expect.Close([-1, 2.5, 5], x);
        x.addcdiv_(tensor(new[] { 2.0, 2, 2 }), tensor(new[] { 1.0, 1, 1 }));
        Expect.Close([1, 4.5, 7], x);
        x.lerp_(tensor(new[] { 3.0, 4.5, 3 }), tensor(new[] { 0.5, 0.5, 0.25 }));
        Expect.Close([2, 4.5, 6], x);
        x.masked_fill_(tensor(new[] { true, false, true }), -1);
        Expect.Close([-1, 4.5, -1], x);
        x.copy_(tensor(new[] { 9f, 8, 7 }));
        Expect.Close([9, 8, 7], alias);
        x.fill_(5);
        Expect.Close([5, 5, 5], alias);
        x.zero_();
        Expect.Close([0, 0, 0], alias);
    }

    [Fact]
    public void Three_operands()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new[] { 1.0, 2 });
        var b = tensor(new[] { 3.0, 4 });
        var c = tensor(new[] { 2.0, -2 });

        Expect.Close([1 + 0.5 * 6, 2 - 0.5 * 8], a.addcmul(b, c, 0.5));
        Expect.Close([1 + 2 * 1.5, 2 - 2 * 2], a.addcdiv(b, c, 2));
        Expect.Close([1 + 1.5, 2 - 2], a.addcdiv(b, c));
        Expect.Close([1 + 0.5 * 2, 2 - 0.25 * -2], a.lerp(b, tensor(new[] { 0.5, 0.25 })));
        Expect.Close([1, 4], where(tensor(new[] { true, false }), a, b));
        Expect.Gradients(x => x[0].addcmul(x[1], x[2], 0.5) + x[0].addcdiv(x[1], x[2], 2) + x[0].lerp(x[1], x[2]), [a, b, c]);
        Expect.Gradients(x => where(tensor(new[] { true, false }), x[0], x[1]), [a, b]);
    }

    [Fact]
    public void Clamping_by_one_bound_or_by_tensors()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { -2.0, 0.5, 3 });

        Expect.Close([0, 0.5, 3], x.clamp(min: 0));
        Expect.Close([-2, 0.5, 1], x.clamp(max: 1));
        Expect.Close([0, 0.5, 3], x.clamp_min(0));
        Expect.Close([-2, 0.5, 1], x.clamp_max(1));
        Expect.Close([-1, 0, 1], x.clamp(tensor(new[] { -1.0, -1, -1 }), tensor(new[] { 0.0, 0, 1 })));
        Expect.Close([-1, 0, 1], x.clamp_(tensor(new[] { -1.0, -1, -1 }), tensor(new[] { 0.0, 0, 1 })));
    }

    [Fact]
    public void Gradients_of_two_operands()
    {
        using var scope = NewDisposeScope();
        var a = Expect.Doubles([2, 3], 0.5, 2, seed: 1);
        var b = Expect.Doubles([3], 0.5, 2, seed: 2);

        Expect.Gradients(x => x[0] + x[1], [a, b]);
        Expect.Gradients(x => x[0] - x[1], [a, b]);
        Expect.Gradients(x => x[0] * x[1], [a, b]);
        Expect.Gradients(x => x[0] / x[1], [a, b]);
        Expect.Gradients(x => x[0].pow(x[1]), [a, b]);
        Expect.Gradients(x => x[0].maximum(x[1]) + x[0].minimum(x[1]) * 2, [a, b]);
    }

    [Fact]
    public void Types_widen_as_in_python()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(float32, (tensor(new[] { 1f }) + 1.5).dtype);
        Assert.Equal(int64, (tensor(new[] { 1L }) + 1).dtype);
        Assert.Equal(float32, (tensor(new[] { 1L }) + 1.5).dtype);
        Assert.Equal(float64, (tensor(new[] { 1f }) + tensor(new[] { 1.0 })).dtype);
        Assert.Equal(bfloat16, (tensor(new[] { 1f }).bfloat16() * 3).dtype);
    }
}
