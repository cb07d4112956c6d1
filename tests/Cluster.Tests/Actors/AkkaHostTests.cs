using Akka.Actor;
using Akka.Configuration;
using MassDpo.Cluster.Actors;
using MassDpo.LinkKit;
using MassDpo.Shared.Actors;
using Microsoft.Extensions.Logging.Abstractions;
using AkkaTestKit = Akka.TestKit.Xunit2.TestKit;

namespace MassDpo.Cluster.Tests.Actors;

/// <summary>What the host has of Akka's, beyond the contract of hosts.</summary>
public sealed class AkkaHostTests() : AkkaTestKit(ConfigurationFactory.ParseString("""
    akka.loglevel = WARNING
    akka.test.filter-leeway = 100 ms
    akka.loggers = ["Akka.TestKit.TestEventListener, Akka.TestKit"]
    """).WithFallback(AkkaHost.Defaults))
{
    [Fact]
    public async Task A_system_that_shuts_down_waits_for_its_roles_and_then_for_its_actors()
    {
        await using var host = new AkkaHost(Sys, TimeProvider.System, NullLogger.Instance);
        var order = new Inbox<string>();
        var actor = host.Spawn<string>("drains", _ => new Telling(order));
        host.DrainBeforeEnd("learner", async () =>
        {
            await actor.Tell("drain");
            await actor.Tell("checkpoint");
            order.Add((await order.Take(2))[1] + " awaited");
        });
        await CoordinatedShutdown.Get(Sys).Run(CoordinatedShutdown.ClrExitReason.Instance);
        Assert.Equal(["checkpoint awaited", "stop"], await order.Take(2));
        Assert.True(Sys.WhenTerminated.IsCompleted);
        Assert.Null(host.Health.Failure);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await actor.Tell("late"));
    }

    [Fact]
    public async Task A_host_that_ended_before_its_system_is_no_trouble_to_it()
    {
        await using (var host = new AkkaHost(Sys, TimeProvider.System, NullLogger.Instance))
            await host.Spawn<string>("one", _ => new Telling(new Inbox<string>())).Tell("hello");
        await EventFilter.Warning().And.Error().ExpectAsync(0, () => CoordinatedShutdown.Get(Sys).Run(CoordinatedShutdown.ClrExitReason.Instance));
        Assert.True(Sys.WhenTerminated.IsCompleted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_actor_that_the_system_ends_out_of_turn_is_ended_and_fails_the_host(bool kill)
    {
        await using var host = new AkkaHost(Sys, TimeProvider.System, NullLogger.Instance, "victims");
        var (order, other) = (new Inbox<string>(), new Inbox<string>());
        var actor = host.Spawn<string>("node-1/victim", _ => new Telling(order));
        await host.Spawn<string>("node-1/other", _ => new Telling(other)).Tell("hello");
        await other.Take(1);
        await actor.Tell("hello");
        await order.Take(1);
        Sys.ActorSelection("/user/victims/node-1%2Fvictim").Tell(kill ? Kill.Instance : PoisonPill.Instance);
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => host.Failure);
        Assert.Contains("node-1/victim", failure.Message);
        Assert.Equal(["stop"], await order.Take(1));
        Assert.Equal(["stop"], await other.Take(1));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await actor.Tell("late"));
    }

    [Fact]
    public async Task A_system_that_is_cut_off_ends_the_host_with_the_reason()
    {
        var system = ActorSystem.Create("cut-off", AkkaHost.Defaults);
        var host = new AkkaHost(system, TimeProvider.System, NullLogger.Instance);
        var order = new Inbox<string>();
        await host.Spawn<string>("one", _ => new Telling(order)).Tell("hello");
        await order.Take(1);
        ((ExtendedActorSystem)system).Abort();
        Assert.Contains("cut-off", (await Assert.ThrowsAsync<InvalidOperationException>(() => host.Failure)).Message);
        Assert.Equal(["stop"], await order.Take(1));
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Failures_are_logged_by_the_host_alone()
    {
        await using var host = new AkkaHost(Sys, TimeProvider.System, NullLogger.Instance);
        await EventFilter.Error().ExpectAsync(0, async () =>
        {
            host.Spawn<string>("fatal", _ => throw new FatalActorException("nothing helps"));
            await Assert.ThrowsAsync<FatalActorException>(() => host.Failure);
            await host.StopAsync();
        });
    }

    [Fact]
    public async Task Two_actors_of_one_name_are_refused()
    {
        await using var host = new AkkaHost(Sys, TimeProvider.System, NullLogger.Instance);
        host.Spawn<string>("one", _ => new Telling(new Inbox<string>()));
        Assert.Throws<InvalidActorNameException>(() => host.Spawn<string>("one", _ => new Telling(new Inbox<string>())));
    }

    [Fact]
    public async Task A_system_without_the_defaults_is_refused_with_the_remedy()
    {
        using var system = ActorSystem.Create("bare");
        Assert.Contains("AkkaHost.Defaults", Assert.Throws<ConfigurationException>(() => new AkkaHost(system, TimeProvider.System, NullLogger.Instance)).Message);
        await system.Terminate();
    }

    private sealed class Telling(Inbox<string> order) : Actor<string>
    {
        public override async ValueTask ReceiveAsync(string message, CancellationToken cancellation)
        {
            await Task.Yield();
            order.Add(message);
        }

        public override ValueTask StopAsync()
        {
            order.Add("stop");
            return ValueTask.CompletedTask;
        }
    }
}
