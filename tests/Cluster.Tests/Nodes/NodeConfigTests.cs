using MassDpo.Cluster.Nodes;
using MassDpo.Cluster.Verbs;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>What an actor system is made with.</summary>
public sealed class NodeConfigTests
{
    [Fact]
    public void The_recipe_says_all_that_a_cluster_must_be_told()
    {
        var settings = EffectiveSettings.Load(null, [], [], [], ClusterVerb.Settings());
        var config = NodeConfig.Of(settings, "massdpo", 0, null, null, []);
        Assert.Equal(["akka.tcp://massdpo@127.0.0.1:4053"], config.GetStringList("akka.cluster.seed-nodes"));
        Assert.Equal("127.0.0.1", config.GetString("akka.remote.dot-netty.tcp.hostname"));
        Assert.Equal(512 << 10, config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size"));
        Assert.False(config.GetBoolean("akka.remote.dot-netty.tcp.enable-ssl", true));
        Assert.Contains("SplitBrainResolver", config.GetString("akka.cluster.downing-provider-class"));
        Assert.Equal("keep-majority", config.GetString("akka.cluster.split-brain-resolver.active-strategy"));
        Assert.Equal("off", config.GetString("akka.cluster.split-brain-resolver.down-all-when-unstable"));
        Assert.Equal(TimeSpan.FromSeconds(7), config.GetTimeSpan("akka.cluster.split-brain-resolver.stable-after"));
        Assert.Equal(TimeSpan.FromSeconds(6), config.GetTimeSpan("akka.cluster.failure-detector.acceptable-heartbeat-pause"));
        Assert.Equal((Roles)0, NodeConfig.RolesOf(config));
        Assert.Equal("cluster", config.GetString("akka.actor.provider"));
        Assert.Equal(1, config.GetInt("akka.cluster.min-nr-of-members"));
    }

    [Fact]
    public void The_command_line_lies_over_the_block_and_the_block_over_what_the_product_needs()
    {
        var settings = EffectiveSettings.Load(null, [], ["akka.cluster.roles = [selector]", "akka.loglevel = DEBUG", "akka.remote.dot-netty.tcp.port = 1"], [], ClusterVerb.Settings());
        var block = NodeConfig.Of(settings, "massdpo", 0, null, null, []);
        Assert.Equal(Roles.Selector, NodeConfig.RolesOf(block));
        Assert.Equal("DEBUG", block.GetString("akka.loglevel"));
        var given = NodeConfig.Of(settings, "other", Roles.Learner | Roles.Ingest, "node-2", 4054, ["node-1:4053", "node-2:4054"]);
        Assert.Equal(Roles.Learner | Roles.Ingest, NodeConfig.RolesOf(given));
        Assert.Equal(["akka.tcp://other@node-1:4053", "akka.tcp://other@node-2:4054"], given.GetStringList("akka.cluster.seed-nodes"));
        Assert.Equal("node-2", given.GetString("akka.remote.dot-netty.tcp.hostname"));
        Assert.Equal(4054, given.GetInt("akka.remote.dot-netty.tcp.port"));
    }

    [Fact]
    public void A_role_that_there_is_not_is_refused_by_name()
    {
        var settings = EffectiveSettings.Load(null, [], ["akka.cluster.roles = [selector, trainer]"], []);
        Assert.Contains("'trainer'", Assert.Throws<InvalidDataException>(() => NodeConfig.RolesOf(NodeConfig.Of(settings, "massdpo", 0, null, null, []))).Message);
    }

    [Theory]
    [InlineData("cluster.name", "two words")]
    [InlineData("cluster.name", "-x")]
    [InlineData("cluster.checkpoint-copies", "-1")]
    public void Settings_outside_their_range_are_refused_by_name(string key, string value) =>
        Assert.Contains(key, Assert.Throws<HoconException>(() => App.Running.ClusterOptions.From(EffectiveSettings.Load(null, [], [$"{key} = \"{value}\""], []))).Message);
}
