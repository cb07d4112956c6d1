using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Tests.Running;
using MassDpo.Policy;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;

namespace MassDpo.App.Tests.Verbs;

/// <summary><c>eval</c> and its fields, held against the candidates' log-probabilities.</summary>
public sealed class EvalVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private static readonly string[] Ranking = ["records", "hr@1", "mrr", "ndcg@5", "margin", "accuracy"];
    private static readonly string[] Preference = ["reward_accuracy", "reward_hr@1", "pl_loss"];

    [Fact]
    public async Task Fields_of_items_without_and_with_a_reference()
    {
        var reference = OtherPolicy();
        Assert.Equal([.. Ranking, "skipped"], Names(await Eval(stream.PolicyDirectory, stream.Data)));
        Assert.Equal([.. Ranking, .. Preference, "skipped"], Names(await Eval(stream.PolicyDirectory, stream.Data, "--reference", reference)));
        var one = Write(new { prompt = new { history = new[] { "i1" } }, chosen = "i2", rejected = new[] { "i3" } });
        Assert.Equal(Ranking, Names(await Eval(stream.PolicyDirectory, one)));
    }

    [Fact]
    public async Task Texts_are_measured_by_token_too()
    {
        var (policy, data) = TextPolicy();
        var json = await Eval(policy, data);
        Assert.Equal([.. Ranking, "per_token"], Names(json));
        Assert.Equal(Ranking, Names(json["per_token"]!));
        var scores = await Score(policy, data);
        AssertRanking(json, scores.Select(score => score.Logps));
        AssertRanking(json["per_token"]!, scores.Select(score => score.Logps.Select((logp, i) => logp / score.Tokens[i]).ToArray()));
        Assert.NotEqual((double)json["margin"]!, (double)json["per_token"]!["margin"]!);
    }

    [Fact]
    public async Task Numbers_are_those_of_the_log_probabilities()
    {
        var reference = OtherPolicy();
        var json = await Eval(stream.PolicyDirectory, stream.Data, "--reference", reference, "--beta", "0.7");
        var (scores, under) = (await Score(stream.PolicyDirectory, stream.Data), await Score(reference, stream.Data));
        AssertRanking(json, scores.Select(score => score.Logps));
        var z = scores.Zip(under, (policy, before) => Enumerable.Range(1, policy.Logps.Length - 1)
            .Select(j => 0.7 * (policy.Logps[j] - before.Logps[j] - (policy.Logps[0] - before.Logps[0]))).ToArray()).ToList();
        Assert.Equal(z.Average(record => record.Count(value => value < 0) / (double)record.Length), (double)json["reward_accuracy"]!, 1e-9);
        Assert.Equal(z.Average(record => record.All(value => value < 0) ? 1.0 : 0), (double)json["reward_hr@1"]!, 1e-9);
        Assert.Equal(z.Average(record => Math.Log(1 + record.Sum(Math.Exp))), (double)json["pl_loss"]!, 1e-5);
        // The pool that has only the chosen one, twice, is measured too: duplicates are kept.
        Assert.Equal((SimulatedStream.Lines - SimulatedStream.Bad + 1, SimulatedStream.Bad - 1), ((int)json["records"]!, (int)json["skipped"]!));
    }

    [Fact]
    public async Task Against_itself_a_policy_prefers_nothing()
    {
        var json = await Eval(stream.PolicyDirectory, stream.Data, "--reference", stream.PolicyDirectory);
        Assert.Equal((0.0, 0.0), ((double)json["reward_accuracy"]!, (double)json["reward_hr@1"]!));
        var pools = await Score(stream.PolicyDirectory, stream.Data);
        Assert.Equal(pools.Average(score => Math.Log(score.Logps.Length)), (double)json["pl_loss"]!, 1e-9);
    }

    [Fact]
    public async Task Ties_count_against_the_policy_and_duplicates_are_kept()
    {
        var json = await Eval(stream.PolicyDirectory, Write(new { prompt = new { history = new[] { "i1" } }, chosen = "i2", rejected = new[] { "i2", "i2" } }));
        Assert.Equal((0.0, 1 / 3.0, 0.5, 0.0, 0.0),
            ((double)json["hr@1"]!, (double)json["mrr"]!, (double)json["ndcg@5"]!, (double)json["margin"]!, (double)json["accuracy"]!));
    }

    [Fact]
    public async Task Several_files_are_measured_as_one()
    {
        var (once, twice) = (await Eval(stream.PolicyDirectory, stream.Data), (await Called.Well("eval", "--policy", stream.PolicyDirectory, "--data", stream.Data, stream.Data, "--json")).Json);
        Assert.Equal(2 * (int)once["records"]!, (int)twice["records"]!);
        Assert.Equal((double)once["mrr"]!, (double)twice["mrr"]!, 1e-12);
    }

    [Fact]
    public async Task The_table_says_the_same()
    {
        var json = await Eval(stream.PolicyDirectory, stream.Data, "--reference", OtherPolicy());
        var table = (await Called.Well("eval", "--policy", stream.PolicyDirectory, "--data", stream.Data, "--reference", OtherPolicy())).Out;
        Assert.Contains($"on {json["records"]} records", table);
        Assert.Contains($"{100 * (double)json["hr@1"]!:F1} %", table);
        Assert.Contains($"{(double)json["pl_loss"]!:F3}", table);
        Assert.Contains("4 records could not be measured.", table);
    }

    [Fact]
    public async Task Data_that_cannot_be_measured_is_refused_with_the_reason()
    {
        var bad = Write(new { prompt = new { history = Array.Empty<string>() }, chosen = "nowhere", rejected = new[] { "i1" } });
        await Called.Refused(1, ["eval", "--policy", stream.PolicyDirectory, "--data", bad], "no record can be measured", $"{bad}, line 1", "'nowhere'");
        var empty = stream.NewOutput();
        File.WriteAllText(empty, "");
        await Called.Refused(1, ["eval", "--policy", stream.PolicyDirectory, "--data", empty], "no records");
    }

    [Fact]
    public async Task A_reference_of_another_vocabulary_is_refused()
    {
        var small = stream.NewOutput();
        MadePolicy.Write(small, MadePolicy.Config(vocabulary: 20, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 16));
        await Called.Refused(1, ["eval", "--policy", stream.PolicyDirectory, "--data", stream.Data, "--reference", small], small, stream.PolicyDirectory, "vocabularies differ");
    }

    private static void AssertRanking(JsonNode json, IEnumerable<double[]> logps)
    {
        var records = logps.Select(l => (Rank: 1 + l.Skip(1).Count(other => other >= l[0]), Margin: l[0] - l.Skip(1).Max(), Accuracy: l.Skip(1).Average(other => other < l[0] ? 1.0 : 0))).ToList();
        Assert.Equal(records.Count, (int)json["records"]!);
        Assert.Equal(records.Average(record => record.Rank == 1 ? 1.0 : 0), (double)json["hr@1"]!, 1e-9);
        Assert.Equal(records.Average(record => 1.0 / record.Rank), (double)json["mrr"]!, 1e-9);
        Assert.Equal(records.Average(record => record.Rank <= 5 ? 1 / Math.Log2(record.Rank + 1) : 0), (double)json["ndcg@5"]!, 1e-9);
        Assert.Equal(records.Average(record => record.Margin), (double)json["margin"]!, 1e-5);
        Assert.Equal(records.Average(record => record.Accuracy), (double)json["accuracy"]!, 1e-9);
        // What would hide a mistake: all records alike.
        Assert.NotEqual(records.Min(record => record.Rank), records.Max(record => record.Rank));
    }

    private static async Task<JsonObject> Eval(string policy, string data, params string[] words) => (await Called.Well(["eval", "--policy", policy, "--data", data, "--json", .. words])).Json;

    private static async Task<List<(double[] Logps, int[] Tokens)>> Score(string directory, string data)
    {
        var options = new EvaluationOptions(Beta: 1, Batch: 7, MaxRecordBytes: 1 << 20);
        using var policy = LoadedPolicy.Load(directory);
        var records = await EvaluationData.LoadAsync([data], policy.Encoder, options, CancellationToken.None);
        return
        [
            .. Evaluator.Score(policy.Scorer, policy.Weights, records.Pools, options.Batch)
                .Zip(records.Pools, (logps, pool) => (Array.ConvertAll(logps, logp => (double)logp), pool.Tokens.Responses.Select(response => response.Length).ToArray())),
        ];
    }

    private static IEnumerable<string> Names(JsonNode json) => json.AsObject().Select(field => field.Key);

    private string OtherPolicy()
    {
        var directory = stream.NewOutput();
        MadePolicy.Write(directory, stream.Policy.Config, seed: 9);
        return directory;
    }

    private (string Policy, string Data) TextPolicy()
    {
        string[] words = ["what", "falls", "from", "clouds", "rain", "pearls", "shells", "and", "more"];
        var config = MadePolicy.Config(vocabulary: words.Length + 3);
        var directory = stream.NewOutput();
        using (var weights = MadePolicy.Weights(config))
            PolicyDirectory.Save(directory, config, WordLevelTokenizer.Create(words, splitsAtWhitespace: true), weights);
        return (directory, Write(
            new { prompt = "what falls from clouds", chosen = " rain", rejected = new[] { " pearls and more", " shells" } },
            new { prompt = "what falls", chosen = " rain and more rain", rejected = new[] { " pearls", " shells and rain and", " clouds" } },
            new { prompt = "what", chosen = " more", rejected = new[] { " falls", " from clouds and shells", " rain", " pearls" } },
            new { prompt = "from clouds", chosen = " shells falls", rejected = new[] { " what rain pearls", " and" } }));
    }

    private string Write(params object[] records)
    {
        var file = stream.NewOutput() + ".jsonl";
        File.WriteAllLines(file, records.Select(record => JsonSerializer.Serialize(record)));
        return file;
    }
}
