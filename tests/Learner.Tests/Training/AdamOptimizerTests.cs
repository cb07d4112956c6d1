using MassDpo.Learner.Training;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

public sealed class AdamOptimizerTests
{
    public static TheoryData<AdamOptions> Kinds => new()
    {
        new AdamOptions(0.9, 0.999, 1e-8, WeightDecay: 0, MaxGradientNorm: 0),
        new AdamOptions(0.9, 0.98, 1e-8, WeightDecay: 0, MaxGradientNorm: 1),
        new AdamOptions(0.9, 0.999, 1e-8, WeightDecay: 0.3, MaxGradientNorm: 0),
        // With an epsilon like this it matters where it is added: after the bias correction.
        new AdamOptions(0.8, 0.95, 0.2, WeightDecay: 0.1, MaxGradientNorm: 2),
        new AdamOptions(0, 0.5, 1e-3, WeightDecay: 0, MaxGradientNorm: 0.01),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_step_is_that_of_the_formulas_in_double(AdamOptions options)
    {
        AssertSteps(options, tensorOperationsOnly: false);
        AssertSteps(options, tensorOperationsOnly: true);
    }

    private static void AssertSteps(AdamOptions options, bool tensorOperationsOnly)
    {
        using var parameters = new Parameters(1);
        using var optimizer = new AdamOptimizer(parameters.Tensors, options, tensorOperationsOnly);
        var reference = new ReferenceAdam(parameters.Values(), parameters.Decaying(), options);
        var random = new StableRandom(5, 0xAD);
        for (var step = 0; step < 40; step++)
        {
            var rate = 0.05 / (1 + step);
            var gradients = parameters.SetGradients(ref random, step);
            var norm = optimizer.GradientNorm();
            Assert.Equal(ReferenceAdam.Norm(gradients), norm, 1e-5);
            optimizer.Step(rate, norm);
            optimizer.ZeroGradients();
            reference.Step(gradients, rate);
            AssertClose(reference.Values, parameters.Values(), 2e-6);
        }
        Assert.Equal(40, optimizer.Steps);
        // The state has the names of PyTorch's, one of each for each parameter.
        Assert.Equal(["exp_avg.a.norm", "exp_avg.b.matrix", "exp_avg.c.matrix", "exp_avg_sq.a.norm", "exp_avg_sq.b.matrix", "exp_avg_sq.c.matrix"],
            optimizer.State.Select(part => part.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_norm_is_over_all_tensors_and_gradients_below_the_limit_stay_as_they_are()
    {
        using var parameters = new Parameters(2);
        using var limited = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, MaxGradientNorm: 5.1));
        parameters.Fill(3, 4);
        Assert.Equal(5, limited.GradientNorm(), 1e-6);
        limited.Step(1e-3, 5);
        var mean = limited.State.First(part => part.Key == "exp_avg.b.matrix").Value;
        Assert.Equal(0.1 * 3, mean[0, 0].item<float>(), 1e-6);
    }

    [Fact]
    public void Clipping_divides_by_the_norm_and_a_millionth()
    {
        using var parameters = new Parameters(2);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, MaxGradientNorm: 1e-6));
        parameters.Fill(3e-6f, 4e-6f);
        optimizer.Step(1e-3, optimizer.GradientNorm());
        // A norm of 5e-6 is cut to 1e-6·5/6: were nothing added to it, to 1e-6.
        var mean = optimizer.State.First(part => part.Key == "exp_avg.b.matrix").Value;
        Assert.Equal(0.1 * 3e-6 / 6, mean[0, 0].item<float>(), 1e-12);
    }

    [Fact]
    public void Only_what_has_two_dimensions_or_more_decays()
    {
        using var parameters = new Parameters(3);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, WeightDecay: 0.5, MaxGradientNorm: 0));
        var before = parameters.Values();
        parameters.Fill(0, 0);
        optimizer.Step(0.1, 0);
        var after = parameters.Values();
        Assert.Equal(before[0], after[0]);
        foreach (var matrix in new[] { 1, 2 })
            AssertClose([[.. before[matrix].Select(value => value * (1 - 0.1 * 0.5))]], [after[matrix]], 1e-7);
    }

    [Fact]
    public void A_parameter_without_a_gradient_is_left_alone()
    {
        using var parameters = new Parameters(4);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, WeightDecay: 0.5, MaxGradientNorm: 1));
        var random = new StableRandom(1, 0xAE);
        parameters.SetGradients(ref random, 0);
        parameters.Tensors["b.matrix"].grad = null;
        var before = parameters.Values();
        optimizer.Step(0.1, optimizer.GradientNorm());
        var after = parameters.Values();
        Assert.Equal(before[1], after[1]);
        Assert.NotEqual(before[2], after[2]);
    }

    [Fact]
    public void With_no_gradient_at_all_the_norm_is_0()
    {
        using var parameters = new Parameters(4);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, 0));
        Assert.Equal(0, optimizer.GradientNorm());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void From_a_saved_state_it_goes_on_to_the_same_bits(AdamOptions options)
    {
        using var parameters = new Parameters(6);
        using var optimizer = new AdamOptimizer(parameters.Tensors, options);
        var random = new StableRandom(8, 0xAF);
        Train(parameters, optimizer, ref random, 7);

        using var copies = new Parameters(parameters);
        using var resumed = new AdamOptimizer(copies.Tensors, options);
        resumed.Restore(new Dictionary<string, Tensor>(optimizer.State), optimizer.Steps);
        var sameRandom = random;
        Train(parameters, optimizer, ref random, 7);
        Train(copies, resumed, ref sameRandom, 7);

        Assert.Equal(14, resumed.Steps);
        Assert.Equal(parameters.Bits(), copies.Bits());
        Assert.Equal(Bits(optimizer), Bits(resumed));
    }

    [Fact]
    public void A_restored_state_is_a_copy()
    {
        using var parameters = new Parameters(6);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, 0));
        var random = new StableRandom(8, 0xB0);
        Train(parameters, optimizer, ref random, 2);
        using var resumed = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, 0));
        resumed.Restore(new Dictionary<string, Tensor>(optimizer.State), optimizer.Steps);
        var before = Bits(resumed);
        Train(parameters, optimizer, ref random, 1);
        Assert.Equal(before, Bits(resumed));
        Assert.NotEqual(before, Bits(optimizer));
    }

    [Fact]
    public void A_state_of_other_parameters_is_refused_by_name()
    {
        using var parameters = new Parameters(6);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, 0));
        var state = new Dictionary<string, Tensor>(optimizer.State);
        state.Remove("exp_avg_sq.c.matrix");
        Assert.Contains("exp_avg_sq.c.matrix", Assert.Throws<InvalidDataException>(() => optimizer.Restore(state, 1)).Message);
        state["exp_avg_sq.c.matrix"] = zeros(7, 7);
        Assert.Contains("exp_avg_sq.c.matrix", Assert.Throws<InvalidDataException>(() => optimizer.Restore(state, 1)).Message);
    }

    [Fact]
    public void Nothing_to_train_is_refused()
    {
        using var parameters = new Parameters(9);
        var frozen = parameters.Tensors.ToDictionary(t => t.Key, t => t.Value.detach());
        var refusal = Assert.Throws<InvalidOperationException>(() => new AdamOptimizer(frozen, new AdamOptions(0.9, 0.999, 1e-8, 0, 0)));
        Assert.Contains("nothing to train", refusal.Message);
    }

    [Fact]
    public void What_collects_no_gradients_is_not_trained()
    {
        using var parameters = new Parameters(9);
        parameters.Tensors["c.matrix"].requires_grad = false;
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0.1, 0));
        Assert.DoesNotContain(optimizer.State, part => part.Key.EndsWith("c.matrix", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_gradient_that_is_not_finite_shows_in_the_norm(float bad)
    {
        using var parameters = new Parameters(10);
        using var optimizer = new AdamOptimizer(parameters.Tensors, new AdamOptions(0.9, 0.999, 1e-8, 0, 1));
        var random = new StableRandom(2, 0xB1);
        foreach (var name in parameters.Tensors.Keys)
        {
            parameters.SetGradients(ref random, 0);
            Assert.True(double.IsFinite(optimizer.GradientNorm()));
            parameters.Tensors[name].grad!.view(-1).narrow(0, 2, 1).fill_(bad);
            Assert.False(double.IsFinite(optimizer.GradientNorm()));
        }
    }

    private static void Train(Parameters parameters, AdamOptimizer optimizer, ref StableRandom random, int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            parameters.SetGradients(ref random, step);
            optimizer.Step(0.01, optimizer.GradientNorm());
            optimizer.ZeroGradients();
        }
    }

    private static byte[] Bits(AdamOptimizer optimizer) => [.. optimizer.State.SelectMany(part => part.Value.bytes.ToArray())];

    private static void AssertClose(double[][] expected, double[][] actual, double tolerance)
    {
        for (var t = 0; t < expected.Length; t++)
            for (var i = 0; i < expected[t].Length; i++)
                Assert.Equal(expected[t][i], actual[t][i], tolerance * Math.Max(1, Math.Abs(expected[t][i])));
    }

    // A norm and two matrices.
    private sealed class Parameters : IDisposable
    {
        public Parameters(long seed)
        {
            var random = new StableRandom(seed, 0xB2);
            foreach (var (name, shape) in new (string, long[])[] { ("a.norm", [5]), ("b.matrix", [3, 4]), ("c.matrix", [6, 2]) })
            {
                var values = new float[shape.Aggregate(1L, (product, dim) => product * dim)];
                for (var i = 0; i < values.Length; i++)
                    values[i] = (float)random.Normal();
                Tensors[name] = tensor(values, shape, dtype: ScalarType.Float32).requires_grad_();
            }
        }

        public Parameters(Parameters other)
        {
            foreach (var (name, original) in other.Tensors)
                Tensors[name] = original.detach().clone().requires_grad_();
        }

        public SortedDictionary<string, Tensor> Tensors { get; } = new(StringComparer.Ordinal);

        public double[][] Values() => [.. Tensors.Values.Select(t => Array.ConvertAll(t.detach().data<float>().ToArray(), x => (double)x))];

        public bool[] Decaying() => [.. Tensors.Values.Select(t => t.dim() > 1)];

        public byte[] Bits() => [.. Tensors.Values.SelectMany(t => t.detach().bytes.ToArray())];

        // Gradients of very different sizes, some exactly 0.
        public double[][] SetGradients(ref StableRandom random, int step)
        {
            var all = new List<double[]>();
            foreach (var parameter in Tensors.Values)
            {
                var values = new float[parameter.numel()];
                for (var i = 0; i < values.Length; i++)
                    values[i] = random.Below(10) == 0 ? 0 : (float)(random.Normal() * Math.Pow(10, step % 4 - 2));
                parameter.grad = tensor(values, parameter.shape, dtype: ScalarType.Float32);
                all.Add(Array.ConvertAll(values, x => (double)x));
            }
            return [.. all];
        }

        // One number each in the two matrices, 0 elsewhere.
        public void Fill(float b, float c)
        {
            foreach (var parameter in Tensors.Values)
                parameter.grad = zeros_like(parameter);
            Tensors["b.matrix"].grad!.narrow(0, 0, 1).narrow(1, 0, 1).fill_(b);
            Tensors["c.matrix"].grad!.narrow(0, 0, 1).narrow(1, 0, 1).fill_(c);
        }

        public void Dispose()
        {
            foreach (var parameter in Tensors.Values)
                parameter.Dispose();
        }
    }

    // torch.optim.AdamW and torch.nn.utils.clip_grad_norm_ as their documentation writes them.
    private sealed class ReferenceAdam(double[][] start, bool[] decaying, AdamOptions options)
    {
        private readonly double[][] _m = [.. start.Select(values => new double[values.Length])];
        private readonly double[][] _v = [.. start.Select(values => new double[values.Length])];
        private int _t;

        public double[][] Values { get; } = [.. start.Select(values => values.ToArray())];

        public static double Norm(double[][] gradients) => Math.Sqrt(gradients.Sum(g => g.Sum(x => x * x)));

        public void Step(double[][] gradients, double rate)
        {
            _t++;
            var clip = options.MaxGradientNorm > 0 ? Math.Min(1, options.MaxGradientNorm / (Norm(gradients) + 1e-6)) : 1;
            for (var p = 0; p < Values.Length; p++)
            {
                for (var i = 0; i < Values[p].Length; i++)
                {
                    var g = gradients[p][i] * clip;
                    if (decaying[p])
                        Values[p][i] -= rate * options.WeightDecay * Values[p][i];
                    _m[p][i] = options.Beta1 * _m[p][i] + (1 - options.Beta1) * g;
                    _v[p][i] = options.Beta2 * _v[p][i] + (1 - options.Beta2) * g * g;
                    var mean = _m[p][i] / (1 - Math.Pow(options.Beta1, _t));
                    var square = _v[p][i] / (1 - Math.Pow(options.Beta2, _t));
                    Values[p][i] -= rate * mean / (Math.Sqrt(square) + options.Epsilon);
                }
            }
        }
    }
}
