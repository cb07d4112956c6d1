using Akka.Actor;
using Akka.Configuration;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Cluster.Actors;
using MassDpo.PipelineKit;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.Cluster.Tests.Running;

/// <summary>The product's own actors inside an actor system.</summary>
public sealed class AkkaHostRunTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task A_run_comes_to_the_bits_of_one_in_a_local_host()
    {
        var (local, akka) = (stream.NewOutput(), stream.NewOutput());
        await Job(local).RunAsync(() => stream.Open(Options), (_, _) => { }, _ => { }, CancellationToken.None);
        using var system = System("whole");
        await Job(akka, system).RunAsync(() => stream.Open(Options), (_, _) => { }, _ => { }, CancellationToken.None);
        await system.Terminate();
        RunTrace.Of(akka).AssertEachPositionOnce();
        RunTrace.Of(akka).AssertSame(RunTrace.Of(local));
    }

    [Fact]
    public async Task An_actor_system_that_shuts_down_waits_for_the_checkpoint_and_another_goes_on_from_it()
    {
        var (whole, output) = (stream.NewOutput(), stream.NewOutput());
        await Job(whole).RunAsync(() => stream.Open(Options), (_, _) => { }, _ => { }, CancellationToken.None);
        using (var system = System("first"))
        {
            using var stop = new CancellationTokenSource();
            var (trained, ended) = (new TaskCompletionSource(), new TaskCompletionSource());
            AkkaHost? host = null;
            var job = Job(output, system, made =>
            {
                host = made;
                made.DrainBeforeEnd("learner", async () =>
                {
                    await stop.CancelAsync();
                    await ended.Task;
                });
            });
            var run = job.RunAsync(() => stream.Open(Options), (progress, _) =>
            {
                if (progress.Version == 4)
                    trained.TrySetResult();
            }, _ => { }, stop.Token);
            _ = run.ContinueWith(_ => ended.SetResult(), TaskScheduler.Default);
            await trained.Task;
            await CoordinatedShutdown.Get(system).Run(CoordinatedShutdown.ClrExitReason.Instance);
            var outcome = (await run).Outcome;
            Assert.True(outcome.Stopped);
            Assert.InRange(outcome.Version, 4, 12);
            Assert.Null(host!.Health.Failure);
        }
        using var next = System("next");
        var result = await Job(output, next).RunAsync(() => stream.Open(Options), (_, _) => { }, _ => { }, CancellationToken.None);
        await next.Terminate();
        Assert.False(result.Outcome.Stopped);
        RunTrace.Of(output).AssertSame(RunTrace.Of(whole));
    }

    private static RunOptions Options { get; } = SimulatedStream.Options("selection.selectors = 2");

    private static ActorSystem System(string name) => ActorSystem.Create(name, ConfigurationFactory.ParseString("akka.loglevel = WARNING").WithFallback(AkkaHost.Defaults));

    private RunJob Job(string output, ActorSystem? system = null, Action<AkkaHost>? made = null)
    {
        var request = new RunRequest(stream.PolicyDirectory, output, null, EvaluationOptions.From(EffectiveSettings.Load(null, [], [], [])), false, Options);
        return system is null ? new RunJob(request, NullLogger.Instance) : new RunJob(request, NullLogger.Instance) { NewHost = Make };

        ActorHost Make()
        {
            var host = new AkkaHost(system, TimeProvider.System, NullLogger.Instance);
            made?.Invoke(host);
            return host;
        }
    }
}
