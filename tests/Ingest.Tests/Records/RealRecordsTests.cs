using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.Ingest.Tests.Records;

/// <summary>Files as they are published: every line is a record or is refused with the code that fits.</summary>
public sealed class RealRecordsTests
{
    [SharedDataTheory("data/rec", "data/qa", "data/pref", "data/agent", "data/traj")]
    [InlineData("rec/lastfm/train.jsonl.gz", 10_000, null)]
    [InlineData("rec/lastfm/val.jsonl.gz", 2_767, null)]
    [InlineData("rec/lastfm/test.jsonl.gz", 2_495, null)]
    [InlineData("qa/arc-challenge-train.jsonl.gz", 1_119, null)]
    [InlineData("qa/arc-challenge-test.jsonl.gz", 1_172, null)]
    [InlineData("qa/medmcqa-dev.jsonl.gz", 4_183, null)]
    [InlineData("qa/qasc-train.jsonl.gz", 8_134, null)]
    [InlineData("qa/qasc-dev.jsonl.gz", 926, null)]
    [InlineData("pref/alpacaeval-24way.jsonl.gz", 805, null)]
    [InlineData("pref/hh-rlhf-harmless-base-test.jsonl.gz", 2_312, null)]
    [InlineData("pref/llamafactory-dpo-en-demo.jsonl.gz", 300, null)]
    [InlineData("agent/sw-steps-train.jsonl.gz", 495, null)]
    [InlineData("agent/sw-steps-test.jsonl.gz", 175, null)]
    [InlineData("agent/sw-trajectories-train.jsonl.gz", 39, "messages: only")]
    [InlineData("agent/sw-trajectories-test.jsonl.gz", 10, "messages: only")]
    [InlineData("agent/tw-steps-train.jsonl.gz", 195, null)]
    [InlineData("agent/tw-steps-test.jsonl.gz", 50, null)]
    [InlineData("agent/tw-trajectories-train.jsonl.gz", 25, "messages: only")]
    [InlineData("agent/tw-trajectories-test.jsonl.gz", 6, "messages: only")]
    [InlineData("traj/hotpotqa.jsonl.gz", 31, "messages: only")]
    public async Task Every_line_is_a_record_or_a_trajectory_that_is_refused_by_name(string file, int lines, string? reason)
    {
        var (records, refusals) = await ReadAsync(file);
        Assert.Equal(lines, records.Count + refusals.Count);
        Assert.Equal(reason is null ? lines : 0, records.Count);
        Assert.All(refusals, refusal => Assert.Equal(DeadLetterCodes.Unsupported, refusal.Code));
        Assert.All(refusals, refusal => Assert.Contains(reason!, refusal.Message));
    }

    [SharedDataFact("data/rec/lastfm")]
    public async Task Histories_of_listeners_have_all_their_candidates()
    {
        var (records, _) = await ReadAsync("rec/lastfm/test.jsonl.gz");
        Assert.Equal(records.Count, records.Count(record => record.Prompt.Form == PromptForm.History && record.Candidates.Count == 20));
        Assert.Equal(["Kylie Minogue", "Avril Lavigne", "Ke$ha"], records[0].Prompt.Items);
        Assert.Equal(("sdpo-lastfm-test-00000", "Glee Cast", "The Almost"), (records[0].Id, records[0].Candidates[0], records[0].Candidates[18]));
    }

    [SharedDataFact("data/pref")]
    public async Task Ranked_answers_keep_their_order_and_their_scores()
    {
        var (records, _) = await ReadAsync("pref/alpacaeval-24way.jsonl.gz");
        foreach (var record in records)
        {
            Assert.True(record.Ranked);
            Assert.Equal(record.Candidates.Count, record.Rewards!.Count);
            Assert.Equal(record.Rewards.OrderDescending(), record.Rewards);
        }
        Assert.Equal(781, records.Count(record => record.Candidates.Count == 24));
    }

    [SharedDataFact("data/pref")]
    public async Task Dialogues_are_cut_after_a_turn_that_both_share()
    {
        var (records, _) = await ReadAsync("pref/hh-rlhf-harmless-base-test.jsonl.gz");
        foreach (var record in records)
        {
            Assert.StartsWith("\n\nHuman:", record.Prompt.Text);
            Assert.EndsWith("\n\nAssistant:", record.Prompt.Text);
            Assert.Equal(2, record.Candidates.Count);
            // These dialogues part within their last turn.
            Assert.DoesNotContain(record.Candidates, text => text.Contains("\n\nHuman:", StringComparison.Ordinal));
        }
    }

    private static async Task<(List<PreferenceRecord> Records, List<RecordFormatException> Refusals)> ReadAsync(string file)
    {
        await using var source = new FileSource([SharedData.PathOf("data/" + file)], new FileSourceOptions(ShuffleOrder.None, 0, 1, 0, 16 << 20));
        var records = new List<PreferenceRecord>();
        var refusals = new List<RecordFormatException>();
        await foreach (var entry in source.ReadAsync(new SettledPositions(), default))
        {
            if (entry is not SourceEntry.Bytes line)
                continue;
            try
            {
                records.Add(RecordParser.Parse(line.Json.Span));
            }
            catch (RecordFormatException e)
            {
                refusals.Add(e);
            }
        }
        return (records, refusals);
    }
}
