using System.Buffers.Binary;
using System.Text;

namespace MassDpo.App.Tests.Watching;

/// <summary>A message in protobuf's wire format, read by field numbers.</summary>
internal sealed class Protobuf
{
    private readonly List<(int Field, ulong Number, byte[] Bytes)> _fields = [];

    public Protobuf(ReadOnlySpan<byte> message)
    {
        while (message.Length > 0)
        {
            var tag = Varint(ref message);
            var (field, wire) = ((int)(tag >> 3), tag & 7);
            switch (wire)
            {
                case 0:
                    _fields.Add((field, Varint(ref message), []));
                    break;
                case 1:
                    _fields.Add((field, BinaryPrimitives.ReadUInt64LittleEndian(message), []));
                    message = message[8..];
                    break;
                case 2:
                    var length = (int)Varint(ref message);
                    _fields.Add((field, 0, message[..length].ToArray()));
                    message = message[length..];
                    break;
                case 5:
                    _fields.Add((field, BinaryPrimitives.ReadUInt32LittleEndian(message), []));
                    message = message[4..];
                    break;
                default:
                    throw new InvalidDataException($"wire type {wire}");
            }
        }
    }

    /// <summary>The messages that a path of field numbers leads to.</summary>
    public IEnumerable<Protobuf> At(params int[] path) => path is []
        ? [this]
        : _fields.Where(field => field.Field == path[0]).SelectMany(field => new Protobuf(field.Bytes).At(path[1..]));

    public string Text(int field) => Encoding.UTF8.GetString(Bytes(field));

    public byte[] Bytes(int field) => _fields.Single(one => one.Field == field).Bytes;

    public long Number(int field) => (long)_fields.Single(one => one.Field == field).Number;

    public int Count(int field) => _fields.Count(one => one.Field == field);

    private static ulong Varint(ref ReadOnlySpan<byte> message)
    {
        var (value, shift) = (0UL, 0);
        while (true)
        {
            var next = message[0];
            message = message[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
            shift += 7;
        }
    }
}
