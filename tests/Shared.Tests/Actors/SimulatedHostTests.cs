using MassDpo.Shared.Actors;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Shared.Tests.Actors;

/// <summary>What the simulated host does beyond the contract of hosts; its actors' loops are those of the local host.</summary>
public sealed class SimulatedHostTests
{
    [Fact]
    public void The_same_seed_gives_the_same_schedule_and_another_seed_another()
    {
        static string Schedule(int seed)
        {
            var host = new SimulatedHost(seed);
            var seen = new List<string>();
            foreach (var name in new[] { "a", "b", "c" })
            {
                var actor = host.Spawn<int>(name, _ => new Scripted(async message =>
                {
                    await Task.Yield();
                    seen.Add(name + message);
                }));
                for (var i = 0; i < 10; i++)
                    actor.Post(i);
            }
            host.RunUntil(() => seen.Count == 30);
            host.Stop();
            return string.Join(" ", seen);
        }

        Assert.Equal(Schedule(7), Schedule(7));
        Assert.NotEqual(Schedule(7), Schedule(8));
    }

    private sealed class Scripted(Func<int, Task> receive) : Actor<int>
    {
        public override async ValueTask ReceiveAsync(int message, CancellationToken cancellation) => await receive(message);
    }
}
