using System.Globalization;
using System.Text.Json;
using MassDpo.Audit.Logs;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.App.Demo;

/// <summary>What became of the positions of an input, counted in a run's logs.</summary>
/// <param name="Applied">trained on, each once</param>
/// <param name="Dead">in dead letters, each once</param>
internal sealed record PositionCounts(long Applied, long Dead)
{
    /// <summary>Counts a run that has ended, and holds it against what the input had.</summary>
    /// <param name="output">of the run; none of its logs may have been taken away</param>
    /// <param name="expected">positions of the input</param>
    /// <exception cref="InvalidDataException">a position is there more than once, or the number is another</exception>
    public static PositionCounts Check(string output, long expected)
    {
        using var directory = RunDirectory.Open(output, PhysicalFiles.Instance);
        var (settled, twice) = (new HashSet<Position>(), new List<Position>());
        var applied = Count(RunLog.Updates(directory.Updates).SelectMany(update => update.Positions).OfType<Position>());
        var dead = Count(LogSegments.PathsOf(PhysicalFiles.Instance, directory.DeadLetters).SelectMany(File.ReadLines).Select(PositionOf));
        if (twice.Count > 0)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{output}: {twice.Count:N0} positions were settled more than once, {twice[0]} among them"));
        if (applied + dead != expected)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"{output}: {applied:N0} positions were trained on and {dead:N0} went to dead letters, but the input has {expected:N0}; was the learner stopped before the input had ended?"));
        return new PositionCounts(applied, dead);

        long Count(IEnumerable<Position> positions)
        {
            var count = 0L;
            foreach (var position in positions)
            {
                count++;
                if (!settled.Add(position))
                    twice.Add(position);
            }
            return count;
        }
    }

    private static Position PositionOf(string letter)
    {
        using var json = JsonDocument.Parse(letter);
        return Position.Parse(json.RootElement.GetProperty("position"u8).GetString()!);
    }
}
