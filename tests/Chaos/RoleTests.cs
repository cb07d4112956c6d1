using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;

namespace MassDpo.Chaos;

/// <summary>The roles of a run over Kafka as processes, which are killed, stopped and restarted: every position of the input is settled once, and the logs rebuild the weights.</summary>
public sealed class RoleTests
{
    [Fact]
    public async Task Killed_stopped_and_restarted_at_named_events_every_position_is_settled_once()
    {
        const int lines = 2400;
        using var folder = new TempFolder();
        var run = new RoleRun(folder.Path, Partitions: 8, Batch: 16, Staleness: 2, "checkpoint.updates=3", "selection.block=4", "slots.lease=2s", "slots.drain=1s", "selection.selectors=1");
        ChaosStream.Write(run.Policy, run.Data, lines, hidden: 8);
        RolePlan[] plan =
        [
            new(Role.Learner, Fault.Kill, 3), new(Role.Learner, Fault.KillTwice, 1), new(Role.Learner, Fault.Stop, 1), new(Role.Learner, Fault.Restart, 1),
            new(Role.Selector, Fault.Kill, 3), new(Role.Selector, Fault.Stop, 1), new(Role.Selector, Fault.Restart, 1),
            new(Role.Ingest, Fault.Kill, 2), new(Role.Ingest, Fault.Stop, 1), new(Role.Broker, Fault.Stop, 1),
        ];
        var campaign = new RoleCampaign(run, lines, plan, overlap: 0.25, seed: 1, _ => { });
        var books = await campaign.RunAsync();
        Assert.Equal((lines, 0), (books.Records, books.Doubled));
        // The learner was killed five times, and each time the epoch is another one.
        Assert.InRange(books.Epochs, 6, int.MaxValue);
        Assert.Equal(plan.Sum(one => one.Times) + 1, campaign.Faults.Count);
    }
}
