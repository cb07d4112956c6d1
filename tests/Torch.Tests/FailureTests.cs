using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class FailureTests
{
    [Fact]
    public void A_failure_in_libtorch_is_an_exception_with_its_message()
    {
        using var scope = NewDisposeScope();

        var error = Assert.Throws<ExternalException>(() => ones(2, 3).matmul(ones(4, 5)));
        Assert.Contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", error.Message);
        // The message is libtorch's own, without the C++ frames that it was thrown through.
        Assert.DoesNotContain("frame #", error.Message);
        Expect.Close([3, 3], ones(1, 3).matmul(ones(3, 2)));
    }

    private static readonly Dictionary<string, Func<object>> Failures = new()
    {
        ["broadcast"] = () => ones(2) + ones(3),
        ["in place"] = () => ones(2).add_(ones(3)),
        ["view"] = () => ones(6).view(4, 2),
        ["index"] = () => ones(2)[5],
        ["dimension"] = () => ones(2).sum(3),
        ["size"] = () => ones(2).size(7),
        ["cat"] = () => cat([ones(2, 2), ones(3, 3)]),
        ["stack"] = () => stack([ones(2), ones(3)]),
        ["split"] = () => ones(5).split([2L, 2], 0),
        ["gather"] = () => ones(2).gather(0, tensor(new[] { 9L })),
        ["one hot"] = () => nn.functional.one_hot(tensor(new[] { 5L }), 2),
        ["loss"] = () => nn.functional.cross_entropy(ones(2, 3), tensor(new[] { 0L, 7 })),
        ["einsum"] = () => einsum("ij,jk->ik", ones(2, 3), ones(2, 3)),
        ["size below zero"] = () => zeros(-3),
        ["grad"] = () => autograd.grad([ones(1)], [ones(1)]),
        ["multinomial"] = () => ones(2).multinomial(5),
        ["item"] = () => ones(2).ToScalar(),
        ["generator state"] = () => { new Generator().set_state(zeros(3)); return 0; },
        ["interop threads"] = () => { set_num_interop_threads(-1); return 0; },
        ["threads"] = () => { set_num_threads(0); return 0; },
        ["topk"] = () => ones(2).topk(3),
        ["list"] = () => ones(2).chunk(0),
    };

    public static TheoryData<string> FailureNames => [.. Failures.Keys];

    [Theory]
    [MemberData(nameof(FailureNames))]
    public void Each_kind_of_call_reports_its_failure(string name)
    {
        using var scope = NewDisposeScope();

        var error = Assert.Throws<ExternalException>(() => Failures[name]());
        Assert.True(error.Message.Length > 10, error.Message);
        Expect.Close([2], ones(1) + 1);
    }

    [Fact]
    public void A_failure_inside_backward_is_an_exception()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, 2, requires_grad: true);
        var y = x.exp();
        var loss = y.sum();

        y.add_(1);
        var error = Assert.Throws<ExternalException>(() => loss.backward());
        Assert.Contains("modified by an inplace operation", error.Message);
        Assert.Throws<ExternalException>(() => (x * 2).backward());
    }

    [Fact]
    public async Task Failures_on_many_threads_do_not_mix()
    {
        var threads = Enumerable.Range(2, 8).Select(size => Task.Factory.StartNew(() =>
        {
            for (var i = 0; i < 30; i++)
            {
                using var scope = NewDisposeScope();
                var error = Assert.Throws<ExternalException>(() => ones(2, size).matmul(ones(size + 1, 3)));
                Assert.Contains($"(2x{size} and {size + 1}x3)", error.Message);
                Expect.Close([size], ones(1, size).matmul(ones(size, 1)));
            }
        }, TaskCreationOptions.LongRunning)).ToArray();

        await Task.WhenAll(threads);
    }

    [Fact]
    public void Names_of_dimensions_are_refused() => Assert.ThrowsAny<Exception>(() => zeros(2, names: ["a", "b", "c"]));
}
