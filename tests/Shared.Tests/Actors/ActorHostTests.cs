using MassDpo.Shared.Actors;
using MassDpo.TestKit.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.Shared.Tests.Actors;

public sealed class ActorHostTests
{
    [Fact]
    public async Task Messages_of_one_sender_arrive_in_order_and_one_at_a_time()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        var seen = new List<int>();
        var done = new TaskCompletionSource();
        var inside = 0;
        var actor = host.Spawn<int>("order", _ => new Scripted(async message =>
        {
            Assert.Equal(1, Interlocked.Increment(ref inside));
            await Task.Yield();
            seen.Add(message);
            Interlocked.Decrement(ref inside);
            if (message == 999)
                done.SetResult();
        }), new ActorOptions { MailboxCapacity = 3 });
        for (var i = 0; i < 1000; i++)
            await actor.Tell(i);
        await done.Task;
        Assert.Equal(Enumerable.Range(0, 1000), seen);
    }

    [Fact]
    public async Task Tell_waits_while_the_mailbox_is_full_and_post_does_not()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        var gate = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        var actor = host.Spawn<int>("full", _ => new Scripted(async _ =>
        {
            entered.TrySetResult();
            await gate.Task;
        }), new ActorOptions { MailboxCapacity = 2 });
        await actor.Tell(0);
        await entered.Task;
        await actor.Tell(1);
        await actor.Tell(2);
        var waiting = actor.Tell(3).AsTask();
        actor.Post(4);
        Assert.False(waiting.IsCompleted);
        gate.SetResult();
        await waiting;
    }

    [Fact]
    public async Task A_sender_that_gives_up_does_not_take_the_place_of_one_that_waits()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        var gate = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        var last = new TaskCompletionSource();
        var actor = host.Spawn<int>("given-up", _ => new Scripted(async message =>
        {
            entered.TrySetResult();
            await gate.Task;
            if (message == 3)
                last.SetResult();
        }), new ActorOptions { MailboxCapacity = 1 });
        await actor.Tell(0);
        await entered.Task;
        await actor.Tell(1);
        using var impatience = new CancellationTokenSource();
        var givenUp = actor.Tell(2, impatience.Token).AsTask();
        var waiting = actor.Tell(3).AsTask();
        impatience.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);
        gate.SetResult();
        await waiting;
        await last.Task;
    }

    [Fact]
    public async Task An_own_thread_runs_all_of_an_actor()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        var threads = new HashSet<int>();
        var done = new TaskCompletionSource();
        var actor = host.Spawn<int>("thread", _ => new Scripted(async message =>
        {
            threads.Add(Environment.CurrentManagedThreadId);
            await Task.Yield();
            threads.Add(Environment.CurrentManagedThreadId);
            if (message == 9)
                done.SetResult();
        }), new ActorOptions { Dispatch = Dispatch.OwnThread });
        for (var i = 0; i < 10; i++)
            await actor.Tell(i);
        await done.Task;
        Assert.Single(threads);
    }

    [Fact]
    public void An_actor_that_throws_is_made_anew_after_growing_pauses_and_keeps_its_mailbox()
    {
        var host = new SimulatedHost(seed: 1);
        var starts = new List<(int Incarnation, DateTimeOffset At)>();
        var seen = new List<int>();
        var options = new ActorOptions { MinBackoff = TimeSpan.FromSeconds(1), MaxBackoff = TimeSpan.FromSeconds(3), MaxRestarts = 10 };
        var actor = host.Spawn<int>("restarts", context =>
        {
            starts.Add((context.Incarnation, host.Clock.GetUtcNow()));
            return new Scripted(message =>
            {
                if (message < 4)
                    throw new InvalidOperationException("no");
                seen.Add(message);
                return Task.CompletedTask;
            });
        }, options);
        for (var i = 0; i < 6; i++)
            actor.Post(i);
        host.RunUntil(() => seen.Count == 2);
        Assert.Equal([4, 5], seen);
        Assert.Equal([1, 2, 3, 4, 5], starts.Select(start => start.Incarnation));
        Assert.Equal([1, 2, 3, 3], starts.Zip(starts.Skip(1), (a, b) => (b.At - a.At).TotalSeconds));
        Assert.Equal(4, host.Restarts);
        host.Stop();
    }

    [Fact]
    public void An_actor_that_fails_too_often_in_a_row_stops_the_host_with_the_reason()
    {
        var host = new SimulatedHost(seed: 2);
        var actor = host.Spawn<int>("hopeless", _ => new Scripted(_ => throw new InvalidOperationException("disk on fire")), new ActorOptions { MaxRestarts = 2 });
        for (var i = 0; i < 10; i++)
            actor.Post(i);
        var failure = Assert.Throws<ActorFailedException>(() => host.RunUntil(() => false));
        Assert.Equal("hopeless", failure.Actor);
        Assert.Contains("3 times", failure.Message);
        Assert.Contains("disk on fire", failure.Message);
    }

    [Fact]
    public void A_message_handled_between_failures_forgives_them()
    {
        var host = new SimulatedHost(seed: 3);
        var handled = 0;
        var actor = host.Spawn<int>("now-and-then", _ => new Scripted(message =>
        {
            handled++;
            return message % 2 == 0 ? Task.CompletedTask : throw new InvalidOperationException("odd");
        }), new ActorOptions { MaxRestarts = 1 });
        for (var i = 0; i < 20; i++)
            actor.Post(i);
        host.RunUntil(() => handled == 20);
        host.Stop();
    }

    [Fact]
    public void No_restart_follows_a_fatal_failure()
    {
        var host = new SimulatedHost(seed: 4);
        var actor = host.Spawn<int>("fatal", _ => new Scripted(_ => throw new FatalActorException("nothing helps")));
        actor.Post(1);
        Assert.Equal("nothing helps", Assert.Throws<FatalActorException>(() => host.RunUntil(() => false)).Message);
        Assert.Equal(0, host.Restarts);
    }

    [Fact]
    public void A_scheduled_message_comes_when_due_and_dies_with_the_incarnation_or_its_handle()
    {
        var host = new SimulatedHost(seed: 5);
        var seen = new List<(int Message, double Seconds)>();
        var began = host.Clock.GetUtcNow();
        var actor = host.Spawn<int>("timers", context => new Scripted(message =>
        {
            seen.Add((message, (host.Clock.GetUtcNow() - began).TotalSeconds));
            switch (message)
            {
                case 0:
                    context.Schedule(TimeSpan.FromSeconds(5), 5);
                    context.Schedule(TimeSpan.FromSeconds(2), 2);
                    context.Schedule(TimeSpan.FromSeconds(3), 3).Dispose();
                    break;
                case 5:
                    context.Schedule(TimeSpan.FromSeconds(60), 65);
                    context.Self.Post(13);
                    break;
                case 13:
                    throw new InvalidOperationException("unlucky");
            }
            return Task.CompletedTask;
        }), new ActorOptions { MinBackoff = TimeSpan.FromSeconds(1) });
        actor.Post(0);
        host.RunUntil(() => host.Restarts == 1);
        ((FakeClock)host.Clock).Advance(TimeSpan.FromSeconds(100));
        actor.Post(99);
        host.RunUntil(() => seen.Any(s => s.Message == 99));
        Assert.Equal([(0, 0), (2, 2), (5, 5), (13, 5)], seen.SkipLast(1));
        host.Stop();
    }

    [Fact]
    public async Task After_stop_telling_is_cancelled_and_posting_is_forgotten()
    {
        var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        var stopped = new TaskCompletionSource();
        var actor = host.Spawn<int>("stopped", _ => new Scripted(_ => Task.CompletedTask, () => stopped.SetResult()));
        await actor.Tell(1);
        await host.StopAsync();
        await stopped.Task;
        actor.Post(2);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await actor.Tell(3));
    }

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

    [Fact]
    public void An_actor_holds_on_to_no_timer_that_was_disposed_of()
    {
        var host = new SimulatedHost(1);
        var scheduled = new List<WeakReference>();
        var actor = host.Spawn<object>("timers", context => new Disposing(context, scheduled));
        actor.Post(this);
        host.RunUntil(() => scheduled.Count == 100);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        // The last may still be in a register.
        Assert.InRange(scheduled.Count(message => message.IsAlive), 0, 1);
        host.Stop();
    }

    private sealed class Disposing(IActorContext<object> context, List<WeakReference> scheduled) : Actor<object>
    {
        public override ValueTask ReceiveAsync(object message, CancellationToken cancellation)
        {
            for (var i = 0; i < 100; i++)
            {
                var later = new object();
                scheduled.Add(new WeakReference(later));
                context.Schedule(TimeSpan.FromHours(1), later).Dispose();
            }
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Scripted(Func<int, Task> receive, Action? stop = null) : Actor<int>
    {
        public override async ValueTask ReceiveAsync(int message, CancellationToken cancellation) => await receive(message);

        public override ValueTask StopAsync()
        {
            stop?.Invoke();
            return ValueTask.CompletedTask;
        }
    }
}
