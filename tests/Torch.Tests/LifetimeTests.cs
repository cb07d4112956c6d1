using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

[Collection(ProcessState.Name)]
public sealed class LifetimeTests
{
    /// <summary>The number of live tensors once those that nobody knows any more are gone.</summary>
    private static long Live()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return Tensor.TotalCount;
    }

    [Fact]
    public void A_thousand_steps_of_training_leave_no_tensor_behind()
    {
        Train(1);
        var before = Live();
        var (first, last) = Train(1000);

        Assert.Equal(before, Live());
        Assert.True(last < 0.1 * first, $"the loss went from {first} to {last}");
        Assert.True(Tensor.PeakCount > before);
    }

    private static (double First, double Last) Train(int steps)
    {
        using var everything = NewDisposeScope();
        using var generator = new Generator(11);
        var x = randn(64, 3, generator: generator);
        var target = (x.select(1, 0) * x.select(1, 1)).unsqueeze(1) + x.sum(1, keepdim: true);
        Tensor[] weights =
        [
            (randn(16, 3, generator: generator) * 0.5).requires_grad_(), zeros(16, requires_grad: true),
            (randn(1, 16, generator: generator) * 0.25).requires_grad_(), zeros(1, requires_grad: true),
        ];
        double first = 0, last = 0;
        for (var step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            var hidden = nn.functional.linear(x, weights[0], weights[1]).tanh();
            var loss = nn.functional.mse_loss(nn.functional.linear(hidden, weights[2], weights[3]), target);
            loss.backward();
            using (no_grad())
            {
                foreach (var weight in weights)
                {
                    weight.sub_(weight.grad! * 0.1);
                    weight.grad!.zero_();
                }
            }
            last = loss.ToDouble();
            first = step == 0 ? last : first;
        }
        return (first, last);
    }

    [Fact]
    public void Forgotten_tensors_are_finalised()
    {
        var before = Live();
        Forget();
        Assert.True(Live() <= before);

        static void Forget()
        {
            for (var i = 0; i < 100; i++)
                _ = ones(10) + 1;
        }
    }

    [Fact]
    public void Counting_is_exact()
    {
        var before = Live();

        var x = ones(2);
        Assert.Equal(before + 1, Tensor.TotalCount);
        var parts = x.unbind();
        Assert.Equal(before + 3, Tensor.TotalCount);
        var alias = Tensor.UnsafeCreateTensor(parts[0].DecoupleFromNativeHandle());
        Assert.True(parts[0].IsInvalid);
        Assert.Equal(before + 3, Tensor.TotalCount);
        foreach (var tensor in new[] { x, parts[0], parts[1], alias })
            tensor.Dispose();
        Assert.Equal(before, Tensor.TotalCount);
        Assert.ThrowsAny<Exception>(() => ones(2).view(3));
        Assert.Equal(before, Live());
    }

    [Fact]
    public void Tensors_made_and_dropped_on_many_threads_while_the_collector_runs()
    {
        var before = Live();
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        Parallel.For(0, 4, _ =>
        {
            for (var i = 0; i < 2000; i++)
            {
                // Nothing but the running call knows the operands here.
                var sum = (ones(50) + ones(50)).mul(tensor(2.0)).sum();
                Assert.Equal(200, sum.ToDouble());
            }
        });
        stop.Cancel();
        collector.Join();
        Assert.True(Live() <= before);
    }
}
