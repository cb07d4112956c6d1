using Akka.Actor;
using Akka.Configuration;
using Akka.TestKit;
using MassDpo.Cluster.Actors;
using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Contracts;
using AkkaTestKit = Akka.TestKit.Xunit2.TestKit;

namespace MassDpo.Cluster.Tests.Links;

/// <summary>Ends and hubs in one process without a network, each alone with probes, under a clock that stands still until a test moves it.</summary>
public abstract class VirtualTime() : AkkaTestKit(ConfigurationFactory.ParseString("""
    akka.loglevel = WARNING
    akka.loggers = ["Akka.TestKit.TestEventListener, Akka.TestKit"]
    akka.scheduler.implementation = "Akka.TestKit.TestScheduler, Akka.TestKit"
    massdpo.links { resend = 1 s, largest = 128 kB }
    """).WithFallback(AkkaHost.Defaults))
{
    /// <summary>The time after which an end greets again.</summary>
    protected void Pass() => ((TestScheduler)Sys.Scheduler).Advance(TimeSpan.FromSeconds(1));

    /// <summary>The first slot of a block of selections, by which tests tell blocks apart.</summary>
    private protected static Content Block(long first) => new(Samples.Selections() with { Block = new SlotBlock(1, 0, first, 3, 1) });

    private protected static long First(Content? content) => content!.Read<SelectionBlock>().Block.First;

    /// <summary>A kind of content that no build has.</summary>
    private protected static Content OfTomorrow { get; } = new("from-tomorrow", Google.Protobuf.ByteString.CopyFrom(1));

    /// <summary>Sends as the probe, which so is who is answered.</summary>
    private protected static void Send(TestProbe from, IActorRef to, object message) => to.Tell(message, from.Ref);
}
