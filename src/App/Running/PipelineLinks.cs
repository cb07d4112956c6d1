using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;

namespace MassDpo.App.Running;

/// <summary>The four links that join a pipeline's actors. Whoever made them disposes them, after the host has stopped.</summary>
public sealed record PipelineLinks(IControlLink Control, IPoolsLink Pools, ISelectionsLink Selections, ISnapshotsLink Snapshots) : IDisposable
{
    /// <summary>New links within this process.</summary>
    public static PipelineLinks Local() => new(new LocalControlLink(), new LocalPoolsLink(), new LocalSelectionsLink(), new LocalSnapshotsLink());

    public void Dispose()
    {
        foreach (var link in new object[] { Control, Pools, Selections, Snapshots })
            (link as IDisposable)?.Dispose();
    }
}
