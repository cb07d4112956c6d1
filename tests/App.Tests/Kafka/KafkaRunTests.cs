using MassDpo.App.Tests.Running;

namespace MassDpo.App.Tests.Kafka;

/// <summary>The roles of a run in processes of their own, joined over topics.</summary>
public sealed class KafkaRunTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task With_one_partition_and_no_staleness_the_weights_are_those_of_a_run_on_the_file()
    {
        using var run = new KafkaProcesses(stream, partitions: 1, "ingest.shuffle = all", "ingest.passes = 2");
        var file = stream.NewOutput();
        var alone = run.Run("run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", file);
        var fed = await run.Run("run", "--roles", "ingest", "--data", stream.Data);
        var (learner, first, second) = (run.Learner(), run.Selector(), run.Selector());
        Assert.Equal((0, 0), (fed.ExitCode, (await alone).ExitCode));
        Assert.Contains("100 records are in 'records'", fed.Out);
        foreach (var process in new[] { learner, first, second })
        {
            var end = await process.End();
            Assert.True(end.ExitCode == 0, end.Error);
        }
        Assert.Equal(run.PolicyHash(file), run.PolicyHash(run.Output));
        Assert.Equal(File.ReadAllBytes(Path.Combine(file, "policy", "model.safetensors")), File.ReadAllBytes(Path.Combine(run.Output, "policy", "model.safetensors")));
        var dead = await run.Run("tail", "--topic", "massdpo.dead-letters", "--from-beginning", "--until-end");
        var events = await run.Run("tail", "--topic", "massdpo.events", "--from-beginning", "--until-end");
        Assert.Equal((SimulatedStream.Bad * SimulatedStream.Passes, (SimulatedStream.Lines - SimulatedStream.Bad) * SimulatedStream.Passes), (Lines(dead.Out), Lines(events.Out)));
    }

    [Fact]
    public async Task Selectors_and_learners_come_and_go_and_every_record_is_trained_on_once()
    {
        using var run = new KafkaProcesses(stream, partitions: 4, "slots.max-staleness = 2");
        var (half, per) = (await run.Records("half.jsonl", copies: 4), (SimulatedStream.Lines - SimulatedStream.Bad) * 4);
        Assert.Equal(0, (await run.Run("produce", "--topic", "records", "--data", half)).ExitCode);
        var (learner, leaving) = (run.Learner(), run.Selector());
        await Until(learner, "update ");
        var staying = run.Selector();
        await Until(staying, "epoch ");
        await leaving.Signal("TERM");
        var left = await leaving.End();
        Assert.True(left.ExitCode == 0, left.Error);
        Assert.Contains("Stopped as asked", left.Out);
        await learner.Signal("TERM");
        var stopped = await learner.End();
        Assert.True(stopped.ExitCode == 0, stopped.Error);
        await Until(staying, "waiting for the next one");
        Assert.Equal(0, (await run.Run("produce", "--topic", "records", "--data", half, "--end")).ExitCode);
        var goesOn = run.Learner();
        foreach (var process in new[] { goesOn, staying })
        {
            var end = await process.End();
            Assert.True(end.ExitCode == 0, end.Error);
        }
        var positions = run.Updates().SelectMany(update => update.Positions).ToList();
        Assert.DoesNotContain(null, positions);
        Assert.Equal(2 * per, positions.Count);
        Assert.Equal(2 * per, positions.Distinct().Count());
        var replayed = await run.Run("replay", run.Output, "--output", stream.NewOutput());
        Assert.True(replayed.ExitCode == 0, replayed.Error);
        Assert.Contains("bit for bit", replayed.Out);
    }

    [Fact]
    public async Task A_selector_that_is_set_otherwise_takes_no_part()
    {
        using var run = new KafkaProcesses(stream, partitions: 1);
        var (learner, selector, other) = (run.Learner(), run.Selector(), run.Selector("--beta", "0.7"));
        var refused = await other.End();
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("learner.beta was 0.5 and is 0.7", refused.Error);
        foreach (var process in new[] { selector, learner })
        {
            await process.Signal("TERM");
            var end = await process.End();
            Assert.True(end.ExitCode == 0, end.Error);
        }
    }

    [Theory]
    [InlineData("set kafka.bootstrap", "--roles", "learner", "--policy", "p", "--output", "o")]
    [InlineData("'--data' is required", "--roles", "ingest", "--bootstrap", "b:1")]
    [InlineData("'--output' is required", "--roles", "learner", "--bootstrap", "b:1", "--policy", "p")]
    [InlineData("'--policy' is required", "--roles", "selector", "--bootstrap", "b:1")]
    [InlineData("--output: a process with --roles selector has no use for it", "--roles", "selector", "--bootstrap", "b:1", "--policy", "p", "--output", "o")]
    [InlineData("--data: a process with --roles learner has no use for it", "--roles", "learner", "--bootstrap", "b:1", "--policy", "p", "--output", "o", "--data", "d")]
    [InlineData("write learner, selector or ingest", "--roles", "teacher", "--bootstrap", "b:1")]
    [InlineData("kafka.from", "--bootstrap", "b:1", "--from", "yesterday", "--policy", "p", "--output", "o")]
    public async Task A_role_is_given_what_it_needs_and_nothing_else(string reason, params string[] words) => await Called.Refused(2, ["run", .. words], reason);

    private static async Task Until(ProgramProcess process, string text)
    {
        while (true)
        {
            var line = await process.NextError();
            if (line is null)
                Assert.Fail((await process.End()).Error);
            if (line.Contains(text, StringComparison.Ordinal))
                return;
        }
    }

    private static int Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;
}
