using MassDpo.Audit.Logs;
using MassDpo.Cluster.Nodes;
using MassDpo.Learner.Checkpoints;
using MassDpo.PipelineKit;
using MassDpo.Shared.Files;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>
/// Nodes come, go, die and lose sight of each other in the middle of a run. In each case every position is applied once, versions follow one another, and the weights are those
/// of a replay of the update log.
/// </summary>
public sealed class NodeLossTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private readonly string _output = stream.NewOutput();

    [Fact]
    public async Task A_selector_joins_and_another_leaves()
    {
        await using var cluster = new TestCluster(stream);
        using var gate = new Gate(version: 3);
        var learner = await cluster.BeginAsync("learner, ingest", _output, gate.Pass);
        var leaving = await cluster.BeginAsync("selector");
        await gate.Reached;
        Assert.True(learner.Health.IsReady);
        Assert.True(leaving.Health.IsReady);
        var joining = await cluster.BeginAsync("selector");
        // A node knows that it was taken in a little before its own view of the cluster does.
        while (!joining.Node.View.Counts().SequenceEqual([KeyValuePair.Create("up", 3L)]))
            await Task.Delay(20);
        Assert.Equal(learner.Address.ToString(), joining.Node.View.ToJson()["learner"]!.GetValue<string>());
        gate.Open();
        Assert.False((await leaving.StopAsync()).InputEnded);
        Assert.True((await joining.Run).InputEnded);
        await AssertWholeAsync(learner);
    }

    [Fact]
    public async Task A_selector_dies()
    {
        await using var cluster = new TestCluster(stream, "slots.lease = 1s");
        using var gate = new Gate(version: 3);
        var learner = await cluster.BeginAsync("learner, ingest", _output, gate.Pass);
        var first = await cluster.BeginAsync("selector");
        await cluster.BeginAsync("selector");
        await gate.Reached;
        await first.KillAsync();
        gate.Open();
        await AssertWholeAsync(learner);
    }

    // A split-brain resolver that decides on a dead node while the others leave may put out all of them.
    [Fact]
    public async Task Whoever_is_put_out_when_the_run_is_over_has_ended_in_order()
    {
        await using var cluster = new TestCluster(stream);
        using var gate = new Gate(version: 3);
        var learner = await cluster.BeginAsync("learner, ingest", _output, gate.Pass);
        var selector = await cluster.BeginAsync("selector");
        // The learner's node waits until it has left.
        var bystander = await cluster.BystanderAsync();
        await gate.Reached;
        gate.Open();
        await learner.Until("waits until the others have left");
        bystander.Down(learner.Address);
        await AssertWholeAsync(learner);
        Assert.True(learner.Node.IsRemoved);
        Assert.True((await selector.Run).InputEnded);
    }

    [Fact]
    public async Task The_learner_dies_and_another_node_goes_on_from_its_checkpoint()
    {
        await using var cluster = new TestCluster(stream);
        using var gate = new Gate(version: 5);
        var first = await cluster.BeginAsync("learner", _output, gate.Pass);
        var next = await cluster.BeginAsync("learner, ingest", _output);
        var selector = await cluster.BeginAsync("selector");
        await gate.Reached;
        var killing = first.KillAsync();
        gate.Open();
        await killing;
        await next.Until("has the learner");
        await AssertWholeAsync(next);
        Assert.True((await selector.Run).InputEnded);
    }

    [Fact]
    public async Task Where_each_node_has_a_directory_the_next_learner_goes_on_from_its_copy()
    {
        var copy = stream.NewOutput();
        await using var cluster = new TestCluster(stream, "cluster.checkpoint-copies = 1");
        using var gate = new Gate(version: 8);
        var first = await cluster.BeginAsync("learner", _output, gate.Pass);
        var next = await cluster.BeginAsync("learner, ingest", copy);
        await cluster.BeginAsync("selector");
        await gate.Reached;
        // The learner does not wait for copies.
        while (CheckpointsIn(copy) == 0)
            await Task.Yield();
        var killing = first.KillAsync();
        gate.Open();
        await killing;
        var outcome = await AssertWholeAsync(next, copy);
        Assert.Contains(outcome.Result!.Outcome.Notes, note => note.Contains("went on from checkpoint", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_node_with_the_intake_dies_and_another_reads_on()
    {
        await using var cluster = new TestCluster(stream, "slots.drain = 0s");
        using var gate = new Gate(version: 5);
        var learner = await cluster.BeginAsync("learner, selector", _output, gate.Pass);
        var first = await cluster.BeginAsync("ingest");
        var next = await cluster.BeginAsync("ingest");
        await gate.Reached;
        await first.KillAsync();
        gate.Open();
        await next.Until("reads the records");
        await AssertWholeAsync(learner);
    }

    [Fact]
    public async Task The_learners_node_leaves_in_order_and_another_goes_on()
    {
        await using var cluster = new TestCluster(stream);
        using var gate = new Gate(version: 4);
        var first = await cluster.BeginAsync("learner", _output, gate.Pass);
        var next = await cluster.BeginAsync("learner, ingest, selector", _output);
        await gate.Reached;
        var leaving = first.StopAsync();
        gate.Open();
        var left = await leaving;
        Assert.False(left.InputEnded);
        Assert.True(left.Result!.Outcome.Stopped);
        await AssertWholeAsync(next);
    }

    [Fact]
    public async Task A_selector_that_is_not_reached_for_a_while_works_on_when_it_is()
    {
        const string patient = "akka.cluster.split-brain-resolver.stable-after = 60 s";
        await using var cluster = new TestCluster(stream, "slots.lease = 1s");
        using var gate = new Gate(version: 3);
        var learner = await cluster.BeginAsync("learner, ingest", _output, gate.Pass, patient);
        var (cut, other) = (await cluster.BeginAsync("selector", akka: patient), await cluster.BeginAsync("selector", akka: patient));
        await gate.Reached;
        await cut.CutAsync(learner);
        await cut.CutAsync(other);
        gate.Open();
        await learner.Until($"{cut.Address} cannot be reached");
        await cut.CutAsync(learner, mend: true);
        await cut.CutAsync(other, mend: true);
        await AssertWholeAsync(learner);
        Assert.True((await cut.Run).InputEnded);
    }

    [Fact]
    public async Task Of_two_halves_the_majority_goes_on_and_the_other_one_ends_its_nodes()
    {
        await using var cluster = new TestCluster(stream);
        using var gate = new Gate(version: 5);
        var first = await cluster.BeginAsync("learner", _output, gate.Pass);
        var beside = await cluster.BeginAsync("selector");
        var next = await cluster.BeginAsync("learner, ingest", _output);
        TestNode[] majority = [next, await cluster.BeginAsync("selector"), await cluster.BeginAsync("selector")];
        await gate.Reached;
        foreach (var there in majority)
        {
            await first.CutAsync(there);
            await beside.CutAsync(there);
        }
        // The learner of the minority works on until it is put out.
        gate.Open();
        foreach (var lost in new[] { first, beside })
            Assert.Contains("put", (await Assert.ThrowsAsync<IOException>(() => lost.Run)).Message);
        await AssertWholeAsync(next);
        foreach (var node in majority)
            Assert.True((await node.Run).InputEnded);
    }

    private static int CheckpointsIn(string output) => new CheckpointStore(RunDirectory.CheckpointsIn(output), PhysicalFiles.Instance, keep: 2).List().Count;

    private async Task<NodeOutcome> AssertWholeAsync(TestNode learner, string? output = null)
    {
        output ??= _output;
        var outcome = await learner.Run;
        Assert.True(outcome.InputEnded);
        Assert.NotNull(outcome.Result);
        var trace = RunTrace.Of(output);
        trace.AssertEachPositionOnce();
        trace.AssertReplays(output, stream.NewOutput());
        var versions = RunLog.Updates(Path.Combine(output, "updates.jsonl")).Select(update => update.Version).ToList();
        Assert.Equal(Enumerable.Range(0, versions.Count).Select(version => (long)version), versions.Select(version => version - versions[0]));
        return outcome;
    }
}
