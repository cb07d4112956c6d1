using MassDpo.Learner.Training;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

public sealed class PlackettLuceLossTests
{
    [Fact]
    public void The_worked_example_of_the_method()
    {
        var (losses, gradient) = LossAndGradient([[0.5, -1, 2, 1.9]]);
        Assert.Equal(2.838584262644317, losses[0], 1e-14);
        Assert.Equal([0.096464109, 0.021524052, 0.432322145, 0.391181253], gradient[0], (expected, actual) => Math.Abs(expected - actual) < 5e-10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void The_value_is_log_of_one_plus_the_sum_and_its_gradient_is_p(int k)
    {
        var random = new StableRandom(k, 0xA1);
        var z = Enumerable.Range(0, 20).Select(_ => Row(ref random, k, 3)).ToArray();
        var (losses, gradient) = LossAndGradient(z);
        for (var n = 0; n < z.Length; n++)
        {
            var sum = 1 + z[n].Sum(Math.Exp);
            Assert.Equal(Math.Log(sum), losses[n], 1e-12);
            for (var j = 0; j < k; j++)
                Assert.Equal(Math.Exp(z[n][j]) / sum, gradient[n][j], 1e-12);
        }
    }

    [Fact]
    public void The_gradient_is_what_finite_differences_of_the_loss_itself_give()
    {
        var random = new StableRandom(7, 0xA2);
        for (var round = 0; round < 20; round++)
        {
            var z = Row(ref random, 5, 4);
            var (_, gradient) = LossAndGradient([z]);
            for (var j = 0; j < z.Length; j++)
            {
                const double h = 1e-6;
                var (up, down) = (z.ToArray(), z.ToArray());
                up[j] += h;
                down[j] -= h;
                var slope = (LossAndGradient([up]).Losses[0] - LossAndGradient([down]).Losses[0]) / (2 * h);
                Assert.Equal(slope, gradient[0][j], 1e-8);
            }
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Loss_and_gradient_stay_finite_and_right_at_ten_thousand(ScalarType type)
    {
        double[][] z =
        [
            [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4], [1e4, 0, 0], [0, -1e4, -1e4], [1e4, 9999, -1e4],
        ];
        double[] expected = [1e4 + Math.Log(2), 0, 1e4, Math.Log(2), 1e4 + Math.Log(1 + Math.Exp(-1))];
        var (losses, gradient) = LossAndGradient(z, type);
        var epsilon = type == ScalarType.Float32 ? 1e-3 : 1e-8;
        for (var n = 0; n < z.Length; n++)
        {
            Assert.Equal(expected[n], losses[n], epsilon);
            Assert.All(gradient[n], g => Assert.InRange(g, 0, 1));
        }
        Assert.Equal([0.5, 0.5, 0], gradient[0], Close);
        Assert.Equal([0, 0, 0], gradient[1], Close);
        Assert.Equal([1, 0, 0], gradient[2], Close);
        Assert.Equal([0.5, 0, 0], gradient[3], Close);

        bool Close(double a, double b) => Math.Abs(a - b) < epsilon;
    }

    [Fact]
    public void With_one_negative_it_is_minus_log_sigmoid_of_minus_z()
    {
        double[] zs = [-30, -5, -1e-3, 0, 1e-3, 0.7, 5, 19, 30];
        var (losses, gradient) = LossAndGradient([.. zs.Select(z => new[] { z })]);
        for (var n = 0; n < zs.Length; n++)
        {
            var sigmoid = 1 / (1 + Math.Exp(zs[n]));
            Assert.Equal(-Math.Log(sigmoid), losses[n], 1e-8);
            Assert.Equal(1 - sigmoid, gradient[n][0], 1e-8);
        }
    }

    [Fact]
    public void Minus_infinity_stands_for_no_negative_and_gets_no_gradient()
    {
        var (padded, gradient) = LossAndGradient([[0.3, double.NegativeInfinity, -2, double.NegativeInfinity], [1, 2, 3, 4]]);
        var (plain, plainGradient) = LossAndGradient([[0.3, -2]]);
        Assert.Equal(plain[0], padded[0], 1e-14);
        Assert.Equal([plainGradient[0][0], 0, plainGradient[0][1], 0], gradient[0], (a, b) => Math.Abs(a - b) < 1e-14);
        Assert.All(gradient[1], g => Assert.True(g > 0));
    }

    [Fact]
    public void The_order_of_the_negatives_does_not_matter()
    {
        var random = new StableRandom(3, 0xA3);
        for (var round = 0; round < 50; round++)
        {
            var z = Row(ref random, 6, 5);
            var order = Enumerable.Range(0, 6).ToArray();
            random.Shuffle<int>(order);
            var (loss, gradient) = LossAndGradient([z]);
            var (shuffled, shuffledGradient) = LossAndGradient([[.. order.Select(j => z[j])]]);
            Assert.Equal(loss[0], shuffled[0], 1e-13);
            Assert.Equal(order.Select(j => gradient[0][j]), shuffledGradient[0], (a, b) => Math.Abs(a - b) < 1e-13);
        }
    }

    private static double[] Row(ref StableRandom random, int k, double spread)
    {
        var row = new double[k];
        for (var j = 0; j < k; j++)
            row[j] = spread * random.Normal();
        return row;
    }

    private static (double[] Losses, double[][] Gradient) LossAndGradient(double[][] z, ScalarType type = ScalarType.Float64)
    {
        using var scope = NewDisposeScope();
        var (n, k) = (z.Length, z[0].Length);
        var leaf = tensor([.. z.SelectMany(row => row)], [n, k], dtype: ScalarType.Float64).to(type).requires_grad_();
        var losses = PlackettLuceLoss.Of(leaf);
        Assert.Equal(type, losses.dtype);
        Assert.Equal([n], losses.shape);
        losses.sum().backward();
        var gradient = leaf.grad!.to(ScalarType.Float64).data<double>().ToArray();
        return (losses.detach().to(ScalarType.Float64).data<double>().ToArray(), [.. gradient.Chunk(k)]);
    }
}
