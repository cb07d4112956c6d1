using System.Runtime.InteropServices;
using MassDpo.Policy.Devices;
using MassDpo.PolicyKit;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Devices;

public sealed class ComputeStreamTests
{
    [Fact]
    public void On_the_CPU_there_are_none_and_none_is_asked_for()
    {
        ComputeStream.Take(CPU);
        // The library is looked for among what is loaded.
        using var loaded = zeros(1);
        Assert.Contains("stream", Assert.Throws<ExternalException>(() => DeviceLibrary.TakeStream((int)DeviceType.CPU, -1)).Message);
    }

    [CudaFact]
    public void On_CUDA_threads_with_streams_of_their_own_compute_what_one_computes()
    {
        using var scope = NewDisposeScope();
        var x = arange(1 << 20, dtype: ScalarType.Float32, device: CUDA).sin();
        var expected = Sum(x);
        var found = new double[4];
        var threads = Enumerable.Range(0, found.Length).Select(i => new Thread(() =>
        {
            ComputeStream.Take(CUDA);
            found[i] = Sum(x);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.All(found, sum => Assert.Equal(expected, sum));

        static double Sum(Tensor x)
        {
            using var scope = NewDisposeScope();
            var y = x;
            for (var i = 0; i < 50; i++)
                y = (y + 1).cos();
            return y.sum().item<float>();
        }
    }
}
