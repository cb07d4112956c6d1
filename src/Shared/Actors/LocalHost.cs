using System.Collections.Concurrent;
using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging;

namespace MassDpo.Shared.Actors;

/// <summary>Runs actors in this process: those that wait on the thread pool, those that compute each on a thread of its own.</summary>
/// <param name="clock">of its actors</param>
/// <param name="logger">of their failures</param>
/// <param name="instruments">of a process that has several hosts, which outlive this one; null: its own</param>
public sealed class LocalHost(TimeProvider clock, ILogger logger, Instruments? instruments = null) : LoopHost(clock, logger, instruments)
{
    protected override Task Run(string name, Dispatch dispatch, Func<Task> loop) =>
        dispatch == Dispatch.Pool ? Task.Run(loop) : OwnThread.Run(name, loop);

    /// <summary>A thread that runs one loop and all its continuations, as a synchronisation context.</summary>
    private sealed class OwnThread : SynchronizationContext
    {
        private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _work = [];

        public static Task Run(string name, Func<Task> loop)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var context = new OwnThread();
            new Thread(() => context.Pump(loop, done)) { Name = name, IsBackground = true }.Start();
            return done.Task;
        }

        public override void Post(SendOrPostCallback callback, object? state)
        {
            try
            {
                _work.Add((callback, state));
            }
            catch (InvalidOperationException)
            {
                // The loop has ended: nobody waits for this continuation any more.
            }
        }

        private void Pump(Func<Task> loop, TaskCompletionSource done)
        {
            SetSynchronizationContext(this);
            var running = loop();
            running.ContinueWith(_ => _work.CompleteAdding(), TaskScheduler.Default);
            foreach (var (callback, state) in _work.GetConsumingEnumerable())
                callback(state);
            if (running.IsFaulted)
                done.SetException(running.Exception.InnerExceptions);
            else
                done.SetResult();
        }
    }
}
