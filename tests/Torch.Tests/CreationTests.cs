using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class CreationTests
{
    [Fact]
    public void Constant_tensors_of_any_shape()
    {
        using var scope = NewDisposeScope();

        Expect.Same([2, 3], [0, 0, 0, 0, 0, 0], zeros(2, 3));
        Expect.Same([2], [1, 1], ones(2));
        Expect.Same([1, 2, 1, 2], [1, 1, 1, 1], ones(1, 2, 1, 2));
        Expect.Same([2, 1], [7, 7], full(2, 1, 7));
        Expect.Same([2, 1], [2.5, 2.5], full([2L, 1], 2.5, dtype: float64));
        Expect.Shape([4, 5, 6], empty(4, 5, 6));
        Expect.Shape([2, 0], zeros([2L, 0]));
        Expect.Shape([], zeros(Array.Empty<long>()));
        Expect.Shape([3], zeros(new long[] { 3 }));
        Expect.Shape([3, 4], ones((ReadOnlySpan<long>)[3, 4]));
        Assert.Equal([1L, 2], empty_strided([2, 2], [1, 2]).stride());
    }

    [Fact]
    public void Types_and_gradients_as_asked_for()
    {
        using var scope = NewDisposeScope();

        Assert.Equal(float32, zeros(1).dtype);
        foreach (var type in new[] { float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8, torch.@bool })
            Assert.Equal(type, ones(2, 2, dtype: type).dtype);
        Assert.False(zeros(1).requires_grad);
        Assert.True(zeros(1, requires_grad: true).requires_grad);
        Assert.True(full(2, 2, 1.5, requires_grad: true).is_leaf);
        Assert.Equal(DeviceType.CPU, zeros(1, device: CPU).device_type);
        Assert.Equal("cpu", zeros(1, device: "cpu").device.ToString());
    }

    [Fact]
    public void Ranges()
    {
        using var scope = NewDisposeScope();

        Assert.Equal(int64, arange(3).dtype);
        Expect.Same([3], [0, 1, 2], arange(3));
        Expect.Same([3], [2, 3, 4], arange(2, 5));
        Expect.Same([3], [0, 0.5, 1], arange(0, 1.5, 0.5));
        Assert.Equal(float32, arange(0, 1.5, 0.5).dtype);
        Expect.Same([3], [5, 3, 1], arange(5, 0, -2, dtype: float64));
        Expect.Same([5], [0, 0.25, 0.5, 0.75, 1], linspace(0, 1, 5));
        Expect.Same([2, 2], [1, 0, 0, 1], eye(2));
        Expect.Same([2, 3], [1, 0, 0, 0, 1, 0], eye(2, 3));
    }

    [Fact]
    public void As_another_tensor_is()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, 3, dtype: int32);

        Expect.Same([2, 3], [0, 0, 0, 0, 0, 0], zeros_like(x));
        Assert.Equal(int32, x.ones_like().dtype);
        Assert.Equal(float64, torch.ones_like(x, float64).dtype);
        Expect.Close([4, 4, 4, 4, 4, 4], full_like(x, 4));
        Expect.Shape([2, 3], empty_like(x));
        Assert.True(zeros_like(x, float32, requires_grad: true).requires_grad);
        Expect.Shape([2, 3], randn_like(x, float32));
        Expect.Shape([2, 3], rand_like(x, float32));
    }

    [Fact]
    public void From_numbers()
    {
        using var scope = NewDisposeScope();

        Assert.Equal(float32, tensor(1.5f).dtype);
        Assert.Equal(float64, tensor(1.5).dtype);
        Assert.Equal(int32, tensor(1).dtype);
        Assert.Equal(int64, tensor(1L).dtype);
        Assert.Equal(uint8, tensor((byte)1).dtype);
        Assert.Equal(int8, tensor((sbyte)-1).dtype);
        Assert.Equal(int16, tensor((short)-1).dtype);
        Assert.Equal(torch.@bool, tensor(true).dtype);
        Assert.Equal(bfloat16, tensor(new BFloat16(1.5f)).dtype);
        Assert.Equal(float32, tensor(1.5, dtype: float32).dtype);
        Expect.Same([], [1.5], tensor(1.5f));
        Expect.Same([], [long.MaxValue], tensor(long.MaxValue));
        Assert.True(tensor(2.0, requires_grad: true).requires_grad);
        Tensor converted = 3;
        Assert.Equal(int32, converted.dtype);
        converted = new[] { 1f, 2f };
        Expect.Same([2], [1, 2], converted);
    }

    [Fact]
    public void From_arrays()
    {
        using var scope = NewDisposeScope();

        Expect.Same([3], [1, 2, 3], tensor(new[] { 1f, 2, 3 }));
        Expect.Same([3], [1, 2, 3], tensor(new List<double> { 1, 2, 3 }));
        Expect.Same([3], [1, 2, 3], tensor((IList<long>)new long[] { 1, 2, 3 }));
        Expect.Same([2, 2], [1, 2, 3, 4], tensor(new[] { 1, 2, 3, 4 }, [2, 2]));
        Expect.Same([2, 2], [1, 2, 3, 4], tensor(new List<float> { 1, 2, 3, 4 }, 2, 2));
        Expect.Same([1, 2, 2], [1, 2, 3, 4], tensor(new List<long> { 1, 2, 3, 4 }, 1, 2, 2));
        Expect.Same([2, 2], [1, 2, 3, 4], tensor(new[,] { { 1.0, 2 }, { 3, 4 } }));
        Expect.Same([1, 2, 2], [1, 2, 3, 4], tensor(new byte[,,] { { { 1, 2 }, { 3, 4 } } }));
        Expect.Same([1, 1, 2, 2], [1, 2, 3, 4], tensor(new int[,,,] { { { { 1, 2 }, { 3, 4 } } } }));
        Expect.Same([2], [2, 3], tensor(new Memory<float>([1, 2, 3, 4], 1, 2), [2]));
        Expect.Same([2], [1, 0], tensor(new[] { true, false }));
        Expect.Same([2], [1.5, -2], tensor(new[] { (Half)1.5, (Half)(-2) }));
        Expect.Same([2], [1.5, -2], tensor(new[] { new BFloat16(1.5f), new BFloat16(-2) }));
        Expect.Same([0], [], tensor(Array.Empty<float>()));
        Assert.Equal(float64, tensor(new[] { 1, 2 }, dtype: float64).dtype);
        Assert.True(tensor(new[] { 1f, 2 }, requires_grad: true).requires_grad);
        // An array may be longer than the tensor, not shorter.
        Expect.Same([2], [1, 2], tensor(new[] { 1.0, 2, 3 }, [2]));
        Assert.Throws<ArgumentException>(() => tensor(new[] { 1.0, 2, 3 }, [2, 2]));
    }

    [Fact]
    public void Tensors_from_arrays_have_memory_of_their_own()
    {
        using var scope = NewDisposeScope();
        var array = new[] { 1.0, 2 };
        var x = tensor(array);

        array[0] = 9;
        Expect.Close([1, 2], x);
    }

    [Fact]
    public void From_array_and_frombuffer_share_memory()
    {
        using var scope = NewDisposeScope();
        var array = new double[,] { { 1, 2 }, { 3, 4 } };
        var x = from_array(array);

        array[0, 1] = 9;
        Expect.Same([2, 2], [1, 9, 3, 4], x);
        x[1, 1] = -1.0;
        Assert.Equal(-1, array[1, 1]);
        var part = frombuffer(new[] { 1f, 2, 3, 4 }, float32, count: 2, offset: 1);
        Expect.Same([2], [2, 3], part);
        Assert.Equal(float64, from_array(new[] { 1f }, float64).dtype);
        Assert.Throws<ArgumentException>(() => frombuffer(new float[2], float32, offset: 5));
        Assert.Throws<IndexOutOfRangeException>(() => frombuffer(new float[2], float32, count: 3));
    }

    [Fact]
    public void A_shared_array_lives_as_long_as_a_tensor_over_it()
    {
        var (tensor, array) = Share();
        using (tensor)
        {
            GC.Collect();
            Assert.True(array.IsAlive);
            Assert.Equal(7, tensor.data<double>()[99]);
        }
        for (var i = 0; array.IsAlive && i < 10; i++)
            GC.Collect();
        Assert.False(array.IsAlive);

        static (Tensor, WeakReference) Share()
        {
            var array = new double[100];
            array[99] = 7;
            return (from_array(array).DetachFromDisposeScope(), new WeakReference(array));
        }
    }
}
