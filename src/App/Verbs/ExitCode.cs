using System.Runtime.InteropServices;

namespace MassDpo.App.Verbs;

/// <summary>What the program ends with.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    /// <summary>Bad usage or settings.</summary>
    public const int Usage = 2;

    /// <summary>Stopped by a signal before it was done: 128 and the signal's number, as shells have it.</summary>
    public static int StoppedBy(PosixSignal signal) => signal == PosixSignal.SIGINT ? 130 : 143;
}
