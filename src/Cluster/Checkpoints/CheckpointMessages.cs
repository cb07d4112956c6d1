using Google.Protobuf;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>What keepers of checkpoints tell each other (Protos/checkpoints.proto).</summary>
internal interface ICheckpointMessage;

/// <summary>The learner of an epoch has this checkpoint; empty: none yet.</summary>
internal sealed record CheckpointNews(long Epoch, string Newest) : ICheckpointMessage;

/// <summary>So has the node that says this, with all that goes with it.</summary>
internal sealed record CheckpointHeld(long Epoch, string Newest) : ICheckpointMessage;

/// <summary>Asks what a node has.</summary>
internal sealed record ListingRequest : ICheckpointMessage;

/// <summary>Its newest whole checkpoint, empty where it has none, where all that it has is listed, and the newest epoch that it has heard of.</summary>
internal sealed record ListingAnswer(string Newest, string Thing, string Server, long Length, long Epoch) : ICheckpointMessage;

/// <summary>Their forms as bytes.</summary>
internal static class CheckpointCodec
{
    public static byte[] Encode(CheckpointNews news) => new V1.CheckpointNews { Epoch = news.Epoch, Newest = news.Newest }.ToByteArray();

    public static byte[] Encode(CheckpointHeld held) => new V1.CheckpointHeld { Epoch = held.Epoch, Newest = held.Newest }.ToByteArray();

    public static byte[] Encode(ListingRequest request) => new V1.ListingRequest().ToByteArray();

    public static byte[] Encode(ListingAnswer answer) => new V1.ListingAnswer { Newest = answer.Newest, Thing = answer.Thing, Server = answer.Server, Length = answer.Length, Epoch = answer.Epoch }.ToByteArray();

    public static CheckpointNews ReadNews(byte[] bytes)
    {
        var wire = Read(V1.CheckpointNews.Parser, bytes);
        return new CheckpointNews(wire.Epoch, wire.Newest);
    }

    public static CheckpointHeld ReadHeld(byte[] bytes)
    {
        var wire = Read(V1.CheckpointHeld.Parser, bytes);
        return new CheckpointHeld(wire.Epoch, wire.Newest);
    }

    public static ListingRequest ReadRequest(byte[] bytes)
    {
        Read(V1.ListingRequest.Parser, bytes);
        return new ListingRequest();
    }

    public static ListingAnswer ReadAnswer(byte[] bytes)
    {
        var wire = Read(V1.ListingAnswer.Parser, bytes);
        return new ListingAnswer(wire.Newest, wire.Thing, wire.Server, wire.Length, wire.Epoch);
    }
}
