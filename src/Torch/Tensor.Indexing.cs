using System.Runtime.CompilerServices;
using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // tensor[...]
    public partial class Tensor
    {
        [IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params Tensor[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [IndexerName("TensorItems")]
        public Tensor this[params long[] indices]
        {
            get => index(Singles(indices));
            set => index_put_(value, Singles(indices));
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1]
        {
            get => Get([i1]);
            set => Set([i1], value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2]
        {
            get => Get([i1, i2]);
            set => Set([i1, i2], value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3]
        {
            get => Get([i1, i2, i3]);
            set => Set([i1, i2, i3], value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4]
        {
            get => Get([i1, i2, i3, i4]);
            set => Set([i1, i2, i3, i4], value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4, long i5]
        {
            get => Get([i1, i2, i3, i4, i5]);
            set => Set([i1, i2, i3, i4, i5], value);
        }

        [IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4, long i5, long i6]
        {
            get => Get([i1, i2, i3, i4, i5, i6]);
            set => Set([i1, i2, i3, i4, i5, i6], value);
        }

        public unsafe Tensor index(params TensorIndex[] indices)
        {
            var items = Items(indices);
            fixed (NativeIndex* p = items)
                return Made2(mdt_index(Handle, p, items.Length), indices);
        }

        public Tensor index(params Tensor[] indices) => index(Positions(indices));

        public unsafe Tensor index_put_(Tensor value, params TensorIndex[] indices)
        {
            var items = Items(indices);
            fixed (NativeIndex* p = items)
                return Done(mdt_index_put_(Handle, p, items.Length, value.Handle), indices, value);
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, Positions(indices));

        public unsafe Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            var items = Items(indices);
            fixed (NativeIndex* p = items)
                return Done(mdt_index_put_scalar_(Handle, p, items.Length, value.Value), indices);
        }

        public Tensor index_put_(Scalar value, params Tensor[] indices) => index_put_(value, Positions(indices));

        /// <summary>With accumulate the values are added to what stands there, every time an index occurs.</summary>
        public unsafe Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            var items = Items(indices);
            fixed (NativeIndex* p = items)
            {
                var status = accumulate
                    ? mdt_index_put_accumulate_(Handle, p, items.Length, value.Handle)
                    : mdt_index_put_(Handle, p, items.Length, value.Handle);
                return Done(status, indices, value);
            }
        }

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) => index_put_(value, Positions(indices), accumulate);

        private static NativeIndex[] Items(TensorIndex[] indices) => Array.ConvertAll(indices, index =>
        {
            index.Item.Tensor = index.Positions?.Handle ?? 0;
            return index.Item;
        });

        private static TensorIndex[] Positions(Tensor[] indices) => Array.ConvertAll(indices, TensorIndex.Tensor);

        private static TensorIndex[] Singles(long[] indices) => Array.ConvertAll(indices, index => TensorIndex.Single(index));

        private unsafe Tensor Get(ReadOnlySpan<long> indices)
        {
            var items = stackalloc NativeIndex[indices.Length];
            for (var i = 0; i < indices.Length; i++)
                items[i] = new NativeIndex { Start = indices[i] };
            return Made1(mdt_index(Handle, items, indices.Length));
        }

        private unsafe void Set(ReadOnlySpan<long> indices, Tensor value)
        {
            var items = stackalloc NativeIndex[indices.Length];
            for (var i = 0; i < indices.Length; i++)
                items[i] = new NativeIndex { Start = indices[i] };
            Done(mdt_index_put_(Handle, items, indices.Length, value.Handle), value);
        }
    }
}
