using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Numerics;

namespace MassDpo.Chaos.Bench;

/// <summary>One start that ended by kill -9, or by itself.</summary>
/// <param name="Kind">what was to kill it</param>
/// <param name="Killed">whether that did</param>
/// <param name="Late">whether the moment did not come in time, so that the clock did</param>
/// <param name="Updates">that the run had committed when it was started</param>
/// <param name="LogBytes">of the run when it was started</param>
/// <param name="CameBack">from start to the end of its first update; null where it did not come so far</param>
internal sealed record Start(string Kind, bool Killed, bool Late, long Updates, long LogBytes, TimeSpan? CameBack);

/// <summary>A run that is killed again and again until it has been killed so often; where it comes to its end before, another one is begun.</summary>
/// <param name="folder">of its runs</param>
/// <param name="words">the command line of a run with this output directory</param>
/// <param name="check">looks through the books of a run that has ended, and throws where they are wrong</param>
/// <param name="updates">of a run</param>
/// <param name="pace">seconds that an update takes, about</param>
/// <param name="seed">of all that is drawn</param>
internal sealed class Campaign(string folder, Func<string, string[]> words, Func<string, Task<RunLedger>> check, int updates, double pace, long seed)
{
    public const string ByTheClock = "by the clock";

    private readonly List<Start> _starts = [];
    private StableRandom _random = new(seed, 0xC4A05);

    public IReadOnlyList<Start> Starts => _starts;

    /// <summary>Runs that came to their end and whose books were in order.</summary>
    public int Runs { get; private set; }

    public int Kills => _starts.Count(start => start.Killed || start.Late);

    public async Task KillAsync(int kills)
    {
        while (Kills < kills)
        {
            var output = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, $"{Runs + 1}")).FullName, "out");
            // The last ones are for the steps at the very end.
            var alive = true;
            while (alive && Kills < kills - Kind.AtTheEnd.Count)
                alive = await StartAsync(output, _random.Below(2) == 0 ? null : Kind.OnTheWay[_random.Below(Kind.OnTheWay.Count)], kills);
            foreach (var kind in alive ? Kind.AtTheEnd : [])
                await StartAsync(output, kind, kills);
            var ended = await Victim.RunAsync(words(output));
            if (ended.ExitCode != 0)
                throw new InvalidOperationException(ended.ToString());
            var ledger = await check(output);
            Runs++;
            Console.WriteLine($"{Kills} kills; run {Runs} has ended: {ledger.Applied.Count:N0} applied, {ledger.Dead.Count:N0} dead, in {ledger.Epochs} epochs");
            Directory.Delete(Path.GetDirectoryName(output)!, recursive: true);
        }
    }

    // False where the run came to its end.
    private async Task<bool> StartAsync(string output, Kind? kind, int kills)
    {
        var (done, logs) = RunLedger.Progress(output);
        // Such that the kills that are left reach as far as the run: what is drawn is half of it on average.
        var reach = 2.0 * (updates - done) / Math.Max(1, kills - Kills - Kind.AtTheEnd.Count);
        var moment = kind?.Draw(ref _random, reach) ?? Moment.Never;
        // Half of the times that the clock names lie before the run has come back, half in what follows. It ends, too, what waits for a moment that does not come.
        var clock = Kind.AtTheEnd.Contains(kind) ? Timeout.InfiniteTimeSpan
            : kind is not null ? 10 * (Usual + TimeSpan.FromSeconds(pace * reach))
            : _random.Below(2) == 0 ? Usual * _random.Unit() : Usual + TimeSpan.FromSeconds(pace * reach * _random.Unit());
        using var victim = Victim.Start(moment, words(output));
        var end = victim.EndAsync();
        var isLate = await Task.WhenAny(end, Task.Delay(clock)) != end;
        if (isLate)
            victim.Kill();
        var ended = await end;
        if (!ended.IsKilled && ended.ExitCode != 0)
            throw new InvalidOperationException($"{moment}: {ended}");
        var byClock = isLate && ended.IsKilled;
        _starts.Add(new Start(kind?.Name ?? ByTheClock, ended.IsKilled && (kind is null || !byClock), kind is not null && byClock, done, logs, ended.CameBack));
        if (Kills % 10 == 0)
            Console.WriteLine($"{Kills} of {kills} kills, update {done} of {updates}");
        return ended.IsKilled;
    }

    // The median time to come back, of the last starts that did.
    private TimeSpan Usual => _starts.Where(start => start.CameBack is not null).Select(start => start.CameBack!.Value).TakeLast(9).Order().ToList() is { Count: > 0 } known
        ? known[known.Count / 2]
        : TimeSpan.FromSeconds(2);
}
