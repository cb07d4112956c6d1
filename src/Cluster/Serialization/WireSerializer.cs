using Akka.Actor;
using Akka.Serialization;
using MassDpo.Cluster.Checkpoints;
using MassDpo.Cluster.Links;
using MassDpo.Cluster.Transfer;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.Cluster.Serialization;

/// <summary>
/// What travels between nodes, as Protobuf (<c>src/Wire</c>). The identifier and the manifests never change: nodes of different builds understand each other.
/// A message of a kind that this build does not know is refused with a <see cref="WireFormatException"/>.
/// </summary>
public sealed class WireSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private static readonly (Type Type, string Manifest, Func<object, byte[]> Encode, Func<byte[], object> Decode)[] Forms =
    [
        Form<ControlMessage>("control-message", MessageCodec.Encode, bytes => MessageCodec.Decode(bytes)),
        Form<ControlNotice>("control-notice", NoticeCodec.Encode, bytes => NoticeCodec.Decode(bytes).Notice ?? throw new WireFormatException("a claim where a notice is expected")),
        Form<SelectionBlock>("selections", SelectionCodec.Encode, bytes => SelectionCodec.Decode(bytes)),
        Form<PoolBlock>("pools", PoolCodec.Encode, bytes => PoolCodec.Decode(bytes)),
        Form<EpochClaim>("epoch-claim", claim => NoticeCodec.Encode(claim, ""), bytes => NoticeCodec.Decode(bytes).Claim ?? throw new WireFormatException("a notice where a claim is expected")),
        Form<Call>("call", ExchangeCodec.Encode, ExchangeCodec.ReadCall),
        Form<Return>("return", ExchangeCodec.Encode, ExchangeCodec.ReadReturn),
        Form<Push>("push", ExchangeCodec.Encode, ExchangeCodec.ReadPush),
        Form<Pushed>("pushed", ExchangeCodec.Encode, ExchangeCodec.ReadPushed),
        Form<Fenced>("fenced", ExchangeCodec.Encode, ExchangeCodec.ReadFenced),
        Form<Part>("part", ExchangeCodec.Encode, ExchangeCodec.ReadPart),
        Form<KnownRequest>("known-request", ExchangeCodec.Encode, ExchangeCodec.ReadKnownRequest),
        Form<Known>("known", ExchangeCodec.Encode, ExchangeCodec.ReadKnown),
        Form<SnapshotOffer>("snapshot-offer", offer => offer.Encode(), SnapshotOffer.Decode),
        Form<PieceRequest>("piece-request", TransferCodec.Encode, TransferCodec.ReadRequest),
        Form<Piece>("piece", TransferCodec.Encode, TransferCodec.ReadPiece),
        Form<PieceGone>("piece-gone", TransferCodec.Encode, TransferCodec.ReadGone),
        Form<CheckpointNews>("checkpoint-news", CheckpointCodec.Encode, CheckpointCodec.ReadNews),
        Form<CheckpointHeld>("checkpoint-held", CheckpointCodec.Encode, CheckpointCodec.ReadHeld),
        Form<ListingRequest>("listing-request", CheckpointCodec.Encode, CheckpointCodec.ReadRequest),
        Form<ListingAnswer>("listing-answer", CheckpointCodec.Encode, CheckpointCodec.ReadAnswer),
        // It is pulled, not sent.
        Form<CheckpointListing>("checkpoint-listing", listing => listing.Encode(), CheckpointListing.Decode),
    ];

    /// <inheritdoc/>
    public override int Identifier => 7_351;

    /// <summary>The names that kinds of messages have on the wire.</summary>
    public static IEnumerable<string> Manifests => Forms.Select(form => form.Manifest);

    /// <inheritdoc/>
    public override string Manifest(object o) => Of(o).Manifest;

    /// <inheritdoc/>
    public override byte[] ToBinary(object obj) => Of(obj).Encode(obj);

    /// <inheritdoc/>
    /// <exception cref="WireFormatException">the bytes are no such message, or this build knows none of that kind</exception>
    public override object FromBinary(byte[] bytes, string manifest) => Decode(bytes, manifest);

    /// <summary>A message as bytes, with its manifest: what stands inside others.</summary>
    internal static (string Manifest, byte[] Bytes) Encode(object message)
    {
        var (manifest, encode) = Of(message);
        return (manifest, encode(message));
    }

    internal static object Decode(byte[] bytes, string manifest)
    {
        foreach (var form in Forms)
            if (form.Manifest == manifest)
                return form.Decode(bytes);
        throw new WireFormatException($"a message of the kind '{manifest}', which this build does not know: nodes of a newer build send it");
    }

    private static (string Manifest, Func<object, byte[]> Encode) Of(object message)
    {
        foreach (var form in Forms)
            if (form.Type.IsInstanceOfType(message))
                return (form.Manifest, form.Encode);
        throw new ArgumentException($"{message.GetType()} has no form on the wire", nameof(message));
    }

    private static (Type, string, Func<object, byte[]>, Func<byte[], object>) Form<T>(string manifest, Func<T, byte[]> encode, Func<byte[], object> decode) where T : notnull =>
        (typeof(T), manifest, message => encode((T)message), decode);
}
