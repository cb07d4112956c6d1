using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Shape, type and place.
    public partial class Tensor
    {
        public long Dimensions
        {
            get
            {
                var result = mdt_dim(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public long dim() => Dimensions;

        public long ndim => Dimensions;

        public long NumberOfElements
        {
            get
            {
                var result = mdt_numel(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public long numel() => NumberOfElements;

        /// <summary>The size of one element in bytes.</summary>
        public long ElementSize
        {
            get
            {
                var result = mdt_element_size(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public long element_size() => ElementSize;

        public unsafe long[] shape
        {
            get
            {
                var result = new long[Dimensions];
                fixed (long* into = result)
                    mdt_sizes(Handle, into);
                GC.KeepAlive(this);
                return result;
            }
        }

        public long[] size() => shape;

        public unsafe long size(int dim)
        {
            long result;
            Check(mdt_size(Handle, dim, &result));
            GC.KeepAlive(this);
            return result;
        }

        /// <summary>For each dimension the distance between neighbours, in elements.</summary>
        public unsafe long[] stride()
        {
            var result = new long[Dimensions];
            fixed (long* into = result)
                Check(mdt_strides(Handle, into));
            GC.KeepAlive(this);
            return result;
        }

        public unsafe long stride(int dim)
        {
            long result;
            Check(mdt_stride(Handle, dim, &result));
            GC.KeepAlive(this);
            return result;
        }

        public unsafe long storage_offset()
        {
            long result;
            Check(mdt_storage_offset(Handle, &result));
            GC.KeepAlive(this);
            return result;
        }

        public ScalarType dtype
        {
            get
            {
                var result = (ScalarType)mdt_dtype(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public DeviceType device_type
        {
            get
            {
                var result = (DeviceType)mdt_device_type(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public int device_index
        {
            get
            {
                var result = mdt_device_index(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public Device device => device_type == DeviceType.CPU ? CPU : new Device(device_type, device_index);

        public bool is_cpu() => device_type == DeviceType.CPU;

        public bool is_cuda => device_type == DeviceType.CUDA;

        public bool is_meta => device_type == DeviceType.META;

        public bool is_sparse
        {
            get
            {
                var result = mdt_is_sparse(Handle) != 0;
                GC.KeepAlive(this);
                return result;
            }
        }

        public bool is_contiguous()
        {
            var result = mdt_is_contiguous(Handle) != 0;
            GC.KeepAlive(this);
            return result;
        }

        public unsafe bool is_pinned()
        {
            int result;
            Check(mdt_is_pinned(Handle, &result));
            GC.KeepAlive(this);
            return result != 0;
        }

        public bool is_floating_point() => torch.is_floating_point(dtype);

        public bool is_integral() => torch.is_integral(dtype);

        public bool is_complex() => torch.is_complex(dtype);

        /// <summary>Whether the one element there is differs from zero.</summary>
        public bool is_nonzero()
        {
            if (numel() != 1)
                throw new InvalidOperationException("is_nonzero() called on non-singleton tensor");
            return ToScalar().AsDouble() != 0;
        }
    }

    public static bool is_floating_point(Tensor input) => input.is_floating_point();

    public static bool is_integral(Tensor t) => t.is_integral();

    public static bool is_complex(Tensor input) => input.is_complex();

    public static bool is_nonzero(Tensor input) => input.is_nonzero();

    public static long numel(Tensor input) => input.NumberOfElements;
}
