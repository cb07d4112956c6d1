using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Elements picked by tensors of positions or of truth values, and put back.
    public partial class Tensor
    {
        public Tensor index_select(long dim, Tensor index) => Made2(mdt_index_select(Handle, dim, index.Handle), index);
        public Tensor gather(long dim, Tensor index) => Made2(mdt_gather(Handle, dim, index.Handle), index);
        public Tensor take(Tensor index) => Made2(mdt_take(Handle, index.Handle), index);
        public Tensor take_along_dim(Tensor indices) => Made2(mdt_take_along_dim(Handle, indices.Handle, 0, 0), indices);
        public Tensor take_along_dim(Tensor indices, long dim) => Made2(mdt_take_along_dim(Handle, indices.Handle, 1, dim), indices);
        public Tensor masked_select(Tensor mask) => Made2(mdt_masked_select(Handle, mask.Handle), mask);
        public Tensor masked_fill(Tensor mask, Scalar value) => Made2(mdt_masked_fill(Handle, mask.Handle, value.Value), mask);
        public Tensor masked_fill_(Tensor mask, Scalar value) => Done(mdt_masked_fill_(Handle, mask.Handle, value.Value), mask);
        public Tensor scatter(long dim, Tensor index, Tensor src) => Made3(mdt_scatter(Handle, dim, index.Handle, src.Handle), index, src);
        public Tensor scatter_(long dim, Tensor index, Tensor src) => Done(mdt_scatter_(Handle, dim, index.Handle, src.Handle), index, src);
        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Made3(mdt_scatter_add(Handle, dim, index.Handle, src.Handle), index, src);
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Done(mdt_scatter_add_(Handle, dim, index.Handle, src.Handle), index, src);

        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Made3(mdt_index_add(Handle, dim, index.Handle, source.Handle, alpha.Value), index, source);

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Done(mdt_index_add_(Handle, dim, index.Handle, source.Handle, alpha.Value), index, source);

        public Tensor index_copy(long dim, Tensor index, Tensor source) =>
            Made3(mdt_index_copy(Handle, dim, index.Handle, source.Handle), index, source);

        public Tensor index_copy_(long dim, Tensor index, Tensor source) =>
            Done(mdt_index_copy_(Handle, dim, index.Handle, source.Handle), index, source);

        public Tensor index_fill(long dim, Tensor index, Scalar value) => Made2(mdt_index_fill(Handle, dim, index.Handle, value.Value), index);
        public Tensor index_fill_(long dim, Tensor index, Scalar value) => Done(mdt_index_fill_(Handle, dim, index.Handle, value.Value), index);
    }
}
