using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;
using F = TorchSharp.torch.nn.functional;

namespace MassDpo.Torch.Tests;

public sealed class FunctionalTests
{
    [Fact]
    public void Linear()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new double[,] { { 1, 2 }, { 3, 4 } });
        var w = tensor(new double[,] { { 1, 0 }, { 0, 1 }, { 1, -1 } });
        var b = tensor(new[] { 0.5, 0, -1 });

        Expect.Same([2, 3], [1, 2, -1, 3, 4, -1], F.linear(x, w));
        Expect.Same([2, 3], [1.5, 2, -2, 3.5, 4, -2], F.linear(x, w, b));
        Expect.Gradients(x => F.linear(x[0], x[1], x[2]), [x, w, b]);
    }

    [Fact]
    public void Cross_entropy_from_class_numbers()
    {
        using var scope = NewDisposeScope();
        var scores = tensor(new double[,] { { 1, 2, 3 }, { 0, 0, 0 } });
        var target = tensor(new[] { 2L, 0 });
        var first = Math.Log(Math.Exp(1) + Math.Exp(2) + Math.Exp(3)) - 3;
        var second = Math.Log(3);

        Expect.Close((first + second) / 2, F.cross_entropy(scores, target));
        Expect.Close([first, second], F.cross_entropy(scores, target, reduction: Reduction.None));
        Expect.Close(first + second, F.cross_entropy(scores, target, reduction: Reduction.Sum));
        Expect.Close(first, F.cross_entropy(scores, tensor(new[] { 2L, -100 })));
        Expect.Close(second, F.cross_entropy(scores, tensor(new[] { 2L, 0 }), ignore_index: 2));
        Expect.Close((first * 2 + second * 1) / 3, F.cross_entropy(scores, target, weight: tensor(new[] { 1.0, 1, 2 })));
        // Smoothed by 0.3: every class has 0.1, the right one 0.7 more.
        Expect.Close(0.7 * first + 0.1 * (3 * (first + 3) - 6), F.cross_entropy(scores[..1], target[..1], label_smoothing: 0.3));
        Expect.Close((first + second) / 2, F.nll_loss(scores.log_softmax(1), target));
        Expect.Close((first + second) / 2, F.nll_loss(F.log_softmax(scores, 1), target));
        Expect.Gradients(x => F.cross_entropy(x[0], target), [scores]);
        Expect.Gradients(x => F.nll_loss(x[0], target, reduction: Reduction.Sum), [scores]);
    }

    [Fact]
    public void Other_losses()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, -2 });
        var y = tensor(new[] { 0.0, 1 });

        Expect.Close(5, F.mse_loss(x, y));
        Expect.Close([1, 9], F.mse_loss(x, y, Reduction.None));
        var first = Math.Log(1 + Math.Exp(1));
        var second = Math.Log(1 + Math.Exp(2));
        Expect.Close((first + second) / 2, F.binary_cross_entropy_with_logits(x, y));
        Expect.Close([first, 3 * second], F.binary_cross_entropy_with_logits(x, y, reduction: Reduction.None, pos_weights: tensor(new[] { 3.0, 3 })));
        Expect.Gradients(x => F.mse_loss(x[0], y), [x]);
        Expect.Gradients(x => F.binary_cross_entropy_with_logits(x[0], y), [x]);
    }

    [Fact]
    public void Activations_in_place_or_not()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { -1.0, 2 });

        Expect.Close([0, 2], F.relu(x));
        Expect.Close([-1 / (1 + Math.E), 2 / (1 + Math.Exp(-2))], F.silu(x));
        Expect.Close([Math.Log(1 + Math.Exp(-1)), Math.Log(1 + Math.Exp(2))], F.softplus(x));
        Expect.Close([-Math.Log(1 + Math.E), -Math.Log(1 + Math.Exp(-2))], F.logsigmoid(x));
        Expect.Close([Math.Tanh(-1), Math.Tanh(2)], F.tanh(x));
        Expect.Close([1 / (1 + Math.E), 1 / (1 + Math.Exp(-2))], F.sigmoid(x));
        // Of the normal distribution: P(-1) = 0.1586552539, P(2) = 0.9772498681.
        Expect.Close([-0.158655253931457, 1.954499736103642], F.gelu(x), 1e-12);
        Expect.Close([-1, 2], x);
        F.relu(x, inplace: true);
        Expect.Close([0, 2], x);
    }

    [Fact]
    public void Dropout_drops_and_scales()
    {
        using var scope = NewDisposeScope();
        var x = ones(10_000);

        var dropped = F.dropout(x, 0.25);
        var values = Expect.Values(dropped);
        Assert.All(values, value => Assert.True(value == 0 || Math.Abs(value - 4.0 / 3) < 1e-6));
        Assert.InRange(values.Count(value => value == 0), 2200, 2800);
        Expect.Close(Expect.Values(x), F.dropout(x, 0.25, training: false));
        F.dropout(x, 1, inplace: true);
        Expect.Close(0, x.sum());
    }

    [Fact]
    public void Padding()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new double[,] { { 1, 2 }, { 3, 4 } });

        Expect.Same([2, 4], [0, 1, 2, 0, 0, 3, 4, 0], F.pad(x, (1, 1)));
        Expect.Same([3, 3], [1, 2, 9, 3, 4, 9, 9, 9, 9], F.pad(x, (0, 1, 0, 1), value: 9));
        Expect.Same([4, 4], [0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0], F.pad(x, 1));
        Expect.Same([2, 3], [1, 2, 0, 3, 4, 0], F.pad(x, [0L, 1]));
        Expect.Same([1, 2, 4], [2, 1, 2, 1, 4, 3, 4, 3], F.pad(x.unsqueeze(0), (1, 1), PaddingModes.Reflect));
        Expect.Same([1, 2, 4], [1, 1, 2, 2, 3, 3, 4, 4], F.pad(x.unsqueeze(0), (1, 1), PaddingModes.Replicate));
        Expect.Same([1, 2, 4], [2, 1, 2, 1, 4, 3, 4, 3], F.pad(x.unsqueeze(0), (1, 1), PaddingModes.Circular));
        Expect.Gradients(x => F.pad(x[0], (1, 2)), [x]);
    }

    [Fact]
    public void Classes_as_vectors()
    {
        using var scope = NewDisposeScope();

        Expect.Same([2, 3], [0, 0, 1, 1, 0, 0], F.one_hot(tensor(new[] { 2L, 0 })));
        Expect.Same([1, 4], [0, 1, 0, 0], F.one_hot(tensor(new[] { 1L }), 4));
    }

    [Fact]
    public void Normalisation()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new double[,] { { 3, 4 }, { 0, 2 } });

        Expect.Close([0.6, 0.8, 0, 1], F.normalize(x));
        Expect.Close([1, 4.0 / 6, 0, 2.0 / 6], F.normalize(x, p: 1, dim: 0));
        Expect.Close([-1, 1, -1, 1], F.layer_norm(x, [2], eps: 0));
        Expect.Close([1, 4, 1, 4], F.layer_norm(x, [2], tensor(new[] { 1.0, 2 }), tensor(new[] { 2.0, 2 }), eps: 0));
        Expect.Gradients(x => F.normalize(x[0]), [Expect.Doubles([2, 3])]);
        Expect.Gradients(x => F.layer_norm(x[0], [3], x[1], x[2]), [Expect.Doubles([2, 3]), Expect.Doubles([3]), Expect.Doubles([3], seed: 2)]);
    }

    [Fact]
    public void Attention()
    {
        using var scope = NewDisposeScope();
        var q = Expect.Doubles([1, 2, 3, 4], seed: 1);
        var k = Expect.Doubles([1, 2, 3, 4], seed: 2);
        var v = Expect.Doubles([1, 2, 3, 5], seed: 3);

        Expect.Close(Reference(q, k, v, (_, _) => 0), F.scaled_dot_product_attention(q, k, v), 1e-10);
        var causal = Reference(q, k, v, (i, j) => j <= i ? 0 : double.NegativeInfinity);
        Expect.Close(causal, F.scaled_dot_product_attention(q, k, v, is_casual: true), 1e-10);
        var allowed = tensor(new[,] { { true, false, true }, { true, true, false }, { false, false, true } });
        var masked = Reference(q, k, v, (i, j) => (bool)allowed[i, j] ? 0 : double.NegativeInfinity);
        Expect.Close(masked, F.scaled_dot_product_attention(q, k, v, allowed), 1e-10);
        var bias = Expect.Doubles([3, 3], seed: 4);
        Expect.Close(Reference(q, k, v, (i, j) => bias[i, j].ToDouble()), F.scaled_dot_product_attention(q, k, v, bias), 1e-10);
        Expect.Gradients(x => F.scaled_dot_product_attention(x[0], x[1], x[2]), [q, k, v]);
        Assert.Throws<ArgumentException>(() => F.scaled_dot_product_attention(q, k, v, bias, is_casual: true));
    }

    /// <summary>Attention with loops.</summary>
    private static double[] Reference(Tensor query, Tensor key, Tensor value, Func<int, int, double> bias)
    {
        var q = (double[,,,])query.data<double>().ToNDArray();
        var k = (double[,,,])key.data<double>().ToNDArray();
        var v = (double[,,,])value.data<double>().ToNDArray();
        var result = new List<double>();
        for (var head = 0; head < 2; head++)
        {
            for (var i = 0; i < 3; i++)
            {
                var weights = new double[3];
                for (var j = 0; j < 3; j++)
                    weights[j] = Math.Exp(Enumerable.Range(0, 4).Sum(d => q[0, head, i, d] * k[0, head, j, d]) / 2 + bias(i, j));
                for (var d = 0; d < 5; d++)
                    result.Add(Enumerable.Range(0, 3).Sum(j => weights[j] * v[0, head, j, d]) / weights.Sum());
            }
        }
        return [.. result];
    }
}
