using System.Runtime.InteropServices;

namespace MassDpo.ChaosKit.Processes;

/// <summary>Signals of Linux.</summary>
internal static partial class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    [LibraryImport("libc", EntryPoint = "kill")]
    public static partial int Send(int process, int signal);

    /// <summary>Whether all of a process stands still.</summary>
    public static bool IsStopped(int process)
    {
        var path = $"/proc/{process}/stat";
        // "4711 (name of it) T …": the name may have anything in it.
        return File.Exists(path) && File.ReadAllText(path) is var stat && stat[(stat.LastIndexOf(')') + 2)..].StartsWith('T');
    }
}
