using System.Runtime.InteropServices;
using MassDpo.App.Terminal;
using MassDpo.Audit.Logs;
using MassDpo.Audit.Replay;
using MassDpo.Policy;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.App.Verbs;

/// <summary>Turns signals into an orderly end, and exceptions into one line and an exit code.</summary>
internal static class Failures
{
    /// <param name="verb">what to do</param>
    /// <param name="endsWhenStopped">
    /// whether it goes on for as long as it is left to, so that to stop it is its orderly end; any other verb that is stopped has not done what it was asked for
    /// </param>
    public static async Task<int> Guard(Func<CancellationToken, Task<int>> verb, bool endsWhenStopped)
    {
        PosixSignal? signal = null;
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            return await verb(stop.Token);
        }
        catch (Exception e) when (e is HoconException or UsageException)
        {
            Output.ErrorLine($"error: {e.Message}");
            return ExitCode.Usage;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            if (endsWhenStopped)
                return ExitCode.Done;
            Output.ErrorLine($"error: stopped by {signal} before it was done");
            return ExitCode.StoppedBy(signal!.Value);
        }
        catch (Exception e)
        {
            Output.ErrorLine($"error: {e.Message}");
            if (Environment.GetEnvironmentVariable("MASSDPO_TRACE") is { Length: > 0 })
                Output.ErrorLine(e.ToString());
            else if (e is not (IOException or UnauthorizedAccessException or InvalidDataException or PolicyFormatException or FatalActorException or ReplayException or LogFormatException))
                Output.ErrorLine("Set MASSDPO_TRACE=1 to see where it comes from.");
            return ExitCode.Failed;
        }

        void Stop(PosixSignalContext context)
        {
            // The first asks for an orderly end; a second one ends the process at once.
            context.Cancel = !stop.IsCancellationRequested;
            signal ??= context.Signal;
            stop.Cancel();
        }
    }
}
