using MassDpo.Shared.Actors;
using MassDpo.Shared.Numerics;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.TestKit.Simulation;

/// <summary>
/// Several processes on one thread and one clock: each has a lane of steps, and which of all the steps that are ready comes next is drawn from a seed. A lane can stand
/// still for a while, as a process that is stopped does, or end. When nothing is ready the clock moves to the next timer.
/// </summary>
public sealed class SimulatedWorld(int seed)
{
    private readonly Lock _gate = new();
    private readonly List<SimulatedLane> _lanes = [];
    private StableRandom _random = new(seed, 0x3021D);

    public FakeClock Clock { get; } = new();

    /// <summary>Steps run so far.</summary>
    public long Taken { get; private set; }

    /// <summary>Told of every step that becomes ready, for who runs the world while others use it.</summary>
    public Action Posted { get; init; } = () => { };

    public SimulatedLane NewLane()
    {
        var lane = new SimulatedLane(this);
        _lanes.Add(lane);
        return lane;
    }

    /// <summary>Does something after a while, as nobody's step.</summary>
    public void After(TimeSpan due, Action action)
    {
        ITimer? timer = null;
        timer = Clock.CreateTimer(_ =>
        {
            timer!.Dispose();
            action();
        }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Runs one step, or where none is ready fires the next timer; false where there is none either.</summary>
    public bool Step()
    {
        Taken++;
        return RunReady() || Clock.FireNext();
    }

    /// <summary>Runs one step; false where none is ready.</summary>
    public bool RunReady()
    {
        (SendOrPostCallback Callback, object? State) step = (_ => { }, null);
        SimulatedLane? next = null;
        lock (_gate)
        {
            var ready = 0;
            foreach (var lane in _lanes)
                ready += lane.Ready;
            if (ready == 0)
                return false;
            var drawn = _random.Below(ready);
            foreach (var lane in _lanes)
            {
                if (drawn < lane.Ready)
                {
                    (step, next) = (lane.Take(drawn), lane);
                    break;
                }
                drawn -= lane.Ready;
            }
        }
        next!.Run(step.Callback, step.State);
        return true;
    }

    internal void Add(SimulatedLane lane, Action add)
    {
        lock (_gate)
            add();
        if (!lane.IsPaused)
            Posted();
    }

    internal T Under<T>(Func<T> get)
    {
        lock (_gate)
            return get();
    }

    internal void Remove(SimulatedLane lane)
    {
        lock (_gate)
            _lanes.Remove(lane);
    }
}

/// <summary>The steps of one process.</summary>
public sealed class SimulatedLane : SynchronizationContext
{
    private readonly SimulatedWorld _world;
    private readonly List<(SendOrPostCallback Callback, object? State)> _steps = [];
    private bool _hasEnded;

    internal SimulatedLane(SimulatedWorld world)
    {
        _world = world;
        Clock = new LaneClock(this, world.Clock);
    }

    /// <summary>The world's, whose timers fire as steps of this lane.</summary>
    public TimeProvider Clock { get; }

    /// <summary>Whether it stands still; what becomes ready waits.</summary>
    public bool IsPaused { get; set; }

    internal int Ready => IsPaused ? 0 : _steps.Count;

    public override void Post(SendOrPostCallback callback, object? state)
    {
        if (!_hasEnded)
            _world.Add(this, () => _steps.Add((callback, state)));
    }

    public void Post(Action step) => Post(_ => step(), null);

    /// <summary>Runs what is ready of this lane alone, in order, until something that is begun now has ended; then nothing of it runs any more.</summary>
    public void End(Func<Task> begin)
    {
        Task? ending = null;
        Run(_ => ending = begin(), null);
        while (!ending!.IsCompleted)
        {
            var (callback, state) = _world.Under(() => _steps.Count > 0 ? Take(0) : throw new SimulationStuckException("a process does not end: one of its actors waits for what nobody will tell it"));
            Run(callback, state);
        }
        _hasEnded = true;
        _world.Remove(this);
        ending.GetAwaiter().GetResult();
    }

    /// <summary>Runs something as one of its steps.</summary>
    public void Run(SendOrPostCallback callback, object? state)
    {
        var before = Current;
        SetSynchronizationContext(this);
        try
        {
            callback(state);
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    internal (SendOrPostCallback Callback, object? State) Take(int index)
    {
        var step = _steps[index];
        _steps.RemoveAt(index);
        return step;
    }

    private sealed class LaneClock(SimulatedLane lane, FakeClock clock) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

        public override long GetTimestamp() => clock.GetTimestamp();

        public override long TimestampFrequency => clock.TimestampFrequency;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            clock.CreateTimer(told => lane.Post(_ => callback(told), null), state, dueTime, period);
    }
}

/// <summary>Runs the actors of one process as steps of its lane.</summary>
public sealed class LaneHost(SimulatedLane lane) : LoopHost(lane.Clock, NullLogger.Instance)
{
    protected override Task Run(string name, Dispatch dispatch, Func<Task> loop)
    {
        var done = new TaskCompletionSource();
        lane.Post(async _ =>
        {
            await loop();
            done.SetResult();
        }, null);
        return done.Task;
    }
}
