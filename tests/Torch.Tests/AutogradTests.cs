using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class AutogradTests
{
    [Fact]
    public void Backward_adds_to_the_leaves_gradients()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2, 3 }, requires_grad: true);
        Assert.Null(x.grad);

        (x * x).sum().backward();
        Expect.Close([2, 4, 6], x.grad!);
        (x * 3).sum().backward();
        Expect.Close([5, 7, 9], x.grad!);
        x.grad!.zero_();
        Expect.Close([0, 0, 0], x.grad!);
        x.grad = tensor(new[] { 1.0, 1, 1 });
        Expect.Close([1, 1, 1], x.grad!);
        x.grad = null;
        Assert.Null(x.grad);
    }

    [Fact]
    public void Backward_with_weights_retained_graph_and_chosen_inputs()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2 }, requires_grad: true);
        var y = tensor(new[] { 3.0, 4 }, requires_grad: true);
        var product = x * y;

        product.backward([tensor(new[] { 1.0, 10 })], retain_graph: true);
        Expect.Close([3, 40], x.grad!);
        product.backward([tensor(new[] { 1.0, 1 })], inputs: [y]);
        Expect.Close([3, 40], x.grad!);
        Expect.Close([2, 22], y.grad!);
        Assert.Throws<ExternalException>(() => product.backward([tensor(new[] { 1.0, 1 })]));
        autograd.backward([(x * 2).sum(), y.sum()]);
        Expect.Close([5, 42], x.grad!);
        autograd.backward(x * x, tensor(new[] { 1.0, 0 }));
        Expect.Close([7, 42], x.grad!);
    }

    [Fact]
    public void Gradients_without_touching_the_leaves()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2 }, requires_grad: true);
        var unused = tensor(new[] { 1.0 }, requires_grad: true);

        Expect.Close([3, 12], autograd.grad([x.pow(3).sum()], [x])[0]);
        Expect.Close([6, 24], autograd.grad([x.pow(3)], [x], [tensor(new[] { 2.0, 2 })])[0]);
        Assert.Null(x.grad);
        var gradients = autograd.grad([x.sum()], [x, unused], allow_unused: true);
        Expect.Close([1, 1], gradients[0]);
        Assert.True(gradients[1].IsInvalid);
    }

    [Fact]
    public void Gradients_of_gradients()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2 }, requires_grad: true);

        var first = autograd.grad([x.pow(3).sum()], [x], create_graph: true)[0];
        Assert.True(first.requires_grad);
        Expect.Close([6, 12], autograd.grad([first.sum()], [x])[0]);
    }

    [Fact]
    public void Only_leaves_keep_gradients_unless_told_to()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2 }, requires_grad: true);
        var middle = x * 2;
        var kept = x * 3;
        kept.retain_grad();

        Assert.True(x.is_leaf);
        Assert.False(middle.is_leaf);
        (middle + kept).sum().backward();
        Expect.Close([5, 5], x.grad!);
        Expect.Close([1, 1], kept.grad!);
    }

    [Fact]
    public void What_is_recorded_can_be_chosen()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, requires_grad: true);

        Assert.True(is_grad_enabled());
        using (no_grad())
        {
            Assert.False(is_grad_enabled());
            Assert.False((x * 2).requires_grad);
            using (enable_grad())
                Assert.True((x * 2).requires_grad);
            using (set_grad_enabled(true))
                Assert.True(is_grad_enabled());
            Assert.False(is_grad_enabled());
        }
        Assert.True(is_grad_enabled());
        using (inference_mode())
        {
            Assert.True(is_inference_mode_enabled());
            Assert.False((x * 2).requires_grad);
        }
        Assert.False(is_inference_mode_enabled());
        Assert.True((x * 2).requires_grad);
        Assert.False((x * 2).detach().requires_grad);
        var y = x * 2;
        y.detach_();
        Assert.False(y.requires_grad);
    }

    [Fact]
    public void The_mode_belongs_to_the_thread()
    {
        using var recordNothing = no_grad();
        var elsewhere = false;
        var thread = new Thread(() => elsewhere = is_grad_enabled());

        thread.Start();
        thread.Join();
        Assert.True(elsewhere);
        Assert.False(is_grad_enabled());
    }

    [Fact]
    public void Requirement_can_be_switched()
    {
        using var scope = NewDisposeScope();
        var x = ones(2);

        Assert.Same(x, x.requires_grad_());
        Assert.True(x.requires_grad);
        x.requires_grad = false;
        Assert.False(x.requires_grad);
        Assert.Throws<ExternalException>(() => tensor(new[] { 1L }).requires_grad_());
    }

    [Fact]
    public void Clipping_scales_all_gradients_alike()
    {
        using var scope = NewDisposeScope();
        var a = new Parameter(zeros(2, dtype: float64));
        var b = new Parameter(zeros(1, dtype: float64));
        var without = new Parameter(zeros(1, dtype: float64));
        a.grad = tensor(new[] { 3.0, 0 });
        b.grad = tensor(new[] { 4.0 });

        Assert.Equal(5, nn.utils.clip_grad_norm_([a, b, without], 1), 1e-9);
        Expect.Close([0.6, 0], a.grad!, 1e-5);
        Expect.Close([0.8], b.grad!, 1e-5);
        Assert.Equal(0.8, nn.utils.clip_grad_norm_([a, b], 10, double.PositiveInfinity), 1e-5);
        Expect.Close([0.6, 0], a.grad!, 1e-5);
        Assert.Equal(1.4, nn.utils.clip_grad_norm_([a, b], 0.7, 1), 1e-5);
        Expect.Close([0.3, 0], a.grad!, 1e-5);
        Assert.Equal(0, nn.utils.clip_grad_norm_([without], 1));
    }

    [Fact]
    public void A_parameter_takes_its_tensor_over()
    {
        using var scope = NewDisposeScope();
        var data = ones(2);
        var parameter = new Parameter(data);

        Assert.True(data.IsInvalid);
        Assert.True(parameter.requires_grad);
        Assert.True(scope.Contains(parameter));
        Assert.False(scope.Contains(data));
        Expect.Close([1, 1], parameter);
        Assert.False(nn.Parameter(ones(1), requires_grad: false).requires_grad);
        Assert.True(ones(1).AsParameter().requires_grad);
    }
}
