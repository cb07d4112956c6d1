using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // What of this thread's operations is recorded. Each function changes it until its result is disposed of.

    /// <summary>Nothing is recorded.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    /// <summary>Nothing is recorded, and what is made can never take part in what is: cheaper still.</summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    public static bool is_grad_enabled() => mdt_grad_enabled() != 0;

    public static bool is_inference_mode_enabled() => mdt_inference_mode_enabled() != 0;

    private sealed class GradMode : IDisposable
    {
        private readonly int previous = mdt_grad_enabled();

        internal GradMode(bool enabled) => mdt_set_grad_enabled(enabled ? 1 : 0);

        public void Dispose() => mdt_set_grad_enabled(previous);
    }

    private sealed class InferenceMode : IDisposable
    {
        private nint guard;

        internal InferenceMode(bool enabled)
        {
            guard = mdt_inference_mode_enter(enabled ? 1 : 0);
            if (guard == 0)
                throw Failure();
        }

        // No finaliser: a guard restores the state of the thread that deletes it, which must be the one that made it.
        public void Dispose()
        {
            var owned = Interlocked.Exchange(ref guard, 0);
            if (owned != 0)
                mdt_inference_mode_leave(owned);
        }
    }
}
