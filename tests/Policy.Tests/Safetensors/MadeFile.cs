using System.Buffers.Binary;
using MassDpo.Policy.Safetensors;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Safetensors;

/// <summary>Safetensors files put together by hand.</summary>
internal static class MadeFile
{
    public static byte[] Of(string header, byte[] data) => Of(System.Text.Encoding.UTF8.GetBytes(header), data);

    public static byte[] Of(byte[] header, byte[] data)
    {
        var prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
        return [.. prefix, .. header, .. data];
    }

    public static byte[] Written(params (string Name, Tensor Tensor)[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsFile.Write(stream, tensors.Select(t => KeyValuePair.Create(t.Name, t.Tensor)));
        return stream.ToArray();
    }

    /// <summary>What is refused, with the message.</summary>
    public static string Refusal(byte[] file)
    {
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using var stream = new MemoryStream(file);
        var refusal = Assert.Throws<PolicyFormatException>(() => SafetensorsFile.Read(stream, "x.safetensors"));
        Assert.StartsWith("x.safetensors: not a safetensors file: ", refusal.Message);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        return refusal.Message;
    }
}
