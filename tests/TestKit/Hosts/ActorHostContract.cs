using System.Diagnostics;
using MassDpo.Shared.Actors;
using MassDpo.TestKit.Simulation;
using MassDpo.TestKit.Telemetry;

namespace MassDpo.TestKit.Hosts;

/// <summary>What every host of actors has to do. A kind of host derives from this.</summary>
public abstract class ActorHostContract
{
    /// <summary>A host that sees this clock.</summary>
    protected abstract ActorHost Create(TimeProvider clock);

    [Fact]
    public async Task Messages_of_one_sender_arrive_in_order_and_one_at_a_time()
    {
        await using var host = Create(TimeProvider.System);
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
        await Until(host, done);
        Assert.Equal(Enumerable.Range(0, 1000), seen);
    }

    [Fact]
    public async Task Tell_waits_while_the_mailbox_is_full_and_post_does_not()
    {
        await using var host = Create(TimeProvider.System);
        var gate = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        var actor = host.Spawn<int>("full", _ => new Scripted(async _ =>
        {
            entered.TrySetResult();
            await gate.Task;
        }), new ActorOptions { MailboxCapacity = 2 });
        await actor.Tell(0);
        await Until(host, entered);
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
        await using var host = Create(TimeProvider.System);
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
        await Until(host, entered);
        await actor.Tell(1);
        using var impatience = new CancellationTokenSource();
        var givenUp = actor.Tell(2, impatience.Token).AsTask();
        var waiting = actor.Tell(3).AsTask();
        impatience.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);
        gate.SetResult();
        await waiting;
        await Until(host, last);
    }

    [Fact]
    public async Task An_own_thread_runs_all_of_an_actor()
    {
        await using var host = Create(TimeProvider.System);
        var threads = new HashSet<int>();
        var done = new TaskCompletionSource();
        var others = new HashSet<int>();
        var other = host.Spawn<int>("other", _ => new Scripted(_ =>
        {
            others.Add(Environment.CurrentManagedThreadId);
            return Task.CompletedTask;
        }), new ActorOptions { Dispatch = Dispatch.OwnThread });
        var actor = host.Spawn<int>("thread", _ =>
        {
            threads.Add(Environment.CurrentManagedThreadId);
            return new Scripted(async message =>
            {
                threads.Add(Environment.CurrentManagedThreadId);
                await Task.Yield();
                threads.Add(Environment.CurrentManagedThreadId);
                await other.Tell(message);
                threads.Add(Environment.CurrentManagedThreadId);
                if (message == 9)
                    done.SetResult();
            }, () => threads.Add(Environment.CurrentManagedThreadId));
        }, new ActorOptions { Dispatch = Dispatch.OwnThread });
        for (var i = 0; i < 10; i++)
            await actor.Tell(i);
        await Until(host, done);
        await host.StopAsync();
        Assert.Single(threads);
        Assert.DoesNotContain(threads.Single(), others);
    }

    [Fact]
    public async Task An_actor_that_throws_is_made_anew_after_growing_pauses_and_keeps_its_mailbox()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        using var restarts = new CounterSums(host.Instruments.Meter, "massdpo.actor.restarts");
        var starts = new List<(int Incarnation, DateTimeOffset At)>();
        var seen = new List<int>();
        var done = new TaskCompletionSource();
        var options = new ActorOptions { MinBackoff = TimeSpan.FromSeconds(1), MaxBackoff = TimeSpan.FromSeconds(3), MaxRestarts = 10 };
        var actor = host.Spawn<int>("restarts", context =>
        {
            starts.Add((context.Incarnation, clock.GetUtcNow()));
            return new Scripted(async message =>
            {
                await Task.Yield();
                if (message < 4)
                    throw new InvalidOperationException("no");
                seen.Add(message);
                if (message == 5)
                    done.SetResult();
            });
        }, options);
        for (var i = 0; i < 6; i++)
            actor.Post(i);
        await PassPausesAsync(host, clock, 4, options.MaxBackoff);
        await Until(host, done);
        Assert.Equal([4, 5], seen);
        Assert.Equal([1, 2, 3, 4, 5], starts.Select(start => start.Incarnation));
        Assert.Equal([1, 2, 3, 3], starts.Zip(starts.Skip(1), (a, b) => (b.At - a.At).TotalSeconds));
        Assert.Equal(4, host.Restarts);
        Assert.Equal([KeyValuePair.Create("restarts", 4L)], restarts.Sums);
    }

    [Fact]
    public async Task What_is_sent_while_an_actor_pauses_or_starts_waits_in_order()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        var (seen, done, starting, gate) = (new List<int>(), new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        var options = new ActorOptions { MailboxCapacity = 3, MinBackoff = TimeSpan.FromSeconds(1) };
        var actor = host.Spawn<int>("starts", context => new Scripted(message =>
        {
            if (message == 0)
                throw new InvalidOperationException("no");
            seen.Add(message);
            if (message == 6)
                done.SetResult();
            return Task.CompletedTask;
        })
        {
            Start = async () =>
            {
                if (context.Incarnation == 1)
                    return;
                starting.SetResult();
                await gate.Task;
            },
        }, options);
        actor.Post(0);
        await TimerWithin(host, clock, options.MinBackoff);
        await actor.Tell(1);
        await actor.Tell(2);
        clock.FireNext();
        await Until(host, starting);
        await actor.Tell(3);
        var waiting = actor.Tell(4).AsTask();
        actor.Post(5);
        Assert.False(waiting.IsCompleted);
        Assert.Empty(seen);
        gate.SetResult();
        await waiting;
        actor.Post(6);
        await Until(host, done);
        Assert.Equal([1, 2, 3, 4, 5, 6], seen.Order());
        Assert.Equal([1, 2, 3, 5], seen.Where(message => message is not (4 or 6)));
    }

    [Fact]
    public async Task An_actor_that_fails_too_often_in_a_row_stops_the_host_with_the_reason()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        var options = new ActorOptions { MaxRestarts = 2 };
        var (begun, stopped, endings) = (new TaskCompletionSource(), new TaskCompletionSource(), 0);
        host.Spawn<int>("innocent", _ => new Scripted(_ =>
        {
            begun.SetResult();
            return Task.CompletedTask;
        }, stopped.SetResult)).Post(0);
        await Until(host, begun);
        var actor = host.Spawn<int>("hopeless", _ => new Scripted(_ => throw new InvalidOperationException("disk on fire"), () => endings++), options);
        for (var i = 0; i < 10; i++)
            actor.Post(i);
        await PassPausesAsync(host, clock, 2, options.MaxBackoff);
        var failure = await Assert.ThrowsAsync<ActorFailedException>(() => host.Failure);
        Assert.Equal("hopeless", failure.Actor);
        Assert.Contains("3 times", failure.Message);
        Assert.Contains("disk on fire", failure.Message);
        await stopped.Task;
        await host.StopAsync();
        Assert.Equal(3, endings);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await actor.Tell(11));
    }

    [Fact]
    public async Task An_actor_that_cannot_be_made_or_started_is_tried_again_and_given_up_too()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        var options = new ActorOptions { MaxRestarts = 2 };
        host.Spawn<int>("unmade", context => context.Incarnation == 1
            ? throw new InvalidOperationException("not made")
            : new Scripted(_ => Task.CompletedTask) { Start = () => throw new InvalidOperationException("not started") }, options);
        await PassPausesAsync(host, clock, 2, options.MaxBackoff);
        var failure = await Assert.ThrowsAsync<ActorFailedException>(() => host.Failure);
        Assert.Contains("not started", failure.Message);
        Assert.Equal(2, host.Restarts);
    }

    [Fact]
    public async Task A_message_handled_between_failures_forgives_them()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        var done = new TaskCompletionSource();
        var options = new ActorOptions { MaxRestarts = 1 };
        var actor = host.Spawn<int>("now-and-then", _ => new Scripted(message =>
        {
            if (message == 20)
                done.SetResult();
            return message % 2 == 0 ? Task.CompletedTask : throw new InvalidOperationException("odd");
        }), options);
        for (var i = 0; i <= 20; i++)
            actor.Post(i);
        await PassPausesAsync(host, clock, 10, options.MinBackoff);
        await Until(host, done);
    }

    [Fact]
    public async Task No_restart_follows_a_fatal_failure()
    {
        await using var host = Create(new FakeClock());
        var actor = host.Spawn<int>("fatal", _ => new Scripted(_ => throw new FatalActorException("nothing helps")));
        actor.Post(1);
        Assert.Equal("nothing helps", (await Assert.ThrowsAsync<FatalActorException>(() => host.Failure)).Message);
        Assert.Equal((0, "nothing helps", false), (host.Restarts, host.Health.Failure?.Message, host.Health.IsReady));
    }

    [Fact]
    public async Task A_scheduled_message_comes_when_due_and_dies_with_the_incarnation_or_its_handle()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        var seen = new List<(int Message, double Seconds)>();
        using var handled = new SemaphoreSlim(0);
        var began = clock.GetUtcNow();
        var options = new ActorOptions { MinBackoff = TimeSpan.FromSeconds(1) };
        var actor = host.Spawn<int>("timers", context => new Scripted(message =>
        {
            seen.Add((message, (clock.GetUtcNow() - began).TotalSeconds));
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
            handled.Release();
            return Task.CompletedTask;
        }), options);
        actor.Post(0);
        await handled.WaitAsync();
        clock.Advance(TimeSpan.FromSeconds(2));
        await handled.WaitAsync();
        clock.Advance(TimeSpan.FromSeconds(3));
        await handled.WaitAsync();
        await TimerWithin(host, clock, options.MinBackoff);
        clock.Advance(TimeSpan.FromSeconds(100));
        actor.Post(99);
        await handled.WaitAsync();
        Assert.Equal([(0, 0), (2, 2), (5, 5), (13, 5), (99, 105)], seen);
    }

    [Fact]
    public async Task An_actor_holds_on_to_no_timer_that_was_disposed_of()
    {
        await using var host = Create(new FakeClock());
        var scheduled = new List<WeakReference>();
        var done = new TaskCompletionSource();
        host.Spawn<object>("timers", context => new Disposing(context, scheduled, done)).Post(this);
        await Until(host, done);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        // The last may still be in a register.
        Assert.InRange(scheduled.Count(message => message.IsAlive), 0, 1);
    }

    [Fact]
    public async Task Stopping_cancels_the_message_an_actor_is_at_and_gives_it_no_other()
    {
        var host = Create(TimeProvider.System);
        var (entered, told, stopped) = (new TaskCompletionSource(), 0, 0);
        var actor = host.Spawn<int>("busy", _ => new Scripted(async (_, cancellation) =>
        {
            told++;
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
        }, () => stopped++));
        for (var i = 0; i < 5; i++)
            actor.Post(i);
        await Until(host, entered);
        await host.StopAsync();
        Assert.Equal((1, 1), (told, stopped));
        Assert.Equal([KeyValuePair.Create("busy", "it has stopped")], host.Health.Lacking);
        Assert.Null(host.Health.Failure);
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Stopping_waits_for_no_pause()
    {
        var clock = new FakeClock();
        var host = Create(clock);
        host.Spawn<int>("pauses", _ => new Scripted(_ => throw new InvalidOperationException("no"))).Post(1);
        await TimerWithin(host, clock, new ActorOptions().MinBackoff);
        await host.DisposeAsync();
        Assert.Equal([KeyValuePair.Create("pauses", "it failed: no")], host.Health.Lacking);
    }

    [Fact]
    public async Task An_actor_that_has_not_begun_when_its_host_stops_begins_and_ends_as_any_other()
    {
        await using var host = Create(TimeProvider.System);
        host.Fail(new InvalidOperationException("from outside"));
        var order = new List<string>();
        var actor = host.Spawn<int>("late", _ =>
        {
            order.Add("made");
            return new Scripted(_ =>
            {
                order.Add("message");
                return Task.CompletedTask;
            }, () => order.Add("stopped"))
            {
                Start = () =>
                {
                    order.Add("started");
                    return Task.CompletedTask;
                },
            };
        });
        actor.Post(1);
        await host.StopAsync();
        Assert.Equal(["made", "started", "stopped"], order);
    }

    [Fact]
    public async Task After_stop_telling_is_cancelled_and_posting_is_forgotten()
    {
        var host = Create(TimeProvider.System);
        var (begun, stopped) = (new TaskCompletionSource(), new TaskCompletionSource());
        var actor = host.Spawn<int>("stopped", _ => new Scripted(_ =>
        {
            begun.SetResult();
            return Task.CompletedTask;
        }, stopped.SetResult));
        await actor.Tell(1);
        await Until(host, begun);
        await host.StopAsync();
        Assert.True(stopped.Task.IsCompleted);
        actor.Post(2);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await actor.Tell(3));
        await host.DisposeAsync();
    }

    [Fact]
    public async Task A_host_is_ready_once_all_that_it_runs_has_what_it_needs()
    {
        var clock = new FakeClock();
        await using var host = Create(clock);
        Assert.Equal((false, false), (host.Health.HasBegun, host.Health.IsReady));
        using var handled = new SemaphoreSlim(0);
        var options = new ActorOptions { MinBackoff = TimeSpan.FromSeconds(1) };
        var actor = host.Spawn<int>("node-1/needy", context => new Scripted(message =>
        {
            if (message == 1)
                throw new InvalidOperationException("as told");
            if (message == 2)
                context.Lacks(null);
            handled.Release();
            return Task.CompletedTask;
        })
        {
            Start = () =>
            {
                context.Lacks("it has no snapshot");
                return Task.CompletedTask;
            },
        }, options);
        await actor.Tell(0);
        await handled.WaitAsync();
        Assert.Equal([KeyValuePair.Create("node-1/needy", "it has no snapshot")], host.Health.Lacking);
        await actor.Tell(2);
        await handled.WaitAsync();
        Assert.True(host.Health.IsReady);
        await actor.Tell(1);
        await TimerWithin(host, clock, options.MinBackoff);
        Assert.Equal("it failed: as told", host.Health.Lacking["node-1/needy"]);
        clock.FireNext();
        await actor.Tell(0);
        await handled.WaitAsync();
        Assert.Equal("it has no snapshot", host.Health.Lacking["node-1/needy"]);
    }

    [Fact]
    public async Task What_an_actor_does_belongs_to_no_activity_of_whoever_made_its_host_or_tells_it()
    {
        using var outer = new Activity("outer").Start();
        await using var host = Create(TimeProvider.System);
        var seen = new List<Activity?>();
        var done = new TaskCompletionSource();
        var actor = host.Spawn<int>("looks", _ => new Scripted(async _ =>
        {
            seen.Add(Activity.Current);
            await Task.Yield();
            seen.Add(Activity.Current);
            done.SetResult();
        })
        {
            Start = () =>
            {
                seen.Add(Activity.Current);
                return Task.CompletedTask;
            },
        });
        await actor.Tell(1);
        await Until(host, done);
        Assert.Equal([null, null, null], seen);
        Assert.Equal(outer, Activity.Current);
    }

    private static async Task Until(ActorHost host, TaskCompletionSource done) => await await Task.WhenAny(done.Task, host.Failure);

    private static async Task TimerWithin(ActorHost host, FakeClock clock, TimeSpan due) => await await Task.WhenAny(clock.TimerWithin(due), host.Failure);

    // Each pause begins when the one before it is over and the actor has failed again: there is one timer at a time.
    private static async Task PassPausesAsync(ActorHost host, FakeClock clock, int pauses, TimeSpan longest)
    {
        for (var i = 0; i < pauses; i++)
        {
            await TimerWithin(host, clock, longest);
            clock.FireNext();
        }
    }

    private sealed class Disposing(IActorContext<object> context, List<WeakReference> scheduled, TaskCompletionSource done) : Actor<object>
    {
        public override ValueTask ReceiveAsync(object message, CancellationToken cancellation)
        {
            for (var i = 0; i < 100; i++)
            {
                var later = new object();
                scheduled.Add(new WeakReference(later));
                context.Schedule(TimeSpan.FromHours(1), later).Dispose();
            }
            done.SetResult();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Scripted(Func<int, CancellationToken, Task> receive, Action? stop = null) : Actor<int>
    {
        public Scripted(Func<int, Task> receive, Action? stop = null) : this((message, _) => receive(message), stop)
        {
        }

        public Func<Task>? Start { get; init; }

        public override async ValueTask StartAsync(CancellationToken cancellation) => await (Start?.Invoke() ?? Task.CompletedTask);

        public override async ValueTask ReceiveAsync(int message, CancellationToken cancellation) => await receive(message, cancellation);

        public override ValueTask StopAsync()
        {
            stop?.Invoke();
            return ValueTask.CompletedTask;
        }
    }
}
