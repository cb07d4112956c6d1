using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Chaos.Bench;

/// <summary>The long form of tests/Chaos/RoleTests: the processes of one run over Kafka under fire. The page is only made where its books were in order.</summary>
internal static class RoleRuns
{
    private const double Overlap = 0.25;

    public static async Task RunAsync(int kills, int records, long seed, string? results)
    {
        using var folder = new TempFolder();
        var run = new RoleRun(folder.Path, Partitions: 8, Batch: 16, Staleness: 2, "checkpoint.updates=10", "selection.block=4", "slots.lease=2s", "slots.drain=1s", "selection.selectors=1")
        {
            // 20 candidates make 3 KiB of an event, and what is superseded is told as well.
            EventPartitions = Math.Max(4, records / 500),
        };
        ChaosStream.Write(run.Policy, run.Data, records, hidden: 32);
        var campaign = new RoleCampaign(run, records, Plan(kills), Overlap, seed, line => Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {line}"));
        var began = Stopwatch.GetTimestamp();
        var books = await campaign.RunAsync();
        var page = Page(run, campaign, books, Stopwatch.GetElapsedTime(began), records, Invariant($"dotnet run -c Release --project bench/Chaos.Bench -- roles --kills {kills} --records {records} --seed {seed}"));
        if (results is null)
            Console.Write(page);
        else
            await File.WriteAllTextAsync(results, page);
    }

    // Of 110 kills 50 are of the learner, 44 of selectors and 16 of ingest; a fifth of the first two come as a process takes the place of one that was killed.
    private static RolePlan[] Plan(int kills)
    {
        var (learner, ingest) = (kills * 5 / 11, kills * 3 / 20);
        var selector = kills - learner - ingest;
        return
        [
            new(Role.Learner, Fault.KillTwice, learner / 5), new(Role.Learner, Fault.Kill, learner - 2 * (learner / 5)),
            new(Role.Learner, Fault.Stop, kills / 11), new(Role.Learner, Fault.Restart, kills / 11),
            new(Role.Selector, Fault.KillTwice, selector / 5), new(Role.Selector, Fault.Kill, selector - 2 * (selector / 5)),
            new(Role.Selector, Fault.Stop, kills / 11), new(Role.Selector, Fault.Restart, kills / 11),
            new(Role.Ingest, Fault.Kill, ingest), new(Role.Ingest, Fault.Stop, kills / 22),
            new(Role.Broker, Fault.Stop, kills / 11),
        ];
    }

    private static string Page(RoleRun run, RoleCampaign campaign, KafkaBooks books, TimeSpan took, int records, string command)
    {
        var page = new StringBuilder();
        var kills = campaign.Faults.Count(fault => fault.Fault is Fault.Kill or Fault.KillTwice);
        page.AppendLine("# Roles over Kafka, killed, stopped and restarted");
        page.AppendLine();
        page.AppendLine(Invariant($"One run over {records:N0} lines of simulated listeners, one in forty of which cannot be used: a broker (librdkafka's mock cluster), ingest, two selectors and the learner, each a process. ")
            + Invariant($"Batches of {run.Batch}, a checkpoint every 10 updates, max-staleness {run.Staleness}, {run.Partitions} partitions, a lease of 2 s, sessions of 3 s. The seed decides who is next, what befalls it (kill −9, SIGSTOP for 0.2 to 5 s, SIGTERM) and at which moment, to which it comes by itself; ")
            + Invariant($"the next process is started at once. After {Overlap:P0} of the faults the next comes before the run has recovered."));
        page.AppendLine();
        page.AppendLine("```");
        page.AppendLine(command);
        page.AppendLine("```");
        page.AppendLine();
        page.AppendLine(Results.Machine((string)JsonNode.Parse(File.ReadAllText(Path.Combine(run.Output, "report.json")))!["build"]!));
        page.AppendLine();
        page.AppendLine("The page is only written where these held at the end: the input holds each line; every position of it is settled once, and no other; every log whole, one event for each position trained on; versions only grow within an epoch; no selection older than max-staleness; events and dead letters of the topics, the highest epoch of each position taken, are those of the logs; `massdpo replay` gives the weights bit for bit.");
        page.AppendLine();
        page.AppendLine("| | |");
        page.AppendLine("|---|---|");
        page.AppendLine(Invariant($"| kills | {kills} |"));
        page.AppendLine(Invariant($"| stops and restarts | {campaign.Faults.Count - kills} |"));
        page.AppendLine(Invariant($"| positions of the input | {books.Records:N0} |"));
        page.AppendLine(Invariant($"| lines that the input holds twice | {books.Doubled:N0} |"));
        page.AppendLine(Invariant($"| applied, each once | {books.Ledger.Applied.Count:N0} |"));
        page.AppendLine(Invariant($"| dead letters, each once | {books.Ledger.Dead.Count:N0} ({string.Join(", ", books.Ledger.Dead.CountBy(dead => dead.Code).OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => $"{count.Value} {count.Key}"))}) |"));
        page.AppendLine(Invariant($"| epochs | {books.Epochs} |"));
        page.AppendLine(Invariant($"| outcomes told in topics, superseded ones among them | {books.Told:N0} |"));
        page.AppendLine(Invariant($"| selections by versions that they were old | {string.Join(", ", books.Lags.Select(lag => Invariant($"{lag.Key}: {lag.Value:N0}")))} |"));
        page.AppendLine(Invariant($"| time | {took.TotalMinutes:F1} min |"));
        page.AppendLine();
        page.AppendLine("Recovery is counted from the fault, or from SIGCONT, until the learner's next update (learner, broker), the first block that the process which follows has computed (selector), or until it has brought on where it was (ingest). The mock cluster shares a group out anew 2 s after somebody comes, and notices after 3 s that somebody is gone: with the learner's drain that is what a selector's recovery is made of.");
        page.AppendLine();
        page.AppendLine("| role | fault | times | moment did not come in 20 s: by the clock | recovery, s: median | 95 % | longest |");
        page.AppendLine("|---|---|---|---|---|---|---|");
        foreach (var group in campaign.Faults.GroupBy(fault => (fault.Role, fault.Fault)).OrderBy(group => group.Key))
        {
            var known = group.Where(fault => fault.Recovery is not null).Select(fault => fault.Recovery!.Value.TotalSeconds).Order().ToList();
            page.AppendLine(Invariant($"| {Text(group.Key.Role)} | {Text(group.Key.Fault)} | {group.Count()} | {group.Count(fault => fault.IsLate)} | {At(known, 0.5)} | {At(known, 0.95)} | {At(known, 1)} |"));
        }
        page.AppendLine();
        page.AppendLine("| moment | of | kills | stops | restarts |");
        page.AppendLine("|---|---|---|---|---|");
        foreach (var group in campaign.Faults.Where(fault => !fault.IsLate).GroupBy(fault => (fault.Role, fault.Moment)).OrderBy(group => group.Key.Role).ThenBy(group => group.Key.Moment, StringComparer.Ordinal))
            page.AppendLine(Invariant($"| {group.Key.Moment} | {Text(group.Key.Role)} | {group.Count(fault => fault.Fault is Fault.Kill or Fault.KillTwice)} | {group.Count(fault => fault.Fault == Fault.Stop)} | {group.Count(fault => fault.Fault == Fault.Restart)} |"));
        return page.ToString();
    }

    private static string At(List<double> sorted, double share) => sorted.Count == 0 ? "" : Invariant($"{sorted[(int)Math.Ceiling(share * (sorted.Count - 1))]:F2}");

    private static string Text(Role role) => role.ToString().ToLowerInvariant();

    private static string Text(Fault fault) => fault switch { Fault.Kill => "kill −9", Fault.KillTwice => "kill −9, and again as the next takes its place", Fault.Stop => "SIGSTOP", _ => "SIGTERM" };
}
