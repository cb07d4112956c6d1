using MassDpo.Shared.Actors;
using MassDpo.Shared.Numerics;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.TestKit.Simulation;

/// <summary>
/// Runs actors on one thread, one step at a time; which of the steps that are ready comes next is drawn from a seed. When none is ready the clock moves to the
/// next timer. So a seed gives one schedule, the same each time.
/// </summary>
public sealed class SimulatedHost(int seed) : LoopHost(new FakeClock(), NullLogger.Instance)
{
    private readonly Steps _steps = new();
    private StableRandom _random = new(seed, 0x51AE);

    /// <summary>Steps run so far.</summary>
    public long Taken { get; private set; }

    /// <summary>Runs until <paramref name="done"/>, asked between steps.</summary>
    /// <exception cref="SimulationStuckException">nothing is ready, no timer is set, and it is not done; or more steps than allowed</exception>
    public void RunUntil(Func<bool> done, long maxSteps = 1_000_000)
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(_steps);
        try
        {
            for (var taken = 0L; !done(); taken++)
            {
                if (Failure.IsFaulted)
                    Failure.GetAwaiter().GetResult();
                if (taken > maxSteps)
                    throw new SimulationStuckException($"seed {seed}: not done after {maxSteps} steps");
                if (!_steps.RunOne(ref _random) && !((FakeClock)Clock).FireNext())
                    throw new SimulationStuckException($"seed {seed}: not done after {Taken} steps at {Clock.GetUtcNow():HH:mm:ss}, but nothing is ready and no timer is set");
                Taken++;
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    /// <summary>Stops all actors, runs what that takes, and ends what is measured of them.</summary>
    public void Stop()
    {
        RunToEnd(() => StopAsync().AsTask());
        Instruments.Dispose();
    }

    /// <summary>Begins something among the steps, and runs until it has ended. Begun outside, it would go on in the thread pool.</summary>
    public void RunToEnd(Func<Task> begin)
    {
        Task? begun = null;
        RunUntil(() => (begun ??= begin()).IsCompleted);
        begun!.GetAwaiter().GetResult();
    }

    protected override Task Run(string name, Dispatch dispatch, Func<Task> loop)
    {
        var done = new TaskCompletionSource();
        _steps.Post(async _ =>
        {
            await loop();
            done.SetResult();
        }, null);
        return done.Task;
    }

    private sealed class Steps : SynchronizationContext
    {
        private readonly List<(SendOrPostCallback Callback, object? State)> _ready = [];

        public override void Post(SendOrPostCallback callback, object? state)
        {
            lock (_ready)
                _ready.Add((callback, state));
        }

        public bool RunOne(ref StableRandom random)
        {
            (SendOrPostCallback Callback, object? State) step;
            lock (_ready)
            {
                if (_ready.Count == 0)
                    return false;
                var drawn = random.Below(_ready.Count);
                step = _ready[drawn];
                _ready.RemoveAt(drawn);
            }
            step.Callback(step.State);
            return true;
        }
    }
}

/// <summary>A simulation that cannot go on; the message has the seed.</summary>
public sealed class SimulationStuckException(string message) : Exception(message);
