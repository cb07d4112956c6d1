using System.Diagnostics;
using MassDpo.PipelineKit.Mutants;
using MassDpo.PipelineKit.Schedules;

namespace MassDpo.Endurance.Bench;

/// <summary>Many mutated inputs through every reader, and what became of them.</summary>
internal static class MutantCount
{
    /// <param name="records">mutants of records, and of each kind of message</param>
    /// <param name="others">mutants of each kind of file</param>
    /// <param name="names">of the kinds; none: all</param>
    /// <returns>whether each was read or refused</returns>
    public static bool Run(int records, int others, IReadOnlyCollection<string> names)
    {
        var whole = true;
        foreach (var make in MutatedInputs.All)
        {
            using var input = make();
            if (names.Count > 0 && !names.Contains(input.Name))
                continue;
            var count = input.Name == "records" || MutatedTopics.All.Contains(make) ? records : others;
            var (verdicts, watch) = (new Sightings(), Stopwatch.StartNew());
            try
            {
                input.Read(0, count, verdict => verdicts.Saw(verdict));
                Console.WriteLine($"{input.Name}: {count:N0} mutants in {watch.Elapsed.TotalSeconds:F0} s: {string.Join(", ", verdicts.Counts.Select(verdict => $"{verdict.Value:N0} {verdict.Key}"))}");
            }
            catch (MutantException e)
            {
                whole = false;
                Console.WriteLine($"{e.Message}\n{e.InnerException}");
            }
        }
        return whole;
    }
}
