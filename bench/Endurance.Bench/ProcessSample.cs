using System.Globalization;

namespace MassDpo.Endurance.Bench;

/// <summary>What the kernel tells of a process.</summary>
/// <param name="Records">trained on by then</param>
/// <param name="Peak">VmHWM, KiB</param>
/// <param name="Resident">VmRSS, KiB</param>
/// <param name="Handles">open files, sockets among them</param>
/// <param name="Threads">of it</param>
internal sealed record ProcessSample(long Records, long Peak, long Resident, int Handles, int Threads)
{
    public static ProcessSample Of(int process, long records)
    {
        var status = File.ReadLines($"/proc/{process}/status").Select(line => line.Split(':')).ToDictionary(parts => parts[0], parts => parts[1].Trim());
        return new ProcessSample(records, Number(status["VmHWM"]), Number(status["VmRSS"]), Directory.GetFileSystemEntries($"/proc/{process}/fd").Length, (int)Number(status["Threads"]));
    }

    public override string ToString() => $"| {Records:N0} | {Peak / 1024.0:F1} | {Resident / 1024.0:F1} | {Handles} | {Threads} |";

    private static long Number(string text) => long.Parse(text.Split(' ')[0], CultureInfo.InvariantCulture);
}
