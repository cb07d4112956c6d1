using MassDpo.Cluster.Serialization;
using MassDpo.Wire;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Puts together what one sender sends in parts: one message at a time, its parts in order. A first part begins anew, a part that came before is passed over, and where one is missing
/// what came of the message is dropped: the whole is sent again. It holds no more than it was given.
/// </summary>
/// <param name="largest">bytes of a message</param>
internal sealed class Parts(long largest)
{
    private MemoryStream _bytes = new();
    private Part? _last;

    /// <summary>The message, when this is its last part; null: more is to come, or it comes again.</summary>
    /// <exception cref="WireFormatException">a part that no sender of this program makes, or bytes that are no message</exception>
    public IExchangeMessage? Add(Part part)
    {
        if (part.Size <= 0 || part.Size > largest || part.Index < 0 || part.Bytes.IsEmpty)
        {
            Clear();
            throw new WireFormatException($"part {part.Index} of {part.Bytes.Length} bytes of a message of {part.Size}, from '{part.Source}': a message is of 1 to {largest} bytes (massdpo.links.largest)");
        }
        if (part.Index == 0)
            Clear();
        else if (_last is null || part.Number != _last.Number || part.Size != _last.Size || part.Manifest != _last.Manifest || part.Index > _last.Index + 1)
        {
            Clear();
            return null;
        }
        else if (part.Index <= _last.Index)
            return null;
        if (_bytes.Length + part.Bytes.Length > part.Size)
        {
            Clear();
            throw new WireFormatException($"more than {part.Size} bytes of a message of that size, from '{part.Source}'");
        }
        _bytes.Write(part.Bytes.Span);
        _last = part;
        if (_bytes.Length < part.Size)
            return null;
        var whole = _bytes.ToArray();
        Clear();
        return WireSerializer.Decode(whole, part.Manifest) is IExchangeMessage and not Part and var message ? (IExchangeMessage)message
            : throw new WireFormatException($"a '{part.Manifest}' in parts, from '{part.Source}'");
    }

    private void Clear()
    {
        _last = null;
        if (_bytes.Length > 0)
            _bytes = new MemoryStream();
    }
}
