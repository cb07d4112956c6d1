using TorchSharp.Utils;
using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // The elements, seen from .NET.
    public partial class Tensor
    {
        /// <summary>Where the elements begin.</summary>
        internal unsafe void* DataPointer
        {
            get
            {
                void* result;
                Check(mdt_data(Handle, &result));
                GC.KeepAlive(this);
                return result;
            }
        }

        /// <summary>The elements of a tensor in main memory; those of another one are copied there first.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            ValidateType(typeof(T));
            return new TensorAccessor<T>(device_type == DeviceType.CPU ? this : cpu());
        }

        internal void ValidateType(Type type)
        {
            if (type != ElementType(dtype))
                throw new ArgumentException($"{type.Name} is not compatible with {dtype}");
        }

        private static Type? ElementType(ScalarType dtype) => dtype switch
        {
            ScalarType.Byte => typeof(byte),
            ScalarType.Int8 => typeof(sbyte),
            ScalarType.Int16 => typeof(short),
            ScalarType.Int32 => typeof(int),
            ScalarType.Int64 => typeof(long),
            ScalarType.Float16 => typeof(Half),
            ScalarType.BFloat16 => typeof(BFloat16),
            ScalarType.Float32 => typeof(float),
            ScalarType.Float64 => typeof(double),
            ScalarType.Bool => typeof(bool),
            _ => null,
        };

        /// <summary>The one element there is, in the tensor's own type.</summary>
        public unsafe T item<T>() where T : unmanaged
        {
            if (NumberOfElements != 1)
                throw new ArgumentException("Number of elements in the tensor must be 1");
            ValidateType(typeof(T));
            if (device_type != DeviceType.CPU)
            {
                using var here = cpu();
                return here.item<T>();
            }
            var value = *(T*)DataPointer;
            GC.KeepAlive(this);
            return value;
        }

        /// <summary>The one element there is, whatever its type.</summary>
        public unsafe Scalar ToScalar()
        {
            NativeScalar result;
            Check(mdt_item(Handle, &result));
            GC.KeepAlive(this);
            return new Scalar(result);
        }

        /// <summary>The memory of a contiguous tensor, in place: writing to it writes to the tensor. It is valid as long as the tensor.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                var size = NumberOfElements * ElementSize;
                if (!is_contiguous())
                    throw new InvalidOperationException("Bytes() called on non-contiguous tensor.");
                if (size > int.MaxValue)
                    throw new ArgumentException("Span only supports up to int.MaxValue elements.");
                if (device_type != DeviceType.CPU)
                    throw NotInMainMemory();
                return new Span<byte>(DataPointer, (int)size);
            }
            set
            {
                var into = bytes;
                if (into.Length != value.Length)
                    throw new ArgumentException("Mismatched data sizes in SetBytes().");
                value.CopyTo(into);
            }
        }

        public void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            foreach (var (offset, length) in Blocks(bufferSize))
                stream.Write(Block(offset, length));
            GC.KeepAlive(this);
        }

        public void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            foreach (var (offset, length) in Blocks(bufferSize))
                stream.ReadExactly(Block(offset, length));
            GC.KeepAlive(this);
        }

        // A span holds at most 2 GiB, a tensor may hold more. Too small a buffer only costs calls: none is copied through.
        private IEnumerable<(long Offset, int Length)> Blocks(int bufferSize)
        {
            if (!is_contiguous())
                throw new InvalidOperationException("Bytes() called on non-contiguous tensor.");
            if (device_type != DeviceType.CPU)
                throw NotInMainMemory();
            var size = NumberOfElements * ElementSize;
            var block = Math.Max(bufferSize, 1 << 20);
            for (long offset = 0; offset < size; offset += block)
                yield return (offset, (int)Math.Min(block, size - offset));
        }

        internal static InvalidOperationException NotInMainMemory() =>
            new("Reading data from non-CPU memory is not supported. Move or copy the tensor to the cpu before reading.");

        private unsafe Span<byte> Block(long offset, int length) => new((byte*)DataPointer + offset, length);

        public double ReadCpuDouble(long i) => ReadCpuValue<double>(i);

        public float ReadCpuSingle(long i) => ReadCpuValue<float>(i);

        public int ReadCpuInt32(long i) => ReadCpuValue<int>(i);

        public long ReadCpuInt64(long i) => ReadCpuValue<long>(i);

        public byte ReadCpuByte(long i) => ReadCpuValue<byte>(i);

        public sbyte ReadCpuSByte(long i) => ReadCpuValue<sbyte>(i);

        public short ReadCpuInt16(long i) => ReadCpuValue<short>(i);

        public bool ReadCpuBool(long i) => ReadCpuValue<bool>(i);

        public float ReadCpuFloat16(long i) => (float)ReadCpuValue<Half>(i);

        public float ReadCpuBFloat16(long i) => ReadCpuValue<BFloat16>(i).ToSingle();

        /// <summary>The element at that position, counted row by row.</summary>
        public T ReadCpuValue<T>(long i) where T : unmanaged
        {
            ValidateType(typeof(T));
            using var accessor = new TensorAccessor<T>(this);
            return accessor[i];
        }

        // A tensor of one element as a number.
        public static explicit operator bool(Tensor value) => value.ToScalar().ToBoolean();
        public static explicit operator byte(Tensor value) => value.ToScalar().ToByte();
        public static explicit operator sbyte(Tensor value) => value.ToScalar().ToSByte();
        public static explicit operator short(Tensor value) => value.ToScalar().ToInt16();
        public static explicit operator int(Tensor value) => value.ToScalar().ToInt32();
        public static explicit operator long(Tensor value) => value.ToScalar().ToInt64();
        public static explicit operator float(Tensor value) => value.ToScalar().ToSingle();
        public static explicit operator double(Tensor value) => value.ToScalar().ToDouble();

        // A number or an array as a tensor.
        public static implicit operator Tensor(bool value) => tensor(value);
        public static implicit operator Tensor(byte value) => tensor(value);
        public static implicit operator Tensor(sbyte value) => tensor(value);
        public static implicit operator Tensor(short value) => tensor(value);
        public static implicit operator Tensor(int value) => tensor(value);
        public static implicit operator Tensor(long value) => tensor(value);
        public static implicit operator Tensor(float value) => tensor(value);
        public static implicit operator Tensor(double value) => tensor(value);
        public static implicit operator Tensor(bool[] value) => tensor(value);
        public static implicit operator Tensor(byte[] value) => tensor(value);
        public static implicit operator Tensor(sbyte[] value) => tensor(value);
        public static implicit operator Tensor(short[] value) => tensor(value);
        public static implicit operator Tensor(int[] value) => tensor(value);
        public static implicit operator Tensor(long[] value) => tensor(value);
        public static implicit operator Tensor(float[] value) => tensor(value);
        public static implicit operator Tensor(double[] value) => tensor(value);
        public static implicit operator Tensor(Scalar scalar) => Made(mdt_scalar_tensor(scalar.Value, Options(scalar.Type, null, false)));
    }
}

/// <summary>A tensor's one element as a number of .NET's, and the other way round.</summary>
public static class TensorExtensionMethods
{
    public static bool ToBoolean(this torch.Tensor value) => value.ToScalar().ToBoolean();
    public static byte ToByte(this torch.Tensor value) => value.ToScalar().ToByte();
    public static sbyte ToSByte(this torch.Tensor value) => value.ToScalar().ToSByte();
    public static short ToInt16(this torch.Tensor value) => value.ToScalar().ToInt16();
    public static int ToInt32(this torch.Tensor value) => value.ToScalar().ToInt32();
    public static long ToInt64(this torch.Tensor value) => value.ToScalar().ToInt64();
    public static float ToSingle(this torch.Tensor value) => value.ToScalar().ToSingle();
    public static double ToDouble(this torch.Tensor value) => value.ToScalar().ToDouble();
    public static Half ToHalf(this torch.Tensor value) => value.ToScalar().ToHalf();
    public static BFloat16 ToBFloat16(this torch.Tensor value) => value.ToScalar().ToBFloat16();

    /// <summary>The size of one element in bytes.</summary>
    public static int ElementSize(this torch.ScalarType type) => type switch
    {
        torch.ScalarType.Byte or torch.ScalarType.Int8 or torch.ScalarType.Bool or torch.ScalarType.QInt8 or torch.ScalarType.QUInt8 => 1,
        torch.ScalarType.Int16 or torch.ScalarType.Float16 or torch.ScalarType.BFloat16 => 2,
        torch.ScalarType.Int32 or torch.ScalarType.Float32 or torch.ScalarType.QInt32 => 4,
        torch.ScalarType.Int64 or torch.ScalarType.Float64 or torch.ScalarType.ComplexFloat32 => 8,
        torch.ScalarType.ComplexFloat64 => 16,
        _ => throw new ArgumentException($"no such element type: {type}"),
    };

    /// <summary>How many elements a tensor of that shape has.</summary>
    public static long TotalSize(this IEnumerable<long> shape) => shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>A tensor that is to be trained.</summary>
    public static Modules.Parameter AsParameter(this torch.Tensor tensor) => new(tensor);
}
