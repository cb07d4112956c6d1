using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Copies, other types, other devices.
    public partial class Tensor
    {
        public Tensor clone() => Made1(mdt_clone(Handle));

        /// <summary>The same elements without the history that gradients need.</summary>
        public Tensor detach() => Made1(mdt_detach(Handle));

        public Tensor detach_() => Done(mdt_detach_(Handle));

        /// <summary>Another tensor over the same elements.</summary>
        public Tensor alias() => Made1(mdt_alias(Handle));

        public Tensor contiguous() => Made1(mdt_contiguous(Handle));

        public Tensor cpu() => Made1(mdt_to(Handle, -1, (int)DeviceType.CPU, -1, 0, 0));

        public Tensor cuda(Device? device = null, bool non_blocking = false)
        {
            if (device is not null && device.type != DeviceType.CUDA)
                throw new ArgumentException("Not a CUDA device.", nameof(device));
            InitializeDeviceType(DeviceType.CUDA);
            return device is null ? Made1(mdt_cuda(Handle)) : Convert(-1, (int)DeviceType.CUDA, device.index, false, non_blocking, false);
        }

        public Tensor to(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            Convert((int)type, -1, -1, copy, non_blocking, disposeAfter);

        public Tensor to(DeviceType deviceType, int deviceIndex = -1, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
        {
            InitializeDeviceType(deviceType);
            return Convert(-1, (int)deviceType, deviceIndex, copy, non_blocking, disposeAfter);
        }

        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(device.type, device.index, copy, disposeAfter, non_blocking);

        public Tensor to(string device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(new Device(device), copy, disposeAfter, non_blocking);

        public Tensor to(ScalarType type, Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
        {
            device = InitializeDevice(device);
            return Convert((int)type, (int)device.type, device.index, copy, non_blocking, disposeAfter);
        }

        /// <summary>As the other one is: its type, its device.</summary>
        public Tensor to(Tensor other, bool non_blocking = false) => to(other.dtype, other.device, non_blocking: non_blocking);

        public Tensor to_type(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(type, copy, disposeAfter, non_blocking);

        public Tensor type(ScalarType dtype) => to(dtype);

        public Tensor type(Func<Tensor, Tensor> typeFunc) => typeFunc(this);

        public Tensor type_as(Tensor tensor) => to(tensor.dtype);

        public Tensor @bool() => to(ScalarType.Bool);

        public Tensor @byte() => to(ScalarType.Byte);

        public Tensor @char() => to(ScalarType.Int8);

        public Tensor @short() => to(ScalarType.Int16);

        public Tensor @int() => to(ScalarType.Int32);

        public Tensor @long() => to(ScalarType.Int64);

        public Tensor half() => to(ScalarType.Float16);

        public Tensor bfloat16() => to(ScalarType.BFloat16);

        public Tensor @float() => to(ScalarType.Float32);

        public Tensor @double() => to(ScalarType.Float64);

        /// <summary>A copy in page-locked memory, from which a device copies without waiting.</summary>
        public Tensor pin_memory() => Made1(mdt_pin_memory(Handle));

        public Tensor copy_(Tensor source, bool nonBlocking = false) => Done(mdt_copy_(Handle, source.Handle, nonBlocking ? 1 : 0), source);

        public Tensor fill_(Scalar value) => Done(mdt_fill_(Handle, value.Value));

        public Tensor zero_() => Done(mdt_zero_(Handle));

        /// <summary>Makes this tensor stand for the other one's memory.</summary>
        public Tensor set_(Tensor source) => Done(mdt_set_(Handle, source.Handle), source);

        private Tensor Convert(int dtype, int device, int index, bool copy, bool nonBlocking, bool disposeAfter)
        {
            var result = Made1(mdt_to(Handle, dtype, device, index, copy ? 1 : 0, nonBlocking ? 1 : 0));
            if (disposeAfter)
                Dispose();
            return result;
        }
    }

    public static Tensor clone(Tensor input) => input.clone();

    public static Tensor BoolTensor(Tensor t) => t.to(ScalarType.Bool);

    public static Tensor ByteTensor(Tensor t) => t.to(ScalarType.Byte);

    public static Tensor ShortTensor(Tensor t) => t.to(ScalarType.Int16);

    public static Tensor IntTensor(Tensor t) => t.to(ScalarType.Int32);

    public static Tensor LongTensor(Tensor t) => t.to(ScalarType.Int64);

    public static Tensor FloatTensor(Tensor t) => t.to(ScalarType.Float32);

    public static Tensor DoubleTensor(Tensor t) => t.to(ScalarType.Float64);
}
