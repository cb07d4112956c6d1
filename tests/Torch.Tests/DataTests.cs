using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class DataTests
{
    private static void Survives<T>(T[] values, ScalarType type) where T : unmanaged
    {
        using var scope = NewDisposeScope();
        var x = zeros(values.Length, dtype: type);

        x.bytes = MemoryMarshal.AsBytes(values.AsSpan());
        Assert.Equal(values, x.data<T>().ToArray());
        Assert.Equal(MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), x.bytes.ToArray());
        Assert.Equal(values, MemoryMarshal.Cast<byte, T>(x.bytes).ToArray());
        Assert.Equal(Marshal.SizeOf<T>() is var size && typeof(T) == typeof(bool) ? 1 : size, x.ElementSize);
        Assert.Equal(type.ElementSize(), x.element_size());
        Assert.Equal(values[1], x[1].item<T>());
        Assert.Equal(values[1], x.ReadCpuValue<T>(1));
        x.data<T>()[1] = values[0];
        Assert.Equal(values[0], x[1].item<T>());
        x.data<T>().CopyFrom(values);
        Assert.Equal(values, x.data<T>().AsEnumerable());
        var into = new T[values.Length + 2];
        x.data<T>().CopyTo(into, 1, 1);
        Assert.Equal(values[1..], into[1..values.Length]);
    }

    [Fact]
    public void Elements_of_every_type()
    {
        Survives<byte>([1, 2, 255], uint8);
        Survives<sbyte>([1, -128, 127], int8);
        Survives<short>([1, -2, short.MaxValue], int16);
        Survives([1, -2, int.MaxValue], int32);
        Survives([1, -2, long.MinValue], int64);
        Survives([1f, -0.5f, float.MaxValue], float32);
        Survives([1, -0.5, double.Epsilon], float64);
        Survives([true, false, true], torch.@bool);
        Survives([(Half)1, (Half)(-0.5), Half.MaxValue], float16);
        Survives([new BFloat16(1), new BFloat16(-0.5f), BFloat16.MaxValue], bfloat16);
    }

    [Fact]
    public void Elements_of_a_view_come_row_by_row()
    {
        using var scope = NewDisposeScope();
        var x = arange(12, dtype: float64).view(3, 4);
        var view = x.t()[1..3];

        Assert.Equal([1, 5, 9, 2, 6, 10], view.data<double>().ToArray());
        Assert.Equal([1, 5, 9, 2, 6, 10], view.data<double>().AsEnumerable());
        Assert.Equal(6, view.data<double>()[1, 1]);
        Assert.Equal(6, view.data<double>()[4]);
        Assert.Equal(new double[,] { { 1, 5, 9 }, { 2, 6, 10 } }, view.data<double>().ToNDArray());
        var part = new double[3];
        view.data<double>().CopyTo(part, 0, 2);
        Assert.Equal([9, 2, 6], part);
        view.data<double>().CopyFrom([-1.0, -2], 0, 3);
        Expect.Close([1, 5, 9, -1, -2, 10], view);
        view.data<double>()[0, 2] = 90;
        Assert.Equal(90, x[2, 1].item<double>());
        Assert.True(view.data<double>() == view.contiguous().data<double>());
        Assert.True(view.data<double>() != x.data<double>());
    }

    [Fact]
    public void Accessors_of_odd_sizes()
    {
        using var scope = NewDisposeScope();

        Assert.Equal([3.0], tensor(3.0).data<double>().ToArray());
        Assert.Empty(zeros(0, dtype: float64).data<double>().ToArray());
        Assert.Empty(zeros(0, dtype: float64).bytes.ToArray());
        Assert.Equal(6, zeros(2, 3).data<float>().Count);
        Assert.Equal(new float[1, 1, 1, 1, 1, 1, 1], zeros([1L, 1, 1, 1, 1, 1, 1]).data<float>().ToNDArray());
        Assert.Throws<IndexOutOfRangeException>(() => zeros(2, 3).data<float>()[6]);
        Assert.Throws<IndexOutOfRangeException>(() => zeros(2, 3).data<float>()[0, 3]);
    }

    [Fact]
    public void An_accessor_of_the_wrong_type_is_refused()
    {
        using var scope = NewDisposeScope();

        Assert.Throws<ArgumentException>(() => zeros(2).data<double>());
        Assert.Throws<ArgumentException>(() => zeros(1).item<int>());
        Assert.Throws<ArgumentException>(() => zeros(2).item<float>());
        Assert.Throws<InvalidOperationException>(() => zeros(2, 3).t().bytes.Length);
        Assert.Throws<ArgumentException>(() => zeros(2).bytes = new byte[3]);
    }

    [Fact]
    public void One_element_as_a_number()
    {
        using var scope = NewDisposeScope();

        Assert.Equal(1.5f, tensor(1.5).ToSingle());
        Assert.Equal(1.5, tensor(1.5f).ToDouble());
        Assert.Equal(7L, tensor(7).ToInt64());
        Assert.Equal(7, tensor(7L).ToInt32());
        Assert.Equal((short)7, tensor(7L).ToInt16());
        Assert.Equal((byte)7, tensor(7L).ToByte());
        Assert.Equal((sbyte)-7, tensor(-7L).ToSByte());
        Assert.True(tensor(1).ToBoolean());
        Assert.Equal((Half)1.5, tensor(1.5).ToHalf());
        Assert.Equal(1.5f, tensor(1.5).ToBFloat16().ToSingle());
        Assert.Equal(2.5, (double)tensor(2.5));
        Assert.Equal(2, (int)tensor(2));
        Assert.True((bool)tensor(true));
        Assert.Equal(2.5, tensor(2.5).ToScalar().ToDouble());
        Assert.Equal(ScalarType.Int64, tensor(2).ToScalar().Type);
        Assert.Equal(1.5f, tensor(1.5f).bfloat16().ReadCpuBFloat16(0));
        Assert.Equal(1.5f, tensor(1.5f).half().ReadCpuFloat16(0));
        Assert.True(tensor(1).is_nonzero());
        Assert.ThrowsAny<Exception>(() => zeros(2).ToDouble());
    }

    [Fact]
    public void Bytes_through_a_stream()
    {
        using var scope = NewDisposeScope();
        var x = Expect.Doubles([100, 50]);
        var y = zeros(100, 50, dtype: float64);
        using var stream = new MemoryStream();

        x.WriteBytesToStream(stream);
        Assert.Equal(100 * 50 * 8, stream.Length);
        stream.Position = 0;
        y.ReadBytesFromStream(stream);
        Assert.True(x.Equals(y));
        Assert.Throws<EndOfStreamException>(() => y.ReadBytesFromStream(stream));
    }
}
