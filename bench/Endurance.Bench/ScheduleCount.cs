using System.Diagnostics;
using TorchSharp;
using MassDpo.PipelineKit.Schedules;

namespace MassDpo.Endurance.Bench;

/// <summary>Many schedules of the whole pipeline, and how often each kind of event came up in them.</summary>
internal static class ScheduleCount
{
    /// <returns>whether every invariant held in each</returns>
    public static bool Run(int first, int count)
    {
        torch.set_num_threads(1);
        using var runner = new ScheduleRunner();
        var watch = Stopwatch.StartNew();
        var violations = 0;
        for (var seed = first; seed < first + count; seed++)
        {
            try
            {
                // A replay costs as much as a run.
                runner.Run(seed, replays: seed % 4 == 0);
            }
            catch (ScheduleViolationException e)
            {
                violations++;
                Console.WriteLine(e.Message);
            }
        }
        Console.WriteLine($"{count} schedules from seed {first} on in {watch.Elapsed.TotalSeconds:F0} s, {count / watch.Elapsed.TotalSeconds:F0} a second: {violations} violations");
        Console.WriteLine($"most steps of a start per position (and 10): {runner.MostStepsPerPosition:F0}");
        foreach (var (what, times) in runner.Sightings.Counts)
            Console.WriteLine($"{times,10:N0}  {what}");
        return violations == 0;
    }
}
