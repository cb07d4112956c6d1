using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.App.Tests.Running;
using MassDpo.Audit.Logs;
using MassDpo.Policy;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

/// <summary>Runs with each kind of features on made texts of several words, end to end, and losses of pairs.</summary>
public sealed class FeaturesTests : IDisposable
{
    private const int Records = 24;

    private readonly TempFolder _folder = new();
    private readonly string _policy;
    private readonly string _data;

    public FeaturesTests()
    {
        (_policy, _data) = (_folder["policy"], _folder["data.jsonl"]);
        var config = MadePolicy.Config(vocabulary: 30, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 32);
        using (var weights = MadePolicy.Weights(config))
            PolicyDirectory.Save(_policy, config, WordLevelTokenizer.Create(MadePolicy.Items(config), splitsAtWhitespace: true), weights);
        var random = new StableRandom(3, 0xFEA7);
        File.WriteAllLines(_data, Enumerable.Range(0, Records).Select(_ => JsonSerializer.Serialize(new
        {
            prompt = Words(ref random, 4) + " ",
            chosen = Words(ref random, 5),
            rejected = Enumerable.Range(0, 6).Select(_ => Words(ref random, 5)).ToArray(),
        })));

        static string Words(ref StableRandom random, int most)
        {
            var words = new string[1 + random.Below(most)];
            foreach (ref var word in words.AsSpan())
                word = "i" + random.Below(27);
            return string.Join(' ', words);
        }
    }

    [Theory]
    [InlineData("mass", "output", "off", "output")]
    [InlineData("mass", "head", "off", "head")]
    [InlineData("exact", "head", "on", "head, unit length")]
    [InlineData("mass", "output", "on", "output, unit length")]
    [InlineData("mass", "hidden", "off", "hidden")]
    [InlineData("mass", "head", "off", "head, sketch 64", "selection.sketch=64")]
    [InlineData("mass", "lora", "off", "lora", "lora.rank=2")]
    [InlineData("exact", "lora", "on", "lora, sketch 50, unit length", "lora.rank=2", "selection.sketch=50")]
    public async Task A_run_tells_its_features_in_every_event_and_is_replayed_bit_for_bit(string selector, string features, string normalize,
        string told, params string[] more)
    {
        var (output, called) = await Run(["--selector", selector, "--features", features, "--set", $"selection.normalize={normalize}", "--passes", "2",
            "--selectors", "2", .. more.SelectMany(each => new[] { "--set", each })]);
        var events = RunLog.Events(Path.Combine(output, "selections.jsonl")).Select(read => read.Event).ToList();
        Assert.Equal(2 * Records, events.Count);
        Assert.All(events, e =>
        {
            Assert.Equal(told, e.Features);
            Assert.Equal(2, e.Picks.Count);
            Assert.True(e.Information > 0 && double.IsFinite(e.Information.Value) && e.EffectiveRank >= 1);
        });
        Assert.Equal(features == "hidden", called.Error.Contains("nothing to do with the gradient"));
        var again = _folder["again"];
        Assert.Contains("bit for bit the one in", (await Called.Well("replay", output, "--output", again)).Out);
        var weights = Path.GetFileName(Assert.Single(Directory.GetFiles(again, "*.safetensors")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(output, "policy", weights)), File.ReadAllBytes(Path.Combine(again, weights)));
    }

    [Fact]
    public async Task A_sketch_is_part_of_what_a_resume_must_agree_with()
    {
        var (output, _) = await Run("--features", "head");
        await Called.Refused(1, Words(output, "--features", "head", "--passes", "2", "--set", "selection.sketch=64"), "selection.sketch was 0 and is 64");
    }

    [Fact]
    public async Task A_sketch_of_vectors_ends_with_2_and_the_remedy() =>
        await Called.Refused(2, Words(_folder["none"], "--set", "selection.sketch=64"), "selection.sketch", "64 with selection.features = output", "leave it at 0");

    [Fact]
    public async Task Gradients_of_an_adapter_are_refused_by_name_where_there_is_none_and_a_comparison_runs_no_arm_before()
    {
        var (run, compared) = (_folder["none"], _folder["compared"]);
        await Called.Refused(1, Words(run, "--features", "lora"), "selection.features = lora", "lora.rank");
        Assert.False(Directory.Exists(run));
        string[] comparison = ["compare", "--data", _data, "--policy", _policy, "--output", compared, "--eval", _data, "--selectors", "random,mass:lora",
            "--negatives", "2", "--seeds", "1"];
        var refused = await Called.With(comparison);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("selection.features = lora", refused.Error);
        Assert.False(Directory.Exists(Path.Combine(compared, "runs", "random-2-seed1")));
        Assert.Contains("mass:lora-2", (await Called.Well([.. comparison, "--set", "lora.rank=2"])).Out);
    }

    [Fact]
    public async Task Features_choose_differently()
    {
        var picks = new List<string>();
        foreach (var features in new[] { "output", "head", "hidden" })
        {
            var (output, _) = await Run("--features", features);
            picks.Add(string.Join(';', RunLog.Events(Path.Combine(output, "selections.jsonl"))
                .Select(read => string.Join(',', read.Event.Picks.Select(pick => pick.Index)))));
        }
        Assert.Distinct(picks);
    }

    [Fact]
    public async Task Hidden_features_are_warned_of_once_on_standard_error_and_in_the_report()
    {
        var (output, called) = await Run("--features", "hidden", "--passes", "2");
        Assert.Single(called.Error.Split('\n'), line => line.StartsWith("warning: selection.features = hidden", StringComparison.Ordinal));
        var notes = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!["notes"]!.AsArray();
        Assert.Contains("nothing to do with the gradient", (string?)Assert.Single(notes));
    }

    [Fact]
    public async Task Hidden_features_refuse_responses_of_one_token_record_by_record()
    {
        var stream = new SimulatedStream();
        using var _ = stream;
        var output = _folder["items"];
        var called = await Called.With("run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--features", "hidden");
        Assert.Equal(1, called.ExitCode);
        Assert.Contains("nothing was trained", called.Error);
        var letters = DeadLetters.Read(output).Where(letter => letter.Code == DeadLetterCodes.Selector).ToList();
        Assert.Equal(SimulatedStream.Lines - SimulatedStream.Bad, letters.Count);
        Assert.All(letters, letter => Assert.Contains("set selection.features = output", (string?)letter.Line["reason"]));
    }

    [Theory]
    [InlineData("hinge")]
    [InlineData("ipo")]
    public async Task A_loss_of_pairs_is_trained_replayed_and_part_of_what_a_resume_must_agree_with(string loss)
    {
        var (output, _) = await Run("--negatives", "1", "--set", $"learner.loss={loss}");
        var (plain, _) = await Run("--negatives", "1");
        Assert.NotEqual(Policy(plain), Policy(output));
        Assert.Contains("bit for bit the one in", (await Called.Well("replay", output, "--output", _folder["again"])).Out);
        await Called.Refused(1, ["replay", output, "--output", _folder["other"], "--set", "learner.loss=pl"], $"learner.loss was {loss} and is pl");
        await Called.Refused(1, Words(output, "--negatives", "1", "--set", "learner.loss=pl"), $"learner.loss was {loss} and is pl");

        byte[] Policy(string of) => File.ReadAllBytes(Path.Combine(of, "policy", "model.safetensors"));
    }

    [Fact]
    public async Task A_loss_of_pairs_with_several_negatives_ends_with_2_and_the_remedy() =>
        await Called.Refused(2, Words(_folder["none"], "--set", "learner.loss=hinge"),
            "learner.loss", "hinge with 2 negatives", "set selection.negatives = 1");

    [Fact]
    public async Task A_comparison_refuses_a_loss_of_pairs_with_an_arm_of_several_negatives()
    {
        var output = _folder["compared"];
        await Called.Refused(2, ["compare", "--data", _data, "--policy", _policy, "--output", output, "--eval", _data, "--selectors", "mass,random",
            "--negatives", "1,2", "--set", "selection.negatives=1", "--set", "learner.loss=hinge"], "learner.loss", "hinge with 2 negatives");
        Assert.False(Directory.Exists(output));
    }

    [Theory]
    [InlineData("learner.loss", "learner.loss=ipo", "selection.negatives=1")]
    [InlineData("selection.features", "selection.features=hidden", "selection.negatives=1")]
    public async Task The_demo_refuses_what_its_songs_and_whole_pools_cannot_have(string key, params string[] assignments)
    {
        var output = _folder["demo"];
        await Called.Refused(2, ["demo", "--output", output, .. assignments.SelectMany(each => new[] { "--set", each })], key);
        Assert.False(Directory.Exists(output));
    }

    public void Dispose() => _folder.Dispose();

    private async Task<(string Output, Called Called)> Run(params string[] more)
    {
        var output = _folder[$"output-{Directory.GetDirectories(_folder.Path).Length}"];
        return (output, await Called.Well(Words(output, more)));
    }

    private string[] Words(string output, params string[] more) => ["run", "--data", _data, "--policy", _policy, "--output", output,
        "--set", "selection.negatives=2", "--batch", "8", "--learning-rate", "1e-2", "--beta", "0.5", .. more];
}
