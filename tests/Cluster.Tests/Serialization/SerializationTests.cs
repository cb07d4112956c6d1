using Akka.Actor;
using Akka.Configuration;
using MassDpo.Cluster.Actors;
using MassDpo.Cluster.Serialization;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using MassDpo.Wire;
using AkkaTestKit = Akka.TestKit.Xunit2.TestKit;

namespace MassDpo.Cluster.Tests.Serialization;

/// <summary>What goes from node to node, over real remoting.</summary>
public sealed class SerializationTests() : AkkaTestKit(Node)
{
    private static Config Node { get; } = ConfigurationFactory.ParseString("""
        akka.loglevel = WARNING
        akka.loggers = ["Akka.TestKit.TestEventListener, Akka.TestKit"]
        akka.actor.provider = remote
        akka.remote.dot-netty.tcp { hostname = 127.0.0.1, port = 0 }
        """).WithFallback(AkkaHost.Defaults);

    private static IReadOnlyList<object> Everything { get; } = [.. Samples.Messages, .. Samples.Notices, Samples.Selections(), Samples.Pools()];

    [Fact]
    public async Task Everything_arrives_at_another_node_as_it_was_sent_and_in_order()
    {
        using var other = ActorSystem.Create("other", Node);
        var echo = other.ActorOf(Props.Create<Echo>(), "echo");
        var there = await Sys.ActorSelection(echo.Path.ToStringWithAddress(((ExtendedActorSystem)other).Provider.DefaultAddress)).ResolveOne(TimeSpan.FromSeconds(30));
        foreach (var message in Everything)
            there.Tell(message, TestActor);
        foreach (var message in Everything)
        {
            var back = await ExpectMsgAsync<object>(TimeSpan.FromSeconds(30));
            // Of a selection only what the learner trains on travels.
            Assert.Equal(Travelled(message), Travelled(back));
        }
        await other.Terminate();
    }

    [Fact]
    public void Kinds_of_messages_have_the_names_that_they_always_had()
    {
        Assert.Equal(["control-message", "control-notice", "selections", "pools", "epoch-claim", "call", "return", "push", "pushed", "fenced", "part", "known-request", "known", "snapshot-offer", "piece-request", "piece", "piece-gone",
            "checkpoint-news", "checkpoint-held", "listing-request", "listing-answer", "checkpoint-listing"], WireSerializer.Manifests);
        Assert.All(Everything, message => Assert.IsType<WireSerializer>(Sys.Serialization.FindSerializerFor(message)));
        Assert.Equal(7351, Sys.Serialization.FindSerializerFor(Everything[0]).Identifier);
    }

    [Fact]
    public void A_kind_that_a_newer_build_sends_is_refused_by_name()
    {
        var serializer = (WireSerializer)Sys.Serialization.FindSerializerFor(Everything[0]);
        Assert.Contains("'from-tomorrow'", Assert.Throws<WireFormatException>(() => serializer.FromBinary([], "from-tomorrow")).Message);
        Assert.Throws<WireFormatException>(() => serializer.FromBinary([0xFF], "pools"));
    }

    [Fact]
    public void What_has_no_binary_form_does_not_travel_as_json()
    {
        var serializer = Sys.Serialization.FindSerializerFor(new Unbound("secret"));
        Assert.IsType<RefusingSerializer>(serializer);
        Assert.Contains(nameof(Unbound), Assert.Throws<NotSupportedException>(() => serializer.ToBinary(new Unbound("secret"))).Message);
        Assert.DoesNotContain(Bound(), name => name.Contains("newtonsoft", StringComparison.OrdinalIgnoreCase) || name == "json");
    }

    // The serializers that something is bound to.
    private IEnumerable<string> Bound() => Sys.Settings.Config.GetConfig("akka.actor.serialization-bindings").AsEnumerable().Select(binding => binding.Value.GetString());

    private static string Travelled(object message) => Telling.Of(message is SelectionBlock block ? SelectionCodec.Decode(SelectionCodec.Encode(block)) : message);

    private sealed record Unbound(string Text);

    private sealed class Echo : UntypedActor
    {
        protected override void OnReceive(object message) => Sender.Tell(message);
    }
}
