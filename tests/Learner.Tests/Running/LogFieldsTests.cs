using System.Text;
using System.Text.Json;
using MassDpo.Learner.Metrics;
using MassDpo.Learner.Training;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>The logs are a contract: a field may be added with care, none may go or change its name.</summary>
public sealed class LogFieldsTests
{
    [Fact]
    public void Lines_have_just_the_fields_that_were_published()
    {
        using var folder = new TempFolder();
        using var made = new MadeRun(records: 9);
        using var process = new LearnerProcess(made, folder["out"], new FaultyFiles(), seed: 1)
            .WithIntake(new IntakeScript(pool => pool.Position.Index == 4, _ => false)).WithSelectors(1);
        process.RunToEnd();
        AssertFields("selections.jsonl", 8,
            "v", "id", "position", "slot", "version", "policy_hash", "reference_hash", "method", "k", "beta", "rho", "gamma", "features",
            "candidates", "candidates.hash", "candidates.logp", "candidates.logp_ref", "candidates.z", "candidates.p",
            "picks", "picks.index", "picks.gain", "picks.runner_up", "picks.runner_up_gain",
            "information", "bound", "effective_rank", "rank", "lag", "epoch", "selector", "timing", "timing.score_us", "timing.reference_us", "timing.select_us");
        AssertFields("updates.jsonl", 2, "v", "version", "slots", "slots.first", "slots.count", "positions", "events", "blocks", "loss", "learning_rate", "reference");
        AssertFields("metrics.jsonl", 2, "v", "version", "records", "loss", "grad_norm", "learning_rate", "rewards/chosen", "rewards/rejected", "rewards/margins",
            "rewards/accuracies", "logps/chosen", "logps/rejected", "hr@1", "mrr", "ndcg@5", "margin", "accuracy", "window", "records_per_s", "lag");
        AssertFields("dead-letters.jsonl", 1, "v", "position", "file", "line", "code", "reason", "raw", "raw_bytes", "hash");

        void AssertFields(string log, int count, params string[] fields)
        {
            var lines = File.ReadAllLines(folder["out", log]).Select(line => JsonDocument.Parse(line).RootElement).ToList();
            Assert.Equal(count, lines.Count);
            foreach (var line in lines)
            {
                Assert.Equal(1, line.GetProperty("v").GetInt32());
                Assert.Equal(fields, Names(line, "").Distinct());
            }
        }
    }

    [Fact]
    public void A_line_of_metrics_tells_what_the_update_and_the_window_before_training_were()
    {
        var update = new UpdateResult(0.5, 2.5, 1e-3, [], new RewardMetrics(0.1, -0.2, 0.3, 0.75, -4, -6));
        var entry = new MetricsEntry(7, 28, update, new RankingMetrics(4, 0.25, 0.5, 0.6, -1.5, 0.8), 12.34, 2);
        Assert.Equal("""{"v":1,"version":7,"records":28,"loss":0.5,"grad_norm":2.5,"learning_rate":0.001,"rewards/chosen":0.1,"rewards/rejected":-0.2,"rewards/margins":0.3"""
            + ""","rewards/accuracies":0.75,"logps/chosen":-4,"logps/rejected":-6,"hr@1":0.25,"mrr":0.5,"ndcg@5":0.6,"margin":-1.5,"accuracy":0.8,"window":4,"records_per_s":12.34,"lag":2}"""
            + "\n", Encoding.UTF8.GetString(entry.ToLine()));
        var empty = new MetricsEntry(8, 28, new UpdateResult(null, 0, 1e-3, [], null), null, 0, 0);
        Assert.Equal("""{"v":1,"version":8,"records":28,"loss":null,"grad_norm":0,"learning_rate":0.001,"rewards/chosen":null,"rewards/rejected":null,"rewards/margins":null"""
            + ""","rewards/accuracies":null,"logps/chosen":null,"logps/rejected":null,"hr@1":null,"mrr":null,"ndcg@5":null,"margin":null,"accuracy":null,"window":0,"records_per_s":0,"lag":0}"""
            + "\n", Encoding.UTF8.GetString(empty.ToLine()));
    }

    [Fact]
    public void The_window_holds_the_last_measured_records_alone()
    {
        var window = new MetricsWindow(3);
        Assert.Null(window.Means);
        for (var i = 1; i <= 5; i++)
            window.Add(new RecordMeasures(Rank: i, Margin: i, Accuracy: i / 10.0));
        Assert.Equal((3, 4.0, 0.4), (window.Means!.Records, window.Means.Margin, Math.Round(window.Means.Accuracy, 12)));
        Assert.Equal(0, window.Means.HitRate1);
    }

    [Fact]
    public void Metrics_of_a_run_count_its_records_and_average_what_selectors_measured_before_training()
    {
        using var folder = new TempFolder();
        using var made = new MadeRun(records: 10);
        made.Options = made.Options with { MetricsWindow = 6 };
        using var process = new LearnerProcess(made, folder["out"], new FaultyFiles(), seed: 1).WithIntake().WithSelectors(1);
        process.RunToEnd();
        var logs = new RunLogs(folder["out"]);
        Assert.Equal([4L, 8, 10], logs.Metrics.Select(line => line.GetProperty("records").GetInt64()));
        Assert.Equal([4, 6, 6], logs.Metrics.Select(line => line.GetProperty("window").GetInt32()));
        // The first four, by the policy that the run began with.
        var ranks = made.Records.Take(4).Select(pool =>
        {
            var logps = made.Scorer.ScoreAlone(made.Start, pool.Tokens);
            return 1 + logps.Skip(1).Count(logp => logp >= logps[0]);
        }).ToList();
        Assert.Equal(ranks.Average(rank => 1.0 / rank), logs.Metrics[0].GetProperty("mrr").GetDouble(), 1e-12);
        Assert.Equal(ranks.Average(rank => rank == 1 ? 1.0 : 0), logs.Metrics[0].GetProperty("hr@1").GetDouble(), 1e-12);
        Assert.Equal(logs.Updates.Select(update => update.Loss), logs.Metrics.Select(line => (double?)line.GetProperty("loss").GetDouble()));
    }

    private static IEnumerable<string> Names(JsonElement json, string prefix)
    {
        foreach (var property in json.EnumerateObject())
        {
            yield return prefix + property.Name;
            var nested = property.Value.ValueKind switch
            {
                JsonValueKind.Object => [property.Value],
                JsonValueKind.Array => property.Value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object),
                _ => Enumerable.Empty<JsonElement>(),
            };
            foreach (var name in nested.SelectMany(item => Names(item, $"{prefix}{property.Name}.")).Distinct())
                yield return name;
        }
    }
}
