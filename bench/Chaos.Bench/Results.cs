using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using static System.FormattableString;

namespace MassDpo.Chaos.Bench;

/// <summary>The page of results.</summary>
internal static class Results
{
    public static string Page(Workload workload, string command, int updates, int applied, int dead, string build, IReadOnlyList<(string Name, string Held, Campaign Campaign)> campaigns)
    {
        var page = new StringBuilder();
        page.AppendLine("# Kill −9, again and again");
        page.AppendLine();
        page.AppendLine(Invariant($"{workload.Passes} passes over {workload.Name}, {workload.Lines:N0} lines of which one in forty cannot be used: {applied + dead:N0} positions, {updates:N0} updates, {applied:N0} applied and {dead:N0} dead. ")
            + "A commit every 10 updates. The process is killed with SIGKILL at random times, and kills itself at moments that are named by a step on the disk or an event, and is started again with the same command line, until it has been killed so often; where a run comes to its end before, the next one is begun.");
        page.AppendLine();
        page.AppendLine("```");
        page.AppendLine(command);
        page.AppendLine("```");
        page.AppendLine();
        page.AppendLine(Machine(build));
        page.AppendLine();
        page.AppendLine("After each run's end its books are looked through: every line of every log whole, every position once in updates or dead letters, one event for each applied one and no other, one line of metrics for each update, the report's counts those of the logs, nothing left of what was written aside. The page is only written where all of it held.");
        page.AppendLine();
        page.AppendLine("| | " + string.Join(" | ", campaigns.Select(c => c.Name)) + " |");
        page.AppendLine("|---|" + string.Concat(campaigns.Select(_ => "---|")));
        Row("kills", c => Invariant($"{c.Kills}"));
        Row("runs to their end", c => Invariant($"{c.Runs}"));
        page.AppendLine("| besides | " + string.Join(" | ", campaigns.Select(c => c.Held)) + " |");
        Row("time from start to the end of the first update: median", c => Quantile(c, 0.5, _ => true));
        Row("95 %", c => Quantile(c, 0.95, _ => true));
        Row("longest", c => Quantile(c, 1, _ => true));
        Row("median with less than 100 MiB of logs", c => Quantile(c, 0.5, start => start.LogBytes < 100 << 20));
        Row("median with more", c => Quantile(c, 0.5, start => start.LogBytes >= 100 << 20));
        for (var quarter = 0; quarter < 4; quarter++)
            Row(Invariant($"started again in quarter {quarter + 1} of the run, and killed"), c => Invariant($"{c.Starts.Count(start => (start.Killed || start.Late) && Math.Min(3, 4 * start.Updates / updates) == quarter)}"));
        Row("killed before their first update", c => Invariant($"{c.Starts.Count(start => start.CameBack is null)}"));
        foreach (var kind in new[] { Campaign.ByTheClock }.Concat(Kind.OnTheWay.Concat(Kind.AtTheEnd).Select(kind => kind.Name)))
            Row("killed " + kind, c => Invariant($"{c.Starts.Count(start => start.Kind == kind && start.Killed)}"));
        Row("moments that did not come in time, so that the clock killed", c => Invariant($"{c.Starts.Count(start => start.Late)}"));
        Row("came to their end before they could be killed", c => Invariant($"{c.Starts.Count(start => !start.Killed && !start.Late)}"));
        return page.ToString();

        void Row(string name, Func<Campaign, string> value) => page.AppendLine($"| {name} | {string.Join(" | ", campaigns.Select(c => value(c.Campaign)))} |");
    }

    private static string Quantile(Campaign campaign, double share, Func<Start, bool> of)
    {
        var times = campaign.Starts.Where(start => start.CameBack is not null && of(start)).Select(start => start.CameBack!.Value.TotalSeconds).Order().ToList();
        return times.Count == 0 ? "–" : Invariant($"{times[(int)Math.Min(times.Count - 1, share * times.Count)]:F1} s ({times.Count})");
    }

    /// <summary>What it ran on, in a sentence.</summary>
    public static string Machine(string build)
    {
        var model = First("/proc/cpuinfo", "model name", ':') ?? RuntimeInformation.ProcessArchitecture.ToString();
        var memory = First("/proc/meminfo", "MemTotal", ':') is { } kib ? Invariant($"{long.Parse(kib.Split(' ')[0], CultureInfo.InvariantCulture) >> 20} GiB") : "?";
        var system = First("/etc/os-release", "PRETTY_NAME", '=')?.Trim('"') ?? RuntimeInformation.OSDescription;
        return $"{model}, {Environment.ProcessorCount} cores, {memory} of memory; {system}; {build}, {RuntimeInformation.FrameworkDescription}. The machine was busy with other work too: times are what they were, kills count.";
    }

    private static string? First(string file, string name, char separator) => !File.Exists(file) ? null :
        File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[1].Trim();
}
