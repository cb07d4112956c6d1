using Akka.Actor;
using Akka.Configuration;
using Google.Protobuf;
using MassDpo.Cluster.Serialization;
using MassDpo.Wire;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Sends calls and pushes: to an actor of this process as they are, elsewhere whole or, what remoting would drop for its size, in parts. The parts of a message go one after the other
/// and arrive so, or not at all; then the whole is sent again (<see cref="Parts"/>).
/// </summary>
internal sealed class Frames
{
    // Around what is sent: the paths of both actors, names and numbers.
    private const int Envelope = 8_192;
    private const int Default = 128_000;

    private readonly int _limit;

    /// <param name="limit">bytes that travel in one piece</param>
    /// <param name="largest">bytes that a receiver puts together</param>
    public Frames(int limit, long largest) => (_limit, Largest) = (limit, largest);

    /// <summary>Bytes that a receiver puts together at most.</summary>
    public long Largest { get; }

    /// <summary>As the settings of a system say.</summary>
    /// <exception cref="ConfigurationException">a size that will not do</exception>
    public static Frames Of(ActorSystem system)
    {
        var config = system.Settings.Config;
        var frame = config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size", Default)!.Value;
        var largest = config.GetByteSize("massdpo.links.largest")!.Value;
        if (frame < 2 * Envelope)
            throw new ConfigurationException($"akka.remote.dot-netty.tcp.maximum-frame-size is {frame} bytes: nothing can be sent in less than {2 * Envelope}");
        if (largest < frame || largest > Array.MaxLength)
            throw new ConfigurationException($"massdpo.links.largest is {largest} bytes: it is at least akka.remote.dot-netty.tcp.maximum-frame-size ({frame}) and at most {Array.MaxLength}");
        return new Frames((int)Math.Min(frame, Array.MaxLength) - Envelope, largest);
    }

    /// <summary>Why something cannot be sent there; null: it can.</summary>
    public WireFormatException? Objection(IActorRef to, Content? content) => content is not null && !IsHere(to) && content.Bytes.Length > Largest - Envelope
        ? new WireFormatException($"a message of {content.Bytes.Length} bytes ('{content.Manifest}') is larger than nodes of a cluster take from each other: set massdpo.links.largest above {Largest} bytes on all of them, "
            + "or have blocks of fewer records")
        : null;

    /// <summary>Sends a message.</summary>
    /// <param name="to">where to</param>
    /// <param name="message">a call or a push</param>
    /// <param name="content">of the message</param>
    /// <param name="source">the end or the hub that sends it</param>
    /// <param name="number">of the message</param>
    /// <param name="sender">who sends it</param>
    public void Tell(IActorRef to, IExchangeMessage message, Content? content, string source, long number, IActorRef sender)
    {
        if (content is null || IsHere(to) || content.Bytes.Length <= _limit)
            to.Tell(message, sender);
        else
            foreach (var part in Cut(message, source, number))
                to.Tell(part, sender);
    }

    /// <summary>The parts of a message.</summary>
    public IEnumerable<Part> Cut(IExchangeMessage message, string source, long number)
    {
        var (manifest, bytes) = WireSerializer.Encode(message);
        for (var (index, from) = (0, 0); from < bytes.Length; index++, from += _limit)
            yield return new Part(source, number, index, bytes.Length, manifest, UnsafeByteOperations.UnsafeWrap(bytes.AsMemory(from, Math.Min(_limit, bytes.Length - from))));
    }

    private static bool IsHere(IActorRef to) => to is IActorRefScope { IsLocal: true };
}
