using System.Diagnostics;
using MassDpo.Shared.Actors;
using MassDpo.TestKit.Simulation;
using MassDpo.TestKit.Telemetry;

namespace MassDpo.Shared.Tests.Actors;

/// <summary>What a host tells of its actors to whoever watches the process.</summary>
public sealed class HostHealthTests
{
    [Fact]
    public void A_host_is_ready_once_it_has_begun_and_none_of_its_actors_lacks_anything()
    {
        var host = new SimulatedHost(1);
        Assert.Equal((null, false, false), (host.Health.Failure, host.Health.HasBegun, host.Health.IsReady));
        var needy = host.Spawn<string>("needy", context => new Needy(context, "it has no snapshot"));
        host.Spawn<string>("content", context => new Needy(context, null));
        Assert.Equal((true, 2), (host.Health.HasBegun, host.Health.Lacking.Count));
        host.RunUntil(() => host.Health is { Lacking.Count: 1 } health && health.Lacking["needy"] != "it has not started");
        Assert.Equal("it has no snapshot", host.Health.Lacking["needy"]);
        needy.Post("got it");
        host.RunUntil(() => host.Health.IsReady);
        host.Lacks("producer", "no broker answers");
        Assert.Equal([KeyValuePair.Create("producer", "no broker answers")], host.Health.Lacking);
        host.Lacks("producer", null);
        Assert.True(host.Health.IsReady);
        host.Stop();
        Assert.Equal(["content", "needy"], host.Health.Lacking.Keys.Order());
        Assert.Null(host.Health.Failure);
    }

    [Fact]
    public void An_actor_that_failed_says_so_until_its_next_incarnation_has_what_it_needs()
    {
        var host = new SimulatedHost(1);
        using var restarts = new CounterSums(host.Instruments.Meter, "massdpo.actor.restarts");
        var needy = host.Spawn<string>("needy", context => new Needy(context, "it has no snapshot"));
        needy.Post("got it");
        host.RunUntil(() => host.Health.IsReady);
        needy.Post("fail");
        host.RunUntil(() => host.Health.Lacking.GetValueOrDefault("needy") == "it failed: as told");
        Assert.Equal([KeyValuePair.Create("needy", 1L)], restarts.Sums);
        Assert.Null(host.Health.Failure);
        host.RunUntil(() => host.Health.Lacking.GetValueOrDefault("needy") == "it has no snapshot");
        needy.Post("got it");
        host.RunUntil(() => host.Health.IsReady);
        host.Stop();
    }

    [Fact]
    public void A_host_that_gave_up_tells_why()
    {
        var host = new SimulatedHost(1);
        host.Spawn<string>("needy", context => new Needy(context, null)).Post("give up");
        Assert.Throws<FatalActorException>(() => host.RunUntil(() => false));
        Assert.Equal(("beyond help", false), (host.Health.Failure?.Message, host.Health.IsReady));
    }

    [Fact]
    public void What_an_actor_does_belongs_to_no_activity_of_whoever_made_its_host()
    {
        using var outer = new Activity("outer").Start();
        var host = new SimulatedHost(1);
        var seen = new List<Activity?>();
        host.Spawn<string>("needy", context => new Needy(context, null, () => seen.Add(Activity.Current))).Post("look");
        host.RunUntil(() => seen.Count == 2);
        host.Stop();
        Assert.All(seen, Assert.Null);
        Assert.Equal(outer, Activity.Current);
    }

    private sealed class Needy(IActorContext<string> context, string? lacks, Action? look = null) : Actor<string>
    {
        public override ValueTask StartAsync(CancellationToken cancellation)
        {
            look?.Invoke();
            if (lacks is not null)
                context.Lacks(lacks);
            return ValueTask.CompletedTask;
        }

        public override ValueTask ReceiveAsync(string message, CancellationToken cancellation)
        {
            look?.Invoke();
            switch (message)
            {
                case "got it":
                    context.Lacks(null);
                    break;
                case "fail":
                    throw new InvalidOperationException("as told");
                case "give up":
                    throw new FatalActorException("beyond help");
            }
            return ValueTask.CompletedTask;
        }
    }
}
