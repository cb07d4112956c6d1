using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class RandomTests
{
    [Fact]
    public void The_same_seed_gives_the_same_numbers()
    {
        using var scope = NewDisposeScope();
        double[] Draw(ulong seed)
        {
            using var generator = new Generator(seed);
            return
            [
                .. Expect.Values(rand(10, generator: generator)),
                .. Expect.Values(randn(2, 3, generator: generator)),
                .. Expect.Values(randint(100, [5L], generator: generator)),
                .. Expect.Values(randperm(6, generator: generator)),
                .. Expect.Values(zeros(4).normal_(1, 2, generator)),
                .. Expect.Values(zeros(4).uniform_(1, 2, generator)),
                .. Expect.Values(zeros(4).exponential_(generator: generator)),
                .. Expect.Values(full(20, 0.5).bernoulli(generator)),
                .. Expect.Values(zeros(20).bernoulli_(0.5, generator)),
                .. Expect.Values(multinomial(ones(9), 4, generator: generator)),
            ];
        }

        Assert.Equal(Draw(42), Draw(42));
        Assert.NotEqual(Draw(42), Draw(43));
    }

    [Fact]
    public void A_generators_state_can_be_kept_and_restored()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        rand(7, generator: generator);
        var state = generator.get_state();
        Assert.Equal(uint8, state.dtype);

        var first = Expect.Values(randn(5, generator: generator));
        var second = Expect.Values(randn(5, generator: generator));
        generator.set_state(state);
        Assert.Equal(first, Expect.Values(randn(5, generator: generator)));
        Assert.NotEqual(first, second);
        Assert.Same(generator, generator.manual_seed(9));
        Assert.Equal(9, generator.initial_seed());
        var again = Expect.Values(rand(3, generator: generator));
        generator.manual_seed(9);
        Assert.Equal(again, Expect.Values(rand(3, generator: generator)));
        Assert.Equal(DeviceType.CPU, generator.device.type);
    }

    [Fact]
    public void Generators_are_independent()
    {
        using var scope = NewDisposeScope();
        using var a = new Generator(5);
        using var b = new Generator(5);

        var first = Expect.Values(rand(4, generator: a));
        rand(100, generator: a);
        Assert.Equal(first, Expect.Values(rand(4, generator: b)));
    }

    [Fact]
    public void Numbers_are_distributed_as_they_should_be()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);

        var uniform = rand(20_000, dtype: float64, generator: generator);
        Assert.InRange(uniform.mean().ToDouble(), 0.49, 0.51);
        Assert.InRange(uniform.min().ToDouble(), 0, 0.01);
        Assert.InRange(uniform.max().ToDouble(), 0.99, 1);
        var normal = randn(20_000, dtype: float64, generator: generator);
        Assert.InRange(normal.mean().ToDouble(), -0.03, 0.03);
        Assert.InRange(normal.std().ToDouble(), 0.98, 1.02);
        var shifted = torch.normal(5, 2, [20_000L], generator: generator);
        Assert.InRange(shifted.mean().ToDouble(), 4.9, 5.1);
        Assert.InRange(shifted.std().ToDouble(), 1.95, 2.05);
        var whole = randint(3, 6, [1000L], generator: generator);
        Assert.Equal(int64, whole.dtype);
        Assert.Equal([3.0, 4, 5], Expect.Values(whole).Distinct().Order());
        Assert.Equal(Enumerable.Range(0, 50).Select(i => (double)i), Expect.Values(randperm(50, generator: generator)).Order());
        Assert.InRange(full(20_000, 0.3).bernoulli(generator).mean().ToDouble(), 0.28, 0.32);
    }

    [Fact]
    public void Draws_by_weight()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        var weights = tensor(new[] { 0.0, 1, 3 });

        var drawn = Expect.Values(weights.multinomial(10_000, replacement: true, generator));
        Assert.DoesNotContain(0, drawn);
        Assert.InRange(drawn.Count(value => value == 2), 7300, 7700);
        Assert.Equal([1.0, 2], Expect.Values(weights.multinomial(2, generator: generator)).Order());
        Assert.ThrowsAny<Exception>(() => weights.multinomial(4));
    }

    [Fact]
    public void Ranges_are_checked() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => randint(0, 1000, [3L], dtype: uint8));
}

[Collection(ProcessState.Name)]
public sealed class DefaultGeneratorTests
{
    [Fact]
    public void Seeding_the_default_generator_makes_everything_repeat()
    {
        using var scope = NewDisposeScope();
        double[] Draw()
        {
            manual_seed(123);
            return [.. Expect.Values(rand(3)), .. Expect.Values(randn(3)), .. Expect.Values(nn.functional.dropout(ones(50)))];
        }

        Assert.Equal(Draw(), Draw());
        using (var returned = torch.random.manual_seed(7))
            Assert.Equal(7, returned.initial_seed());
        Assert.Equal(7, initial_seed());
        var state = get_rng_state();
        var first = Expect.Values(rand(3));
        set_rng_state(state);
        Assert.Equal(first, Expect.Values(rand(3)));
    }

    [Fact]
    public void The_default_type_can_be_changed()
    {
        Assert.Equal(float32, get_default_dtype());
        try
        {
            set_default_dtype(float64);
            using var x = zeros(1);
            Assert.Equal(float64, x.dtype);
        }
        finally
        {
            set_default_dtype(float32);
        }
        Assert.Throws<ArgumentException>(() => set_default_dtype(int64));
    }
}
