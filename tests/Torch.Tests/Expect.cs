using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

/// <summary>Compares tensors with numbers, and gradients with finite differences.</summary>
internal static class Expect
{
    /// <summary>The tensor's elements, row by row, as doubles.</summary>
    public static double[] Values(Tensor tensor)
    {
        using var plain = tensor.detach();
        using var wide = plain.to(float64);
        return wide.data<double>().ToArray();
    }

    public static void Close(double[] expected, Tensor actual, double tolerance = 1e-12)
    {
        var values = Values(actual);
        Assert.Equal(expected.Length, values.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Near(expected[i], values[i], tolerance), $"element {i}: expected {expected[i]:r}, got {values[i]:r}");
    }

    public static void Close(double expected, Tensor actual, double tolerance = 1e-12) => Close([expected], actual, tolerance);

    public static void Shape(long[] expected, Tensor actual) => Assert.Equal(expected, actual.shape);

    /// <summary>Shape and elements.</summary>
    public static void Same(long[] shape, double[] expected, Tensor actual, double tolerance = 1e-12)
    {
        Shape(shape, actual);
        Close(expected, actual, tolerance);
    }

    private static bool Near(double expected, double actual, double tolerance) =>
        expected.Equals(actual) || Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected));

    /// <summary>
    /// The gradients that autograd finds for a weighted sum of the function's outputs, against the change of that sum when each input is moved a
    /// little up and down.
    /// </summary>
    public static void Gradients(Func<Tensor[], Tensor> function, Tensor[] inputs, double tolerance = 1e-6)
    {
        using var scope = NewDisposeScope();
        var leaves = Array.ConvertAll(inputs, input => input.detach().clone().requires_grad_());
        var output = function(leaves);
        // Different weights for different outputs, so that mixed-up gradients do not cancel.
        var weights = (arange(output.numel(), dtype: float64) * 0.37 + 0.5).cos().view(output.shape);
        var gradients = autograd.grad([(output * weights).sum()], leaves);
        using var recordNothing = no_grad();
        for (var i = 0; i < leaves.Length; i++)
        {
            var analytic = Values(gradients[i]);
            var elements = leaves[i].data<double>();
            for (long j = 0; j < elements.Count; j++)
            {
                const double Step = 1e-5;
                var middle = elements[j];
                elements[j] = middle + Step;
                var above = Sum();
                elements[j] = middle - Step;
                var below = Sum();
                elements[j] = middle;
                var numeric = (above - below) / (2 * Step);
                Assert.True(Near(numeric, analytic[j], tolerance),
                    $"input {i}, element {j}: finite difference {numeric:r}, autograd {analytic[j]:r}");
            }
        }

        double Sum() => (function(leaves) * weights).sum().ToDouble();
    }

    /// <summary>Numbers in the given range, the same each time.</summary>
    public static Tensor Doubles(long[] shape, double low = -1, double high = 1, ulong seed = 7)
    {
        using var generator = new Generator(seed);
        return rand(shape, dtype: float64, generator: generator) * (high - low) + low;
    }
}

/// <summary>Tests that change or count what all tests share: they run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ProcessState
{
    public const string Name = "process state";
}
