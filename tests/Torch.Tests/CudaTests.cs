using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

/// <summary>A test that needs a CUDA device; without one it is skipped.</summary>
public sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute() => Skip = cuda.is_available() ? null! : "no CUDA device";
}

public sealed class CudaTests
{
    [CudaFact]
    public void Tensors_go_to_the_device_and_back()
    {
        using var scope = NewDisposeScope();
        var x = Expect.Doubles([4, 4]);
        var there = x.cuda();

        Assert.Equal(DeviceType.CUDA, there.device_type);
        Assert.True(there.is_cuda);
        Assert.Equal("cuda:0", there.device.ToString());
        Assert.True(there.cpu().Equals(x));
        Assert.True(there.to(CPU).Equals(x));
        Expect.Close(Expect.Values(x), there);
        Assert.Equal(x[1, 2].item<double>(), there[1, 2].item<double>());
        Assert.Equal(x.sum().ToDouble(), there.sum().ToDouble(), 1e-9);
        Assert.Equal(DeviceType.CUDA, zeros(2, device: CUDA).device_type);
        Assert.Equal(DeviceType.CUDA, zeros_like(there).device_type);
        Assert.Throws<InvalidOperationException>(() => there.bytes.Length);
        cuda.synchronize();
    }

    [CudaFact]
    public void The_device_computes_what_the_processor_computes()
    {
        using var scope = NewDisposeScope();
        var x = Expect.Doubles([32, 16]);
        var w = Expect.Doubles([8, 16], seed: 2);
        var target = arange(32) % 8;

        double[] Gradient(Device device)
        {
            var leaf = w.to(device).detach().requires_grad_();
            var loss = nn.functional.cross_entropy(nn.functional.linear(x.to(device), leaf).silu(), target.to(device));
            loss.backward();
            return Expect.Values(leaf.grad!);
        }

        var expected = Gradient(CPU);
        var actual = Gradient(CUDA);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-9);
    }

    [CudaFact]
    public void A_devices_generator_repeats_itself()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5, CUDA);

        var first = Expect.Values(rand(10, device: CUDA, generator: generator));
        var second = Expect.Values(rand(10, device: CUDA, generator: generator));
        Assert.NotEqual(first, second);
        generator.manual_seed(5);
        Assert.Equal(first, Expect.Values(rand(10, device: CUDA, generator: generator)));
    }
}
