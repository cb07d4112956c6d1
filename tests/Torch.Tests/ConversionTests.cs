using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Torch.Tests;

public sealed class ConversionTests
{
    [Fact]
    public void Other_types()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { -1.75, 0, 2.5 });

        Expect.Close([-1, 0, 2], x.to(int64));
        Expect.Close([-1, 0, 2], x.@long());
        Expect.Close([-1, 0, 2], x.@int());
        Expect.Close([-1, 0, 2], x.@short());
        Expect.Close([-1, 0, 2], x.@char());
        Expect.Close([1, 0, 1], x.@bool());
        Expect.Close([-1.75, 0, 2.5], x.@float());
        Expect.Close([-1.75, 0, 2.5], x.half());
        Expect.Close([-1.75, 0, 2.5], x.bfloat16());
        Expect.Close([-1.75, 0, 2.5], x.@float().@double());
        Assert.Equal(float32, x.to_type(float32).dtype);
        Assert.Equal(float32, x.type(float32).dtype);
        Assert.Equal(float32, x.type_as(zeros(1)).dtype);
        Assert.Equal(float32, x.to(zeros(1)).dtype);
        Assert.Equal(float32, x.to(float32, CPU).dtype);
        Assert.Equal(int64, LongTensor(x).dtype);
        Assert.Equal(float32, FloatTensor(x).dtype);
    }

    [Fact]
    public void Brain_floats_round_to_the_nearest()
    {
        using var scope = NewDisposeScope();
        float[] values = [1f, 1.00390625f, 1.01171875f, 3.14159265f, -1e-40f, float.MaxValue, float.PositiveInfinity, 0.1f];

        var here = values.Select(value => new BFloat16(value).ToSingle()).ToArray();
        Assert.Equal(tensor(values).bfloat16().@float().data<float>().ToArray(), here);
        Assert.True(BFloat16.IsNaN(new BFloat16(float.NaN)));
        Assert.Equal(0.0078125f, BFloat16.Epsilon.ToSingle());
        Assert.Equal(1.5f, (new BFloat16(1) + new BFloat16(0.5f)).ToSingle());
        Assert.True(new BFloat16(1) < new BFloat16(2));
        Assert.Equal(0, new BFloat16(1).CompareTo(BFloat16.One));
    }

    [Fact]
    public void A_conversion_to_the_same_type_shares_memory_unless_a_copy_is_asked_for()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2);

        x.to(float32).fill_(1);
        Expect.Close([1, 1], x);
        x.to(float32, copy: true).fill_(2);
        x.to(CPU, copy: true).fill_(2);
        x.clone().fill_(2);
        Expect.Close([1, 1], x);
        x.cpu().fill_(3);
        x.to("cpu").add_(1);
        x.to(DeviceType.CPU).add_(1);
        x.alias().add_(1);
        x.detach().add_(1);
        Expect.Close([7, 7], x);
        var y = zeros(3);
        y.set_(x);
        y.fill_(8);
        Expect.Close([8, 8], x);
    }

    [Fact]
    public void The_original_can_be_disposed_of_in_passing()
    {
        using var scope = NewDisposeScope();
        var x = ones(2);

        Expect.Close([1, 1], x.to(float64, disposeAfter: true));
        Assert.True(x.IsInvalid);
    }

    [Fact]
    public void Conversions_pass_gradients_on()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1f, 2 }, requires_grad: true);

        (x.to(float64) * tensor(new[] { 3.0, 5 })).sum().backward();
        Expect.Close([3, 5], x.grad!);
        Assert.Equal(float32, x.grad!.dtype);
    }

    [Fact]
    public void Devices()
    {
        Assert.Equal((DeviceType.CPU, -1), (device("cpu").type, device("cpu").index));
        Assert.Equal("cuda:1", new Device("cuda:1").ToString());
        Assert.Equal("cuda", new Device("cuda").ToString());
        Assert.Equal((DeviceType.CUDA, 2), (device(2).type, device(2).index));
        Device implied = "cpu";
        Assert.Equal(DeviceType.CPU, implied.type);
        using var x = zeros(1);
        Assert.True(x.is_cpu());
        Assert.False(x.is_cuda);
        Assert.False(x.is_sparse);
        if (cuda.is_available())
        {
            Assert.True(cuda.device_count() > 0);
            return;
        }
        Assert.Equal(0, cuda.device_count());
        Assert.Throws<InvalidOperationException>(() => x.cuda());
        Assert.Throws<InvalidOperationException>(() => zeros(1, device: CUDA));
        Assert.Throws<InvalidOperationException>(() => cuda.synchronize());
    }

    [Fact]
    public void Scalars()
    {
        Scalar real = 1.5, whole = 3, truth = true;

        Assert.Equal(ScalarType.Float64, real.Type);
        Assert.Equal(ScalarType.Int64, whole.Type);
        Assert.Equal(ScalarType.Bool, truth.Type);
        Assert.Equal(1.5f, real.ToSingle());
        Assert.Equal(3, whole.ToInt32());
        Assert.Equal(3.0, whole.ToDouble());
        Assert.True(truth.ToBoolean());
        Assert.Equal(ScalarType.Int64, 5.ToScalar().Type);
        Assert.Equal((Half)1.5, real.ToHalf());
        real.Dispose();
    }

    [Fact]
    public void Limits_of_types()
    {
        Assert.Equal(float.MaxValue, finfo(float32).max);
        Assert.Equal(double.MaxValue, finfo(float64).max);
        Assert.Equal(65504, finfo(float16).max);
        Assert.Equal(3.3895313892515355e38, finfo(bfloat16).max);
        Assert.Equal(-finfo(bfloat16).max, finfo(bfloat16).min);
        Assert.Equal((16, 32, 64), (finfo(float16).bits, finfo().bits, finfo(float64).bits));
        Assert.Equal(Math.Pow(2, -23), finfo(float32).eps);
        Assert.Throws<ArgumentException>(() => finfo(int64));
    }

    [Fact]
    public void Sizes()
    {
        Size size = (2, 3, 4);

        Assert.Equal(24, size.numel());
        Assert.Equal(3, size.Length);
        Assert.Equal(3, size[1]);
        Assert.Equal([2L, 3, 4], size.Shape);
        Assert.Equal([2L, 3, 4], size.ToArray());
        Assert.Equal([3L, 4], size.Slice(1, 3).Shape);
        Assert.True(Size.Empty.IsEmpty);
        Expect.Shape([2, 3, 4], zeros(1, 3, 1).expand(size));
    }

    [Fact]
    public void Text()
    {
        using var scope = NewDisposeScope();
        var x = arange(6, dtype: float32).view(2, 3);

        Assert.Equal("[2x3], type = Float32, device = cpu", x.ToString());
        Assert.Equal("[], type = Int64, device = cpu", tensor(1L).ToString());
        Assert.Contains("4", x.ToString(TorchSharp.TensorStringStyle.Numpy));
        Assert.DoesNotContain("500", arange(1000).ToString(TorchSharp.TensorStringStyle.Numpy));
    }
}
