using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;

namespace MassDpo.Chaos;

/// <summary>A small run over Kafka for one test, of which nothing has begun yet.</summary>
public abstract class RoleScene : IDisposable
{
    protected const int Lines = 240;

    protected RoleScene()
    {
        Run = new RoleRun(Folder.Path, Partitions: 2, Batch: 8, Staleness: 1, "checkpoint.updates=3", "selection.block=4", "slots.lease=2s", "slots.drain=1s");
        ChaosStream.Write(Run.Policy, Run.Data, Lines, hidden: 8);
    }

    protected TempFolder Folder { get; } = new();

    protected RoleRun Run { get; }

    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }
}
