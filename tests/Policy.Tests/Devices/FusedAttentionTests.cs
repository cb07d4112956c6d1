using MassDpo.Policy.Devices;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Devices;

public sealed class FusedAttentionTests
{
    // libtorch before 2.0 has the same function in plain operations: how it is called can be held against the plain form there too.
    [Theory]
    [InlineData(4, 4, ScalarType.Float32, 1e-5)]
    [InlineData(4, 2, ScalarType.Float32, 1e-5)]
    [InlineData(6, 1, ScalarType.Float32, 1e-5)]
    [InlineData(4, 2, ScalarType.BFloat16, 3e-2)]
    public void It_gives_what_the_plain_form_gives_with_its_gradients(int heads, int keyValueHeads, ScalarType type, double tolerance) => Check(heads, keyValueHeads, new Placement(type, CPU), tolerance);

    [CudaFact]
    public void On_CUDA_it_is_taken_and_gives_what_the_plain_form_gives_on_the_CPU()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(DeviceLibrary.HasFusedAttention, FusedAttention.Takes(ones(1, device: CUDA)));
        Check(4, 2, new Placement(ScalarType.Float32, CUDA), 1e-4);
        Check(4, 2, new Placement(ScalarType.BFloat16, CUDA), 3e-2);
    }

    [Fact]
    public void On_the_CPU_it_is_not_taken()
    {
        using var there = ones(1);
        Assert.False(FusedAttention.Takes(there));
        Assert.Equal(int.Parse(__version__.Split('.')[0], System.Globalization.CultureInfo.InvariantCulture) >= 2, DeviceLibrary.HasFusedAttention);
    }

    private static void Check(int heads, int keyValueHeads, Placement placement, double tolerance)
    {
        using var scope = NewDisposeScope();
        var config = MadePolicy.Config(hidden: 8 * heads, heads: heads, keyValueHeads: keyValueHeads);
        using var generator = new Generator(5);
        Tensor Made(params long[] shape) => randn(shape, dtype: ScalarType.Float32, device: CPU, generator: generator);
        var (queries, keys, values, pull) = (Made(3, heads, 5, 8), Made(3, keyValueHeads, 7, 8), Made(3, keyValueHeads, 7, 8), Made(3, heads, 5, 8));
        // Each place sees itself at least.
        var bias = zeros([3, 1, 5, 7], dtype: ScalarType.Float32, device: CPU).masked_fill_(Made(3, 1, 5, 7).gt(0.3).triu(1), float.NegativeInfinity);
        var (plain, fused) = (Results(Placement.Default, new Attention(config, mostScores: long.MaxValue).Plain), Results(placement, FusedAttention.Of));
        foreach (var (expected, found) in plain.Zip(fused))
            Assert.True((found - expected).abs().max().item<float>() <= tolerance * expected.abs().max().item<float>());

        // What it gives, and the gradients of queries, keys and values.
        Tensor[] Results(Placement where, Func<Tensor, Tensor, Tensor, Tensor, Tensor> attend)
        {
            Tensor[] leaves = [.. new[] { queries, keys, values }.Select(x => x.to(where.Type, where.Device, copy: true).requires_grad_())];
            var given = attend(leaves[0], leaves[1], leaves[2], bias.to(where.Type, where.Device));
            given.backward([pull.to(where.Type, where.Device)]);
            return [.. leaves.Select(leaf => leaf.grad!).Prepend(given.detach()).Select(x => x.to(ScalarType.Float32, CPU))];
        }
    }
}
