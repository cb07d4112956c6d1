using MassDpo.App.Verbs;
using MassDpo.Cluster.Verbs;
using MassDpo.PipelineKit;
using MassDpo.TestKit;

namespace MassDpo.Cluster.Tests.Verbs;

/// <summary>The verb's options are a contract: scripts of others hold them. It refuses what cannot be a node.</summary>
public sealed class ClusterVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public void It_has_the_options_of_run_but_those_of_one_process_and_those_of_a_node()
    {
        var run = CommandLine.Create().Subcommands.Single(verb => verb.Name == "run").Options.Select(option => option.Name);
        Assert.Equal([.. run.Concat(["--hostname", "--port", "--join"]).Order(StringComparer.Ordinal)], ClusterVerb.Create().Options.Select(option => option.Name).Order(StringComparer.Ordinal));
        Assert.Contains(CommandLine.Create(null, ClusterVerb.Create()).Subcommands, verb => verb.Name == "cluster");
    }

    [Fact]
    public void Commands_that_its_page_shows_can_be_given()
    {
        var commands = PageCommands.Of("docs/cluster.md").Where(command => command.Words[0] == "cluster").ToList();
        Assert.NotEmpty(commands);
        Assert.All(commands, command => Assert.Empty(CommandLine.Create(null, ClusterVerb.Create()).Parse(command.Words).Errors));
    }

    [Theory]
    [InlineData(2, "no role")]
    [InlineData(2, "--roles trainer", "--roles", "trainer")]
    [InlineData(2, "'--data' is required", "--roles", "selector", "--no-data")]
    [InlineData(2, "'--output' is required", "--roles", "learner,selector")]
    [InlineData(2, "no use", "--roles", "selector", "--output", "somewhere")]
    [InlineData(2, "cluster.name", "--roles", "selector", "--set", "cluster.name = \"a b\"")]
    [InlineData(1, "seed-nodes is empty", "--roles", "selector", "--set", "akka.cluster.seed-nodes = []")]
    [InlineData(1, "nothing can listen at 192.0.2.1:4053", "--roles", "selector", "--hostname", "192.0.2.1")]
    public async Task What_cannot_be_a_node_is_refused_with_the_reason(int code, string reason, params string[] words)
    {
        var given = words.Where(word => word != "--no-data").Concat(["--policy", stream.PolicyDirectory]).Concat(words.Contains("--no-data") ? [] : ["--data", stream.Data]);
        var before = Console.Error;
        using var error = new StringWriter();
        Console.SetError(error);
        try
        {
            Assert.Equal(code, await CommandLine.RunAsync(["cluster", .. given], null, ClusterVerb.Create()));
        }
        finally
        {
            Console.SetError(before);
        }
        Assert.Contains(reason, error.ToString());
    }
}
