namespace TorchSharp;

/// <summary>The dispose scopes of one thread: the innermost one takes the tensors that the thread makes.</summary>
public class DisposeScopeManager
{
    [ThreadStatic] private static DisposeScopeManager? current;

    internal static DisposeScopeManager ThreadSingleton => current ??= new DisposeScopeManager();

    internal ThreadDisposeScopeStatistics StatisticsInstance { get; } = new();

    internal DisposeScope? CurrentDisposeScope { get; private set; }

    /// <summary>This thread's counts.</summary>
    public static ThreadDisposeScopeStatistics Statistics => ThreadSingleton.StatisticsInstance;

    internal DisposeScope NewDisposeScope() => CurrentDisposeScope = new DisposeScope(this);

    internal DisposeScope? Register(torch.Tensor tensor)
    {
        var scope = CurrentDisposeScope;
        if (scope is null)
        {
            StatisticsInstance.TensorStatistics.CreatedOutsideScopeCount++;
            return null;
        }
        StatisticsInstance.TensorStatistics.CreatedInScopeCount++;
        scope.Disposables.Add(tensor);
        return scope;
    }

    internal void CountDisposal(torch.Tensor tensor)
    {
        if (tensor.OwningDisposeScope is null)
            StatisticsInstance.TensorStatistics.DisposedOutsideScopeCount++;
        else
            StatisticsInstance.TensorStatistics.DisposedInScopeCount++;
    }

    /// <summary>Takes a scope out of the chain, wherever in it it stands: scopes need not end in the order of their nesting.</summary>
    internal void Remove(DisposeScope ended)
    {
        if (CurrentDisposeScope == ended)
        {
            CurrentDisposeScope = ended.OuterScope;
            return;
        }
        for (var scope = CurrentDisposeScope; scope is not null; scope = scope.OuterScope)
        {
            if (scope.OuterScope == ended)
            {
                scope.OuterScope = ended.OuterScope;
                return;
            }
        }
    }
}
