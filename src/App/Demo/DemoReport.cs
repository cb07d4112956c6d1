using System.Globalization;
using MassDpo.App.Terminal;
using Spectre.Console;

namespace MassDpo.App.Demo;

/// <summary>What the demo prints at its end, for someone who sees all this for the first time.</summary>
internal static class DemoReport
{
    public static void Print(DemoResult result)
    {
        var (mass, random, all) = (Of("mass"), Of("random"), Of("all"));
        Output.Line("");
        Output.Line("MassDpo demo: a simulated stream of listeners. The program made it itself; it holds no real people and proves nothing about real data.");
        Output.Line("");
        Output.Line(string.Create(CultureInfo.InvariantCulture,
            $"Each record is what a listener heard, the song taken next, and 19 that were on offer besides. {100 * result.Stream.Noise:F0} % of the labels are wrong, and songs come in"));
        Output.Line("versions that are all but the same. A policy that knew nothing (a cold start) went through the stream in three ways, which differ only in the");
        Output.Line(string.Create(CultureInfo.InvariantCulture,
            $"negatives it was trained on: {result.Stream.Records:N0} records, {result.Passes} passes, then measured on {result.Stream.HeldOut:N0} held-out records with right labels."));
        var table = new Table().Border(TableBorder.Simple).AddColumn("");
        foreach (var column in new[] { "HR@1", "NDCG@5", "accuracy", "negatives", "different songs", "records/s" })
            table.AddColumn(new TableColumn(column).RightAligned());
        table.AddRow("before training", Percent(result.Before.Ranking.HitRate1), Percent(result.Before.Ranking.Ndcg5), Percent(result.Before.Ranking.Accuracy), "", "", "");
        Row($"mass: the {result.Negatives} most informative", mass);
        Row($"random: any {result.Negatives}", random);
        Row("full pool: all", all);
        Output.Out.Write(table);
        Output.Line("HR@1: how often the policy ranks the listener's choice first of 20 (chance: 5 %). NDCG@5: the same with partial credit down to rank 5. Accuracy: the");
        Output.Line("share of the other songs that it ranks below. Negatives: trained on per record; different songs: among these, versions of one song counted once.");
        Output.Line("");
        Output.Line(Finding(result.Negatives, mass, random, all));
        Output.Line("Expect this from a policy with much left to learn. From a converged one random negatives do as well: measure on your own stream.");
        Output.Line("");
        Output.Line($"Everything is in {result.Directory}:");
        Output.Line("  stream.jsonl, held-out.jsonl   the records: one JSON object a line, the form that your own data has");
        Output.Line("  mass/policy                    the trained policy, in Hugging Face layout");
        Output.Line("  mass/selections.jsonl          for every record, which negatives were kept, out of what, and why");
        Output.Line("  mass/report.json               all numbers and settings of the run; random/ and all/ have the same files");
        Output.Line("");
        Output.Line("What to do next:");
        Output.Line($"  ./massdpo replay {mass.Directory} --output {Path.Combine(result.Directory, "again")}      the same weights again, from the logs alone");
        Output.Line("  ./massdpo validate YOUR.jsonl                              check your own records");
        Output.Line("  ./massdpo sft --data YOUR.jsonl --policy start             a small policy of your own");
        Output.Line("  ./massdpo run --data YOUR.jsonl --policy start --output out --config hocon/lastfm.conf");
        Output.Line("");
        Output.Line(string.Create(CultureInfo.InvariantCulture, $"The demo took {result.Seconds:F0} s."));

        DemoRun Of(string method) => result.Runs.First(run => run.Method == method);

        void Row(string name, DemoRun run)
        {
            var after = run.Run.After!.Ranking;
            table.AddRow(name, Percent(after.HitRate1), Percent(after.Ndcg5), Percent(after.Accuracy), run.Negatives.ToString("F1", CultureInfo.InvariantCulture),
                run.Songs.ToString("F1", CultureInfo.InvariantCulture), run.Run.Report["records_per_s"]!.GetValue<double>().ToString("N0", CultureInfo.InvariantCulture));
        }
    }

    // Says what came out, whichever way it did.
    private static string Finding(int negatives, DemoRun mass, DemoRun random, DemoRun all)
    {
        var (m, r, a) = (mass.Run.After!.Ranking.HitRate1, random.Run.After!.Ranking.HitRate1, all.Run.After!.Ranking.HitRate1);
        // Two standard errors of a difference between two shares on the same number of records, taken as independent.
        var noise = 2 * Math.Sqrt((m * (1 - m) + r * (1 - r)) / mass.Run.After.Ranking.Records);
        var against = m - r > noise ? "clearly more than" : r - m > noise ? "clearly less than" : "within chance of what";
        return string.Create(CultureInfo.InvariantCulture,
            $"Here {negatives} chosen negatives taught the policy {against} {negatives} random ones{(against == "within chance of what" ? " did" : "")} ({Percent(m)} against {Percent(r)} HR@1); all 19 together reached {Percent(a)}. One seed, one stream.");
    }

    private static string Percent(double share) => RunSummary.Percent(share);
}
