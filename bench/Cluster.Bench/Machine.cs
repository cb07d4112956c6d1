using System.Globalization;
using System.Runtime.InteropServices;
using static System.FormattableString;

namespace MassDpo.Cluster.Bench;

/// <summary>Where figures come from.</summary>
internal static class Machine
{
    /// <summary>The command and what it ran on, as the head of a table of results.</summary>
    public static void Print() => Console.WriteLine(Invariant($"""
        ```
        dotnet run -c Release --project bench/Cluster.Bench -- {string.Join(' ', Environment.GetCommandLineArgs().Skip(1))}
        ```

        {First("/proc/cpuinfo", "model name", ':') ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, {Memory()} of memory; {First("/etc/os-release", "PRETTY_NAME", '=')?.Trim('"') ?? RuntimeInformation.OSDescription}; {RuntimeInformation.FrameworkDescription}; Akka.NET {typeof(Akka.Actor.ActorSystem).Assembly.GetName().Version!.ToString(3)}.

        """));

    private static string Memory() => First("/proc/meminfo", "MemTotal", ':') is { } kib ? Invariant($"{long.Parse(kib.Split(' ')[0], CultureInfo.InvariantCulture) >> 20} GiB") : "?";

    private static string? First(string file, string name, char separator) => !File.Exists(file) ? null :
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[1].Trim();
}
