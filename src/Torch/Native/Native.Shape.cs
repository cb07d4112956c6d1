using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/shape.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern nint mdt_view(nint a, long* d, int n);
    [DllImport(Library)] internal static extern nint mdt_reshape(nint a, long* d, int n);
    [DllImport(Library)] internal static extern nint mdt_flatten(nint a, long start, long end);
    [DllImport(Library)] internal static extern nint mdt_unflatten(nint a, long dim, long* d, int n);
    [DllImport(Library)] internal static extern nint mdt_squeeze(nint a);
    [DllImport(Library)] internal static extern nint mdt_squeeze_dim(nint a, long dim);
    [DllImport(Library)] internal static extern nint mdt_unsqueeze(nint a, long dim);
    [DllImport(Library)] internal static extern nint mdt_t(nint a);
    [DllImport(Library)] internal static extern nint mdt_numpy_T(nint a);
    [DllImport(Library)] internal static extern nint mdt_mT(nint a);
    [DllImport(Library)] internal static extern nint mdt_transpose(nint a, long dim0, long dim1);
    [DllImport(Library)] internal static extern nint mdt_permute(nint a, long* d, int n);
    [DllImport(Library)] internal static extern nint mdt_expand(nint a, long* d, int n, int @implicit);
    [DllImport(Library)] internal static extern nint mdt_repeat(nint a, long* d, int n);
    [DllImport(Library)] internal static extern nint mdt_repeat_interleave(nint a, long repeats, int hasDim, long dim, int hasSize, long size);
    [DllImport(Library)] internal static extern nint mdt_repeat_interleave_tensor(nint a, nint repeats, int hasDim, long dim, int hasSize, long size);
    [DllImport(Library)] internal static extern nint mdt_as_strided(nint a, long* sizes, int n, long* strides, int m, long offset);
    [DllImport(Library)] internal static extern nint mdt_narrow(nint a, long dim, long start, long length);
    [DllImport(Library)] internal static extern nint mdt_slice(nint a, long dim, long start, long end, long step);
    [DllImport(Library)] internal static extern nint mdt_select(nint a, long dim, long index);
    [DllImport(Library)] internal static extern nint mdt_diagonal(nint a, long offset, long dim1, long dim2);
    [DllImport(Library)] internal static extern nint mdt_tril(nint a, long diagonal);
    [DllImport(Library)] internal static extern int mdt_tril_(nint a, long diagonal);
    [DllImport(Library)] internal static extern nint mdt_triu(nint a, long diagonal);
    [DllImport(Library)] internal static extern int mdt_triu_(nint a, long diagonal);
    [DllImport(Library)] internal static extern nint mdt_flip(nint a, long* d, int n);
    [DllImport(Library)] internal static extern nint mdt_roll(nint a, long* shifts, int n, long* d, int m);
    [DllImport(Library)] internal static extern nint mdt_index(nint a, NativeIndex* indices, int count);
    [DllImport(Library)] internal static extern int mdt_index_put_(nint a, NativeIndex* indices, int count, nint value);
    [DllImport(Library)] internal static extern int mdt_index_put_scalar_(nint a, NativeIndex* indices, int count, NativeScalar value);
    [DllImport(Library)] internal static extern int mdt_index_put_accumulate_(nint a, NativeIndex* indices, int count, nint value);
    [DllImport(Library)] internal static extern nint mdt_index_select(nint a, long dim, nint index);
    [DllImport(Library)] internal static extern nint mdt_gather(nint a, long dim, nint index);
    [DllImport(Library)] internal static extern nint mdt_take(nint a, nint index);
    [DllImport(Library)] internal static extern nint mdt_take_along_dim(nint a, nint index, int hasDim, long dim);
    [DllImport(Library)] internal static extern nint mdt_masked_select(nint a, nint mask);
    [DllImport(Library)] internal static extern nint mdt_masked_fill(nint a, nint mask, NativeScalar value);
    [DllImport(Library)] internal static extern int mdt_masked_fill_(nint a, nint mask, NativeScalar value);
    [DllImport(Library)] internal static extern nint mdt_scatter(nint a, long dim, nint index, nint source);
    [DllImport(Library)] internal static extern int mdt_scatter_(nint a, long dim, nint index, nint source);
    [DllImport(Library)] internal static extern nint mdt_scatter_add(nint a, long dim, nint index, nint source);
    [DllImport(Library)] internal static extern int mdt_scatter_add_(nint a, long dim, nint index, nint source);
    [DllImport(Library)] internal static extern nint mdt_index_add(nint a, long dim, nint index, nint source, NativeScalar alpha);
    [DllImport(Library)] internal static extern int mdt_index_add_(nint a, long dim, nint index, nint source, NativeScalar alpha);
    [DllImport(Library)] internal static extern nint mdt_index_copy(nint a, long dim, nint index, nint source);
    [DllImport(Library)] internal static extern int mdt_index_copy_(nint a, long dim, nint index, nint source);
    [DllImport(Library)] internal static extern nint mdt_index_fill(nint a, long dim, nint index, NativeScalar value);
    [DllImport(Library)] internal static extern int mdt_index_fill_(nint a, long dim, nint index, NativeScalar value);
    [DllImport(Library)] internal static extern nint mdt_cat(nint* tensors, int count, long dim);
    [DllImport(Library)] internal static extern nint mdt_stack(nint* tensors, int count, long dim);
    [DllImport(Library)] internal static extern long mdt_chunk(nint a, long chunks, long dim);
    [DllImport(Library)] internal static extern long mdt_split(nint a, long size, long dim);
    [DllImport(Library)] internal static extern long mdt_split_sizes(nint a, long* d, int n, long dim);
    [DllImport(Library)] internal static extern long mdt_unbind(nint a, long dim);
}
