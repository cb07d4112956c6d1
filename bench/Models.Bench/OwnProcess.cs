using System.Diagnostics;
using System.Globalization;

namespace MassDpo.Models.Bench;

/// <summary>This program again, in a process whose memory nobody else uses, and how much this one has used.</summary>
internal static class OwnProcess
{
    /// <summary>What a child prints.</summary>
    public static string Run(params string[] words)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [.. Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? new[] { typeof(OwnProcess).Assembly.Location } : [], .. words])
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? said.Trim() : throw new InvalidOperationException($"{string.Join(' ', words)} ended with exit code {process.ExitCode}");
    }

    /// <summary>The most memory that this process has had resident, in bytes; files that are mapped count.</summary>
    public static long PeakBytes() => Status("VmHWM:");

    /// <summary>What it has resident now.</summary>
    public static long NowBytes() => Status("VmRSS:");

    private static long Status(string name) => 1024 * long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal))
        [name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
}
