using MassDpo.PipelineKit;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>All nodes of an older build are replaced in the middle of a run, one after the other.</summary>
public sealed class RollingRestartTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private const string Older = """akka.actor.serializers.massdpo = "MassDpo.Cluster.Tests.Nodes.OlderSerializer, MassDpo.Cluster.Tests" """;

    [Fact]
    public async Task Nodes_of_an_older_build_are_replaced_one_at_a_time_the_learners_last()
    {
        var output = stream.NewOutput();
        await using var cluster = new TestCluster(stream, "slots.drain = 0s");
        using var selectorsGo = new Gate(version: 3);
        using var learnerGoes = new Gate(version: 7);
        var learner = await cluster.BeginAsync("learner", output, progress =>
        {
            selectorsGo.Pass(progress);
            learnerGoes.Pass(progress);
        }, Older);
        var (ingest, selector) = (await cluster.BeginAsync("learner, ingest", output, akka: Older), await cluster.BeginAsync("selector", akka: Older));
        await selectorsGo.Reached;
        await selector.StopAsync();
        await cluster.BeginAsync("selector");
        await ingest.StopAsync();
        var next = await cluster.BeginAsync("learner, ingest", output);
        selectorsGo.Open();
        await learnerGoes.Reached;
        await cluster.BeginAsync("learner", output);
        var leaving = learner.StopAsync();
        learnerGoes.Open();
        Assert.False((await leaving).InputEnded);
        await next.Until("has the learner");
        Assert.True((await next.Run).InputEnded);
        var trace = RunTrace.Of(output);
        trace.AssertEachPositionOnce();
        trace.AssertReplays(output, stream.NewOutput());
        Assert.True(OlderSerializer.Stripped > 0);
    }
}
