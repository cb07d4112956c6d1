using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

[Collection(ProcessState.Name)]
public sealed class ThreadTests
{
    [Fact]
    public void The_number_of_threads_holds_for_every_thread()
    {
        var before = get_num_threads();
        using var go = new ManualResetEventSlim();
        int early = 0, late = 0;
        // One that libtorch knows already when the number changes, and one that starts after that.
        var known = new Thread(() =>
        {
            Use();
            go.Wait();
            early = get_num_threads();
        });
        try
        {
            known.Start();
            set_num_threads(3);
            Assert.Equal(3, get_num_threads());
            go.Set();
            known.Join();
            var fresh = new Thread(() =>
            {
                Use();
                late = get_num_threads();
            });
            fresh.Start();
            fresh.Join();
            Assert.Equal(3, early);
            Assert.Equal(3, late);
            set_num_threads(1);
            Assert.Equal(1, get_num_threads());
        }
        finally
        {
            go.Set();
            set_num_threads(before);
        }
        Assert.True(get_num_interop_threads() > 0);

        static void Use()
        {
            using var scope = NewDisposeScope();
            ones(100, 100).matmul(ones(100, 100)).sum();
        }
    }

    [Fact]
    public void The_number_of_threads_does_not_change_results()
    {
        using var scope = NewDisposeScope();
        var before = get_num_threads();
        var a = Expect.Doubles([300, 300]).@float();
        try
        {
            set_num_threads(1);
            var one = Expect.Values(a.matmul(a));
            set_num_threads(2);
            Expect.Close(one, a.matmul(a), 1e-4);
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void Threads_compute_side_by_side()
    {
        var results = new double[8];
        Parallel.For(0, results.Length, i =>
        {
            using var scope = NewDisposeScope();
            var x = full(4, 4, (double)i, dtype: float64, requires_grad: true);
            for (var step = 0; step < 50; step++)
                (x.matmul(x) * 0.5).sum().backward();
            results[i] = x.grad![0, 0].ToDouble();
        });

        // The gradient of the sum of x @ x / 2, all elements i: half of a column's and half of a row's sum, 4 i, fifty times.
        for (var i = 0; i < results.Length; i++)
            Assert.Equal(50 * 4.0 * i, results[i], 1e-9);
    }
}
