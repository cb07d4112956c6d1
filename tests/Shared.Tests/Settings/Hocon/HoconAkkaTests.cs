using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconAkkaTests
{
    private static HoconObject Read(params (string Name, string Value)[] variables) => HoconDocument.Parse(HoconSamples.AkkaCluster, "akka.conf")
        .Resolve(name => variables.FirstOrDefault(variable => variable.Name == name).Value);

    [Fact]
    public void AnAkkaClusterIsReadAsAkkaReadsIt()
    {
        var settings = Read();
        var tcp = settings.GetObject("akka.remote.dot-netty.tcp");
        Assert.Equal(("127.0.0.1", 4053), (tcp.GetString("hostname"), tcp.GetInt32("port")));
        Assert.Equal((4L << 20, 512L << 10), (tcp.GetSizeInBytes("maximum-frame-size"), tcp.GetSizeInBytes("send-buffer-size")));
        Assert.False(tcp.HasPath("public-hostname"));
        Assert.Equal(["akka.tcp://selectors@lighthouse-1:4053", "akka.tcp://selectors@lighthouse-2:4053"],
            settings.GetList("akka.cluster.seed-nodes", (node, key) => node.AsString(key)));
        Assert.Equal(["selector"], settings.GetList("akka.cluster.roles", (role, key) => role.AsString(key)));
        Assert.Equal("INFO", settings.GetString("akka.stdout-loglevel"));
        Assert.False(settings.GetBoolean("akka.log-config-on-start"));
        Assert.Equal(TimeSpan.FromSeconds(10), settings.GetDuration("akka.actor.ask-timeout"));
        Assert.Equal(TimeSpan.FromSeconds(3), settings.GetDuration("akka.cluster.failure-detector.acceptable-heartbeat-pause"));
        Assert.Equal("selection", settings.GetString("akka.actor.serialization-bindings.\"MassDpo.Shared.Contracts.Selection, MassDpo.Shared\""));
        Assert.Equal(4, settings.GetInt32("akka.actor.deployment./selector-pool.nr-of-instances"));
        Assert.Equal("tensor-dispatcher", settings.GetString("akka.actor.deployment.\"/selector-pool/*\".dispatcher"));
        var dispatcher = settings.GetObject("tensor-dispatcher");
        Assert.Equal(("ForkJoinDispatcher", 1), (dispatcher.GetString("type"), dispatcher.GetInt32("throughput")));
        Assert.Equal(TimeSpan.Zero, dispatcher.GetDuration("throughput-deadline-time"));
        Assert.Equal(2, dispatcher.GetInt32("dedicated-thread-pool.thread-count"));
        Assert.Equal("Data Source=\"journal.db\";Mode=ReadWriteCreate", settings.GetString("akka.persistence.journal.sqlite.connection-string"));
        Assert.Equal(new HoconOrigin("akka.conf", 3, 14), settings.GetValue("akka.remote.dot-netty.tcp.hostname").Origin);
    }

    [Fact]
    public void VariablesOfAContainerOverride()
    {
        var settings = Read(("CLUSTER_IP", "10.0.0.7"), ("PUBLIC_HOST", "example.org"), ("EXTRA_ROLE", "audit"));
        Assert.Equal("10.0.0.7", settings.GetString("akka.remote.dot-netty.tcp.hostname"));
        Assert.Equal("example.org", settings.GetString("akka.remote.dot-netty.tcp.public-hostname"));
        Assert.Equal(["selector", "audit"], settings.GetList("akka.cluster.roles", (role, key) => role.AsString(key)));
        Assert.Equal("environment variable CLUSTER_IP", settings.GetValue("akka.remote.dot-netty.tcp.hostname").Origin.ToString());
    }

    [Fact]
    public void ItSurvivesBeingWrittenAndReadAgain()
    {
        var settings = Read();
        foreach (var format in Enum.GetValues<HoconFormat>())
            Assert.Equal(settings.Render(), HoconDocument.Parse(settings.Render(format)).Resolve(HoconAssert.NoVariables).Render());
    }
}
