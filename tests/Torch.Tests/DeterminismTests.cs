using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

/// <summary>Sums whose order threads could change come out bit for bit the same.</summary>
[Collection(ProcessState.Name)]
public sealed class DeterminismTests
{
    private static readonly Dictionary<string, Func<Tensor, Tensor, Tensor>> Sums = new()
    {
        ["index_add"] = (index, source) => zeros(50, 64).index_add(0, index, source, 1),
        ["index_put"] = (index, source) => zeros(50, 64).index_put_(source, [index], accumulate: true),
        ["scatter_add"] = (index, source) => zeros(50, 64).scatter_add(0, index.unsqueeze(1).expand(-1, 64), source),
        ["gradient of index_select"] = (index, source) =>
        {
            var table = zeros(50, 64, requires_grad: true);
            (table.index_select(0, index) * source).sum().backward();
            return table.grad!;
        },
        ["gradient of indexing"] = (index, source) =>
        {
            var table = zeros(50, 64, requires_grad: true);
            (table[index] * source).sum().backward();
            return table.grad!;
        },
        ["matmul"] = (_, source) => source.t().matmul(source),
        ["sum"] = (_, source) => source.sum(),
    };

    public static TheoryData<string> SumNames => [.. Sums.Keys];

    [Theory]
    [MemberData(nameof(SumNames))]
    public void The_same_every_time(string name)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(6);
        var before = get_num_threads();
        var index = randint(50, [20_000L], generator: generator);
        var source = randn(20_000, 64, generator: generator);
        try
        {
            set_num_threads(2);
            var first = Sums[name](index, source);
            for (var i = 0; i < 5; i++)
                Assert.True(Sums[name](index, source).Equals(first));
        }
        finally
        {
            set_num_threads(before);
        }
    }
}
