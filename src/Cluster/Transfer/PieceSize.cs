using Akka.Actor;

namespace MassDpo.Cluster.Transfer;

/// <summary>How large pieces are, and how much is on its way at a time; all in bytes.</summary>
/// <param name="Bytes">of a piece: what a node copies it into on its way stays below the size from which arrays are collected with the whole heap alone</param>
/// <param name="Request">that one request asks for, in pieces</param>
/// <param name="Window">that one who pulls has asked for and not got: remoting has no back-pressure, and heartbeats go over the same connection</param>
internal sealed record PieceSize(int Bytes, int Request, int Window)
{
    /// <summary>No node serves more at once, whatever it is asked for.</summary>
    public const int MostBytes = 256 << 10;

    /// <summary>Nor smaller pieces, but for the last one.</summary>
    public const int LeastBytes = 8 << 10;

    private const int Largest = 64 << 10;
    private const int OnTheWay = 768 << 10;

    // What a frame holds beside a piece: addresses, manifest, fields.
    private const int Envelope = 8 << 10;

    /// <summary>As large as this node can receive.</summary>
    public static PieceSize Of(ActorSystem system)
    {
        var frame = system.Settings.Config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size", Largest) ?? Largest;
        var bytes = (int)Math.Clamp(frame - Envelope, Envelope, Largest);
        // An older build answers a request with one piece.
        var request = (int)Math.Clamp(frame - Envelope, bytes, MostBytes);
        return new PieceSize(bytes, request, Math.Max(2 * request, OnTheWay));
    }
}
