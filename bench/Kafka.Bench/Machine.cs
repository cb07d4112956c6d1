using System.Globalization;
using System.Runtime.InteropServices;
using static System.FormattableString;

namespace MassDpo.Kafka.Bench;

/// <summary>Where figures come from.</summary>
internal static class Machine
{
    /// <summary>The command and what it ran on, as the head of a table of results.</summary>
    public static string Describe()
    {
        // It chooses other kernels than those that the processor would get.
        var coreType = Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is { Length: > 0 } set ? $"; OPENBLAS_CORETYPE = {set} in this process, unset in those that it starts" : "";
        return Invariant($"""
            ```
            dotnet run -c Release --project bench/Kafka.Bench -- {string.Join(' ', Environment.GetCommandLineArgs().Skip(1))}
            ```

            {First("/proc/cpuinfo", "model name", ':') ?? RuntimeInformation.ProcessArchitecture.ToString()}, {Environment.ProcessorCount} cores, {Memory()} of memory; {First("/etc/os-release", "PRETTY_NAME", '=')?.Trim('"') ?? RuntimeInformation.OSDescription}; {RuntimeInformation.FrameworkDescription}; librdkafka {Confluent.Kafka.Library.VersionString}, its mock cluster on loopback{coreType}.

            """);
    }

    private static string Memory() => First("/proc/meminfo", "MemTotal", ':') is { } kib ? Invariant($"{long.Parse(kib.Split(' ')[0], CultureInfo.InvariantCulture) >> 20} GiB") : "?";

    private static string? First(string file, string name, char separator) => !File.Exists(file) ? null :
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[1].Trim();
}
