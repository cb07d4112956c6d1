using System.Diagnostics;
using MassDpo.PipelineKit.Distributed;
using MassDpo.PipelineKit.Schedules;
using TorchSharp;

namespace MassDpo.Endurance.Bench;

/// <summary>Many runs whose processes are joined over a log, and how often each kind of event came up in them.</summary>
internal static class FleetCount
{
    /// <param name="first">seed</param>
    /// <param name="count">of seeds at most</param>
    /// <param name="minutes">after which none is begun any more</param>
    /// <returns>whether every invariant held in each</returns>
    public static bool Run(int first, int count, double minutes)
    {
        torch.set_num_threads(1);
        // One alone is to be looked at.
        using var runner = new FleetRunner { Trace = count == 1 ? Console.WriteLine : null };
        var (watch, used) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
        var (violations, firstFailed, seed) = (0, (int?)null, first);
        for (; seed < first + count && watch.Elapsed.TotalMinutes < minutes; seed++)
        {
            try
            {
                // A replay costs as much as a run.
                runner.Run(seed, replays: seed % 4 == 0);
            }
            catch (ScheduleViolationException e)
            {
                violations++;
                firstFailed ??= seed;
                Console.WriteLine(count == 1 ? e.ToString() : e.Message);
            }
        }
        count = seed - first;
        var cpu = (Environment.CpuUsage.TotalTime - used).TotalSeconds;
        Console.WriteLine($"{count} runs from seed {first} on in {watch.Elapsed.TotalSeconds:F0} s, {60 * count / watch.Elapsed.TotalSeconds:F0} a minute, {60 * count / cpu:F0} a minute of processor time: {violations} violations{(firstFailed is { } failed ? $", the first with seed {failed}" : "")}");
        Console.WriteLine($"most steps of a run per thing in its input (ten for each thing that befell it, and 20): {runner.MostSteps:F0}");
        foreach (var (what, times) in runner.Sightings.Counts)
            Console.WriteLine($"{times,10:N0}  {what}");
        return violations == 0;
    }
}
