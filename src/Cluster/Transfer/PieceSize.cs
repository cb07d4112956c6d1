using Akka.Actor;

namespace MassDpo.Cluster.Transfer;

/// <summary>How large pieces are, and how many of them are on their way at a time.</summary>
/// <param name="Bytes">of a piece</param>
/// <param name="Window">pieces that one who pulls has asked for and not got</param>
internal sealed record PieceSize(int Bytes, int Window)
{
    /// <summary>No node serves more at once, whatever it is asked for.</summary>
    public const int MostBytes = 256 << 10;

    // Nor does this one ask for more: what a piece is copied into on its way stays below the size from which arrays are collected with the whole heap alone.
    private const int AskedBytes = 64 << 10;

    // Remoting has no back-pressure, and heartbeats go over the same connection.
    private const int OnTheWay = 768 << 10;

    // What a frame holds beside a piece: addresses, manifest, fields.
    private const int Envelope = 8 << 10;

    /// <summary>As large as this node can send.</summary>
    public static PieceSize Of(ActorSystem system)
    {
        var frame = system.Settings.Config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size", AskedBytes) ?? AskedBytes;
        var bytes = (int)Math.Clamp(frame - Envelope, Envelope, AskedBytes);
        return new PieceSize(bytes, Math.Max(2, OnTheWay / bytes));
    }
}
