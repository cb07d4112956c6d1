namespace TorchSharp;

/// <summary>
/// Disposes of the tensors that its thread makes between its creation and its end, save those that were moved out of it. Scopes nest; the innermost
/// takes the tensors. One thread only may use a scope at a time.
/// </summary>
public sealed class DisposeScope : IDisposable
{
    // Null once the scope has ended.
    private DisposeScopeManager? manager;

    internal DisposeScope(DisposeScopeManager manager)
    {
        this.manager = manager;
        OuterScope = manager.CurrentDisposeScope;
    }

    internal DisposeScope? OuterScope { get; set; }

    internal HashSet<IDisposable> Disposables { get; private set; } = new(ReferenceEqualityComparer.Instance);

    private DisposeScopeManager Manager => manager ?? throw new ObjectDisposedException(typeof(DisposeScope).FullName);

    /// <summary>What the scope holds at this moment.</summary>
    public IReadOnlyList<IDisposable> DisposablesView => Manager is null ? [] : [.. Disposables];

    public int DisposablesCount => Manager is null ? 0 : Disposables.Count;

    public bool Contains(IDisposable disposable) => Disposables.Contains(disposable);

    // ---- to the enclosing scope; out of all scopes where there is none ----

    public T MoveToOuter<T>(T disposable) where T : IDisposable
    {
        Move(OuterScope, disposable);
        return disposable;
    }

    public (T1 first, T2 second) MoveToOuter<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (MoveToOuter(first), MoveToOuter(second));

    public (T1 first, T2 second, T3 third) MoveToOuter<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable =>
        (MoveToOuter(first), MoveToOuter(second), MoveToOuter(third));

    public void MoveToOuter(params IDisposable[] disposables) => MoveToOther(OuterScope, (IEnumerable<IDisposable>)disposables);

    public void MoveToOuter(IEnumerable<IDisposable> disposables) => MoveToOther(OuterScope, disposables);

    // ---- to a given scope; out of all scopes where it is null ----

    public T MoveToOther<T>(DisposeScope? scope, T disposable) where T : IDisposable
    {
        Move(scope, disposable);
        return disposable;
    }

    public (T1 first, T2 second) MoveToOther<T1, T2>(DisposeScope? scope, T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable =>
        (MoveToOther(scope, first), MoveToOther(scope, second));

    public (T1 first, T2 second, T3 third) MoveToOther<T1, T2, T3>(DisposeScope? scope, T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable =>
        (MoveToOther(scope, first), MoveToOther(scope, second), MoveToOther(scope, third));

    public void MoveToOther(DisposeScope? scope, params IDisposable[] disposables) => MoveToOther(scope, (IEnumerable<IDisposable>)disposables);

    public void MoveToOther(DisposeScope? scope, IEnumerable<IDisposable> disposables)
    {
        foreach (var disposable in disposables)
            Move(scope, disposable);
    }

    // ---- out of all scopes ----

    public T Detach<T>(T disposable) where T : IDisposable
    {
        Move(null, disposable);
        return disposable;
    }

    public (T1 first, T2 second) Detach<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable => (Detach(first), Detach(second));

    public (T1 first, T2 second, T3 third) Detach<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable =>
        (Detach(first), Detach(second), Detach(third));

    public void Detach(params IDisposable[] disposables) => MoveToOther(null, (IEnumerable<IDisposable>)disposables);

    public void Detach(IEnumerable<IDisposable> disposables) => MoveToOther(null, disposables);

    // ---- into this scope ----

    public void Attach(IDisposable disposable) => AttachOne(disposable);

    public void Attach(params IDisposable[] disposables) => Attach((IEnumerable<IDisposable>)disposables);

    public IReadOnlyList<IDisposable> Attach(IEnumerable<IDisposable> disposables)
    {
        var result = disposables.ToList();
        result.ForEach(AttachOne);
        return result;
    }

    // ---- the end of what the scope holds ----

    public void DisposeEverything() => DisposeEverythingBut(Enumerable.Empty<IDisposable>());

    /// <summary>Disposes of what the scope holds now, save what is named; that stays in the scope.</summary>
    public void DisposeEverythingBut(IEnumerable<IDisposable> inKeep)
    {
        _ = Manager;
        var held = Disposables;
        // From here on a disposed tensor finds itself gone from the scope, and `held` can be walked.
        Disposables = new HashSet<IDisposable>(inKeep, ReferenceEqualityComparer.Instance);
        foreach (var disposable in held)
            if (!Disposables.Contains(disposable))
                disposable.Dispose();
    }

    public void DisposeEverythingBut(params IDisposable[] keep) => DisposeEverythingBut((IEnumerable<IDisposable>)keep);

    public T DisposeEverythingBut<T>(T keep) where T : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[keep]);
        return keep;
    }

    public (T1 first, T2 second) DisposeEverythingBut<T1, T2>(T1 first, T2 second) where T1 : IDisposable where T2 : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[first, second]);
        return (first, second);
    }

    public (T1 first, T2 second, T3 third) DisposeEverythingBut<T1, T2, T3>(T1 first, T2 second, T3 third)
        where T1 : IDisposable where T2 : IDisposable where T3 : IDisposable
    {
        DisposeEverythingBut((IEnumerable<IDisposable>)[first, second, third]);
        return (first, second, third);
    }

    public void Dispose()
    {
        if (manager is null)
            return;
        DisposeEverything();
        manager.Remove(this);
        manager = null;
    }

    /// <summary>Tells the scope that something it holds was disposed of elsewhere.</summary>
    public void MarkAsDisposed(IDisposable disposable)
    {
        _ = Manager;
        Disposables.Remove(disposable);
        if (disposable is torch.Tensor tensor)
            tensor.OwningDisposeScope = null;
    }

    /// <summary>Puts one tensor in another's place, if that is in a scope at all.</summary>
    internal static void Replace(torch.Tensor original, torch.Tensor replacement)
    {
        if (original.OwningDisposeScope is not { } scope || !scope.Disposables.Remove(original))
            return;
        original.OwningDisposeScope = null;
        scope.Adopt(replacement);
    }

    private void Move(DisposeScope? target, IDisposable disposable)
    {
        var statistics = Manager.StatisticsInstance.TensorStatistics;
        if (!Disposables.Contains(disposable))
            return;
        if (target is not null)
        {
            target.Adopt(disposable);
            return;
        }
        Disposables.Remove(disposable);
        if (disposable is torch.Tensor tensor)
        {
            statistics.DetachedFromScopeCount++;
            tensor.OwningDisposeScope = null;
        }
    }

    private void AttachOne(IDisposable disposable)
    {
        if (Manager is { } m && Adopt(disposable))
            m.StatisticsInstance.TensorStatistics.AttachedToScopeCount++;
    }

    /// <summary>Takes a tensor out of the scope it is in and into this one; false if it was here already.</summary>
    private bool Adopt(IDisposable disposable)
    {
        if (disposable is not torch.Tensor tensor)
            throw new InvalidOperationException("DisposeScope can only manage tensors");
        if (tensor.OwningDisposeScope == this)
            return false;
        Disposables.Add(tensor);
        tensor.OwningDisposeScope?.Disposables.Remove(tensor);
        tensor.OwningDisposeScope = this;
        return true;
    }
}

public static partial class torch
{
    /// <summary>Begins a scope on this thread. Meant for <c>using</c>.</summary>
    public static DisposeScope NewDisposeScope() => DisposeScopeManager.ThreadSingleton.NewDisposeScope();

    /// <summary>This thread's innermost scope.</summary>
    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.ThreadSingleton.CurrentDisposeScope;

    /// <summary>Evaluates an expression in a scope of its own, from which only the result escapes.</summary>
    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using var scope = NewDisposeScope();
        return expr().MoveToOuterDisposeScope();
    }
}
