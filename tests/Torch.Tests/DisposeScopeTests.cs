using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class DisposeScopeTests
{
    [Fact]
    public void A_scope_disposes_of_what_is_made_in_it()
    {
        var outside = ones(1);
        Tensor inside, result;
        using (var scope = NewDisposeScope())
        {
            inside = outside + 1;
            result = inside * 2;
            Assert.Equal(2, scope.DisposablesCount);
            Assert.True(scope.Contains(inside));
            Assert.Equal(2, scope.DisposablesView.Count);
        }
        Assert.True(inside.IsInvalid);
        Assert.True(result.IsInvalid);
        Assert.False(outside.IsInvalid);
        outside.Dispose();
    }

    [Fact]
    public void Tensors_escape_to_the_enclosing_scope()
    {
        Tensor kept, lost, viaScope;
        using (var outer = NewDisposeScope())
        {
            using (var inner = NewDisposeScope())
            {
                lost = ones(1);
                kept = ones(2).MoveToOuterDisposeScope();
                viaScope = inner.MoveToOuter(ones(3));
                var (a, b) = inner.MoveToOuter(ones(4), ones(5));
                Assert.False(inner.Contains(a));
                Assert.True(outer.Contains(b));
                Assert.Same(inner, CurrentDisposeScope);
            }
            Assert.Same(outer, CurrentDisposeScope);
            Assert.True(lost.IsInvalid);
            Assert.False(kept.IsInvalid);
            Assert.False(viaScope.IsInvalid);
            Assert.True(outer.Contains(kept));
        }
        Assert.True(kept.IsInvalid);
        Assert.True(viaScope.IsInvalid);
    }

    [Fact]
    public void Tensors_escape_from_all_scopes()
    {
        Tensor detached, fromOutermost;
        using (NewDisposeScope())
        {
            using (NewDisposeScope())
                detached = ones(1).DetachFromDisposeScope();
            fromOutermost = ones(2).MoveToOuterDisposeScope();
        }
        Expect.Close([1], detached);
        Expect.Close([1, 1], fromOutermost);
        detached.Dispose();
        fromOutermost.Dispose();
    }

    [Fact]
    public void Tensors_go_to_a_scope_of_choice()
    {
        using var first = NewDisposeScope();
        var there = ones(1);
        Tensor moved, attached = zeros(1).DetachFromDisposeScope();
        using (NewDisposeScope())
        {
            using (NewDisposeScope())
            {
                moved = ones(2).MoveToOtherDisposeScope(there);
                attached.MoveToOtherDisposeScope(first);
                ones(3).MoveToOtherDisposeScope(first);
            }
        }
        Assert.Equal(4, first.DisposablesCount);
        Assert.True(first.Contains(moved));
        Assert.True(first.Contains(attached));
        using var second = NewDisposeScope();
        second.Attach(attached);
        Assert.False(first.Contains(attached));
        second.Detach(attached);
        Assert.False(second.Contains(attached));
        attached.Dispose();
    }

    [Fact]
    public void A_scope_ends_when_an_exception_passes()
    {
        Tensor? made = null;
        Assert.Throws<InvalidOperationException>((Action)(() =>
        {
            using var scope = NewDisposeScope();
            made = ones(1);
            throw new InvalidOperationException();
        }));
        Assert.True(made!.IsInvalid);

        Assert.ThrowsAny<Exception>(() =>
        {
            using var scope = NewDisposeScope();
            made = ones(2);
            made.view(3);
        });
        Assert.True(made.IsInvalid);
    }

    [Fact]
    public void Disposing_of_a_tensor_takes_it_out_of_its_scope()
    {
        using var scope = NewDisposeScope();
        var x = ones(1);

        x.Dispose();
        x.Dispose();
        Assert.True(x.IsInvalid);
        Assert.Equal(0, scope.DisposablesCount);
        Assert.Throws<InvalidOperationException>(() => x.Handle);
        Assert.Throws<InvalidOperationException>(() => x + 1);
        Assert.Throws<InvalidOperationException>(() => x.shape);
    }

    [Fact]
    public void A_scope_can_be_emptied_before_its_end()
    {
        using var scope = NewDisposeScope();
        var (a, b, c) = (ones(1), ones(2), ones(3));

        Assert.Same(b, scope.DisposeEverythingBut(b));
        Assert.True(a.IsInvalid);
        Assert.False(b.IsInvalid);
        Assert.True(c.IsInvalid);
        Assert.Equal(1, scope.DisposablesCount);
        scope.DisposeEverything();
        Assert.True(b.IsInvalid);
        Assert.False(ones(1).IsInvalid);
        Assert.Equal(1, scope.DisposablesCount);
    }

    [Fact]
    public void An_ended_scope_refuses_service()
    {
        var scope = NewDisposeScope();
        scope.Dispose();
        scope.Dispose();

        Assert.Throws<ObjectDisposedException>(() => scope.DisposablesCount);
        Assert.Throws<ObjectDisposedException>(() => scope.DisposeEverything());
        Assert.Throws<ObjectDisposedException>(() => scope.Attach((IDisposable)null!));
    }

    [Fact]
    public void Scopes_may_end_in_any_order()
    {
        var before = CurrentDisposeScope;
        var outer = NewDisposeScope();
        var inner = NewDisposeScope();

        outer.Dispose();
        Assert.Same(inner, CurrentDisposeScope);
        var x = ones(1);
        Assert.True(inner.Contains(x));
        inner.Dispose();
        Assert.True(x.IsInvalid);
        Assert.Same(before, CurrentDisposeScope);
    }

    [Fact]
    public void Each_thread_has_scopes_of_its_own()
    {
        using var scope = NewDisposeScope();
        Tensor? outside = null, inside = null;
        var others = false;
        var thread = new Thread(() =>
        {
            others = CurrentDisposeScope is not null;
            outside = ones(1);
            using (NewDisposeScope())
                inside = ones(2);
        });

        thread.Start();
        thread.Join();
        Assert.False(others);
        Assert.False(outside!.IsInvalid);
        Assert.True(inside!.IsInvalid);
        Assert.Equal(0, scope.DisposablesCount);
        outside.Dispose();
    }

    [Fact]
    public void An_expression_in_a_scope_of_its_own()
    {
        using var scope = NewDisposeScope();
        Tensor? middle = null;

        var result = WrappedTensorDisposeScope(() =>
        {
            middle = ones(2) + 1;
            return middle * 3;
        });
        Assert.True(middle!.IsInvalid);
        Expect.Close([6, 6], result);
        Assert.True(scope.Contains(result));
    }

    [Fact]
    public void Counts_are_kept_for_each_thread()
    {
        ThreadDisposeScopeStatistics? counts = null;
        var thread = new Thread(() =>
        {
            counts = DisposeScopeManager.Statistics;
            counts.Reset();
            var outside = ones(1);
            using (NewDisposeScope())
            {
                ones(1);
                ones(1).DetachFromDisposeScope().Dispose();
            }
            Assert.Equal(1, counts.ThreadTotalLiveCount);
            outside.Dispose();
        });

        thread.Start();
        thread.Join();
        Assert.Equal(1, counts!.CreatedOutsideScopeCount);
        Assert.Equal(2, counts.CreatedInScopeCount);
        Assert.Equal(1, counts.DisposedInScopeCount);
        Assert.Equal(2, counts.DisposedOutsideScopeCount);
        Assert.Equal(1, counts.DetachedFromScopeCount);
        Assert.Equal(0, counts.ThreadTotalLiveCount);
        Assert.Contains("ThreadTotalLiveCount: 0", counts.ToString());
    }
}
