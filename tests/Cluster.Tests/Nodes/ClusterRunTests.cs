using MassDpo.PipelineKit;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>Runs on several nodes.</summary>
public sealed class ClusterRunTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Theory]
    [InlineData("learner", "ingest", "selector", "selector")]
    [InlineData("learner, ingest, selector", "learner, ingest, selector", "selector")]
    public async Task A_run_on_several_nodes_comes_to_the_bits_of_one_in_one_process(params string[] roles)
    {
        var whole = RunTrace.Whole(stream, SimulatedStream.Options(), seed: 1);
        var output = stream.NewOutput();
        await using var cluster = new TestCluster(stream);
        var nodes = new List<TestNode>();
        foreach (var of in roles)
            nodes.Add(await cluster.BeginAsync(of, of.Contains("learner", StringComparison.Ordinal) ? output : null));
        foreach (var node in nodes)
            Assert.True((await node.Run).InputEnded);
        var trace = RunTrace.Of(output);
        trace.AssertSame(whole);
        trace.AssertEachPositionOnce();
        trace.AssertReplays(output, stream.NewOutput());
    }
}
