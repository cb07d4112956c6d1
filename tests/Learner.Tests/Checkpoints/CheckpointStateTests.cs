using System.Text;
using MassDpo.Learner.Checkpoints;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Learner.Tests.Checkpoints;

public sealed class CheckpointStateTests
{
    [Fact]
    public void It_reads_back_what_it_writes()
    {
        foreach (var version in new long[] { 0, 1, 7, 999_999_999_999 })
        {
            var state = MadeCheckpoint.State(Math.Min(version, 7)) with { Version = version, OptimizerSteps = version };
            MadeCheckpoint.AssertSame(state, Read(state.ToJson().ToJsonString()));
        }
    }

    [Fact]
    public void The_names_of_its_fields_are_those_that_were_published()
    {
        var json = MadeCheckpoint.State(2).ToJson();
        Assert.Equal(["v", "version", "epoch", "optimizer_steps", "policy_hash", "settled", "logs", "counts", "lags", "identity"], json.Select(field => field.Key));
        Assert.Equal(["applied", "dead", "duplicates", "unknown", "seconds", "truncated", "cut_tokens"], json["counts"]!.AsObject().Select(field => field.Key));
        Assert.Equal(["length", "hash"], json["logs"]!["updates.jsonl"]!.AsObject().Select(field => field.Key));
        Assert.Equal(1, json["v"]!.GetValue<int>());
    }

    [Fact]
    public void A_state_of_a_build_that_did_not_truncate_has_truncated_nothing()
    {
        var json = MadeCheckpoint.State(6).ToJson();
        Assert.Equal((2, 42), (Read(json.ToJsonString()).Counts.Truncated, Read(json.ToJsonString()).Counts.CutTokens));
        Assert.True(json["counts"]!.AsObject().Remove("truncated") && json["counts"]!.AsObject().Remove("cut_tokens"));
        Assert.Equal((0, 0), (Read(json.ToJsonString()).Counts.Truncated, Read(json.ToJsonString()).Counts.CutTokens));
    }

    [Theory]
    [InlineData("\"cut_tokens\":14", "\"cut_tokens\":-1", "malformed")]
    [InlineData("\"v\":1", "\"v\":2", "form 2")]
    [InlineData("\"version\":2", "\"version\":-2", "malformed")]
    [InlineData("\"version\":2", "\"version\":2.5", "malformed")]
    [InlineData("\"version\":2", "\"version\":\"2\"", "malformed")]
    [InlineData("\"epoch\":1", "\"epoch\":-1", "malformed")]
    [InlineData("\"epoch\":1", "\"epok\":1", "malformed")]
    [InlineData("\"optimizer_steps\":3", "\"optimizer_steps\":9223372036854775808", "malformed")]
    [InlineData("\"seconds\":2.1", "\"seconds\":1e999", "malformed")]
    [InlineData("\"applied\":4", "\"applied\":-4", "malformed")]
    [InlineData("\"length\":34", "\"length\":-34", "malformed")]
    [InlineData("\"2\":1", "\"02\":1,\"2\":1", "malformed")]
    [InlineData("\"2\":1", "\"x\":1", "malformed")]
    [InlineData("\"lags\":{", "\"lags\":{\"0\":1,", "malformed")]
    [InlineData("\"policy_hash\":\"hash-2\"", "\"policy_hash\":\"hash-2\",\"policy_hash\":\"hash-3\"", "malformed")]
    [InlineData("\"learner.beta\":\"0.1\"", "\"learner.beta\":null", "malformed")]
    [InlineData("\"learner.beta\":\"0.1\"", "\"learner.beta\":0.1", "malformed")]
    [InlineData("\"policy_hash\":\"hash-2\"", "\"policy_hash\":null", "malformed")]
    public void Whatever_is_not_a_state_is_refused(string whole, string broken, string says)
    {
        var text = MadeCheckpoint.State(2).ToJson().ToJsonString();
        Assert.Contains(whole, text);
        Assert.Contains(says, Assert.Throws<InvalidDataException>(() => Read(text.Replace(whole, broken))).Message);
    }

    [Fact]
    public void Ten_thousand_mutated_states_are_refused_as_malformed_or_are_whole()
    {
        var whole = Encoding.UTF8.GetBytes(MadeCheckpoint.State(4).ToJson().ToJsonString());
        var random = new StableRandom(1, 0x57A7E);
        var accepted = 0;
        for (var round = 0; round < 10_000; round++)
        {
            var mutated = Mutations.Of(whole, ref random);
            CheckpointState state;
            try
            {
                state = CheckpointState.FromJson(mutated);
            }
            catch (InvalidDataException)
            {
                continue;
            }
            accepted++;
            MadeCheckpoint.AssertSame(state, Read(state.ToJson().ToJsonString()));
            Assert.All([state.Version, state.Epoch, state.OptimizerSteps, state.Counts.Applied, state.Counts.Dead, .. state.Logs.Values.Select(log => log.Length), .. state.Lags.Keys],
                number => Assert.True(number >= 0));
            Assert.True(double.IsFinite(state.Counts.Seconds));
        }
        Assert.InRange(accepted, 100, 9000);
    }

    [Fact]
    public void Differences_between_runs_are_told_with_key_then_and_now()
    {
        var before = new RunIdentity(new Dictionary<string, string> { ["b"] = "1", ["same"] = "x", ["gone"] = "2" });
        var now = new RunIdentity(new Dictionary<string, string> { ["same"] = "x", ["b"] = "3", ["a new"] = "4" });
        Assert.Equal(["a new was not set and is 4", "b was 1 and is 3", "gone was 2 and is not set"], before.DifferencesTo(now));
        Assert.Empty(before.DifferencesTo(new RunIdentity(new Dictionary<string, string>(before.Values.Reverse()))));
    }

    [Fact]
    public void A_setting_that_a_run_did_not_have_yet_counts_as_its_default()
    {
        var before = new RunIdentity(new Dictionary<string, string>());
        Assert.Empty(before.DifferencesTo(new RunIdentity(new Dictionary<string, string> { ["lora.rank"] = "0" })));
        Assert.Equal(["lora.rank was 0 and is 8"], before.DifferencesTo(new RunIdentity(new Dictionary<string, string> { ["lora.rank"] = "8" })));
    }

    [Fact]
    public void What_was_read_is_what_was_applied_and_what_died() => Assert.Equal(9, new RunCounts(7, 2, 100, 100, 1).Read);

    private static CheckpointState Read(string json) => CheckpointState.FromJson(Encoding.UTF8.GetBytes(json));
}
