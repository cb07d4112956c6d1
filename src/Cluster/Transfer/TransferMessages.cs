using Google.Protobuf;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Cluster.Transfer;

/// <summary>What who pulls and who serves tell each other (Protos/transfer.proto).</summary>
internal interface ITransferMessage;

/// <summary>Asks for bytes of a thing; what was not answered is asked for again.</summary>
internal sealed record PieceRequest(string Thing, long Offset, int Count) : ITransferMessage
{
    /// <summary>Bytes of the pieces in which they may come; 0: all in one.</summary>
    public int Piece { get; init; }
}

/// <summary>They are these, or some of them.</summary>
internal sealed record Piece(long Offset, ReadOnlyMemory<byte> Content) : ITransferMessage;

/// <summary>They cannot be had any more.</summary>
internal sealed record PieceGone(string Reason) : ITransferMessage;

/// <summary>Their forms as bytes.</summary>
internal static class TransferCodec
{
    public static byte[] Encode(PieceRequest request) => new V1.PieceRequest { Thing = request.Thing, Offset = request.Offset, Count = request.Count, Piece = request.Piece }.ToByteArray();

    public static byte[] Encode(Piece piece) => new V1.Piece { Offset = piece.Offset, Content = UnsafeByteOperations.UnsafeWrap(piece.Content) }.ToByteArray();

    public static byte[] Encode(PieceGone gone) => new V1.PieceGone { Reason = gone.Reason }.ToByteArray();

    public static PieceRequest ReadRequest(byte[] bytes)
    {
        var wire = Read(V1.PieceRequest.Parser, bytes);
        return new PieceRequest(wire.Thing, wire.Offset, wire.Count) { Piece = wire.Piece };
    }

    public static Piece ReadPiece(byte[] bytes)
    {
        var wire = Read(V1.Piece.Parser, bytes);
        return new Piece(wire.Offset, wire.Content.Memory);
    }

    public static PieceGone ReadGone(byte[] bytes) => new(Read(V1.PieceGone.Parser, bytes).Reason);
}
