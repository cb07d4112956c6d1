namespace MassDpo.TestKit.Simulation;

/// <summary>A clock that stands still until it is moved; timers fire in order when it passes them.</summary>
public sealed class FakeClock : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<FakeTimer> _timers = [];
    private readonly List<(TimeSpan Within, TaskCompletionSource Set)> _awaited = [];
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private TimeSpan _jumped;
    private long _created;

    public override DateTimeOffset GetUtcNow() => _now + _jumped;

    public override long GetTimestamp() => _now.Ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (period != Timeout.InfiniteTimeSpan && period != TimeSpan.Zero)
            throw new NotSupportedException("a timer here fires once");
        var timer = new FakeTimer(this, callback, state, Interlocked.Increment(ref _created));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Completes once a timer is set that is due after at most this.</summary>
    public Task TimerWithin(TimeSpan due)
    {
        lock (_lock)
        {
            if (_timers.Any(timer => timer.Due <= _now + due))
                return Task.CompletedTask;
            var set = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((due, set));
            return set.Task;
        }
    }

    /// <summary>Puts the clock on the wall forward or back, as whoever sets it does: no time passes, and no timer notices.</summary>
    public void Jump(TimeSpan by) => _jumped += by;

    public void Advance(TimeSpan by)
    {
        var until = _now + by;
        while (NextDue() is { } due && due <= until)
            FireNext();
        _now = until;
    }

    /// <summary>Moves to the next timer and fires it; false where there is none.</summary>
    public bool FireNext()
    {
        FakeTimer? next;
        lock (_lock)
        {
            next = _timers.OrderBy(timer => timer.Due).ThenBy(timer => timer.Number).FirstOrDefault();
            if (next is null)
                return false;
            _timers.Remove(next);
            if (next.Due > _now)
                _now = next.Due;
        }
        next.Fire();
        return true;
    }

    private DateTimeOffset? NextDue()
    {
        lock (_lock)
            return _timers.Count == 0 ? null : _timers.Min(timer => timer.Due);
    }

    private sealed class FakeTimer(FakeClock clock, TimerCallback callback, object? state, long number) : ITimer
    {
        public DateTimeOffset Due { get; private set; }

        public long Number => number;

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                clock._timers.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    Due = clock._now + dueTime;
                    clock._timers.Add(this);
                    foreach (var (_, set) in clock._awaited.Where(awaited => dueTime <= awaited.Within))
                        set.TrySetResult();
                    clock._awaited.RemoveAll(awaited => dueTime <= awaited.Within);
                }
            }
            return true;
        }

        public void Dispose()
        {
            lock (clock._lock)
                clock._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
