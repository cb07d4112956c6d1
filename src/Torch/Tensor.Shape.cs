using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Views and copies of another shape.
    public partial class Tensor
    {
        public unsafe Tensor view(params long[] shape)
        {
            fixed (long* p = shape)
                return Made1(mdt_view(Handle, p, shape.Length));
        }

        public unsafe Tensor reshape(params long[] shape)
        {
            fixed (long* p = shape)
                return Made1(mdt_reshape(Handle, p, shape.Length));
        }

        public Tensor view_as(Tensor other) => view(other.shape);
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Made1(mdt_flatten(Handle, start_dim, end_dim));

        public unsafe Tensor unflatten(long dim, params long[] sizes)
        {
            fixed (long* p = sizes)
                return Made1(mdt_unflatten(Handle, dim, p, sizes.Length));
        }

        public Tensor unflatten(long dim, Size sizes) => unflatten(dim, sizes.Shape);
        public Tensor squeeze(long? dim = null) => Made1(dim is { } one ? mdt_squeeze_dim(Handle, one) : mdt_squeeze(Handle));
        public Tensor unsqueeze(long dim) => Made1(mdt_unsqueeze(Handle, dim));
        public Tensor transpose(long dim0, long dim1) => Made1(mdt_transpose(Handle, dim0, dim1));
        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);
        public Tensor swapdims(long dim0, long dim1) => transpose(dim0, dim1);

        public unsafe Tensor permute(params long[] permutation)
        {
            fixed (long* p = permutation)
                return Made1(mdt_permute(Handle, p, permutation.Length));
        }

        public Tensor permute(IEnumerable<long> permutation) => permute(permutation.ToArray());
        public Tensor expand(params long[] sizes) => expand((ReadOnlySpan<long>)sizes);
        public Tensor expand(long[] sizes, bool isImplicit = false) => expand((ReadOnlySpan<long>)sizes, isImplicit);

        public unsafe Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false)
        {
            fixed (long* p = sizes)
                return Made1(mdt_expand(Handle, p, sizes.Length, Flag(isImplicit)));
        }

        public Tensor expand(Size sizes, bool isImplicit = false) => expand((ReadOnlySpan<long>)sizes.Shape, isImplicit);
        public Tensor expand_as(Tensor other) => expand(other.shape);
        public Tensor broadcast_to(params long[] shape) => expand((ReadOnlySpan<long>)shape);

        public unsafe Tensor repeat(params long[] sizes)
        {
            fixed (long* p = sizes)
                return Made1(mdt_repeat(Handle, p, sizes.Length));
        }

        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null) =>
            Made1(mdt_repeat_interleave(Handle, repeats, Flag(dim is not null), dim ?? 0, Flag(output_size is not null), output_size ?? 0));

        public Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null)
        {
            var result = mdt_repeat_interleave_tensor(
                Handle, repeats.Handle, Flag(dim is not null), dim ?? 0, Flag(output_size is not null), output_size ?? 0);
            return Made2(result, repeats);
        }

        public unsafe Tensor as_strided(long[] size, long[] strides, long storageOffset = 0)
        {
            fixed (long* p = size, q = strides)
                return Made1(mdt_as_strided(Handle, p, size.Length, q, strides.Length, storageOffset));
        }

        public Tensor narrow(long dim, long start, long length) => Made1(mdt_narrow(Handle, dim, start, length));
        public Tensor slice(long dim, long start, long finish, long step) => Made1(mdt_slice(Handle, dim, start, finish, step));
        public Tensor select(long dim, long index) => Made1(mdt_select(Handle, dim, index));
        public Tensor diagonal(long offset = 0, long dim1 = 0, long dim2 = 1) => Made1(mdt_diagonal(Handle, offset, dim1, dim2));
        public Tensor tril(long diagonal = 0) => Made1(mdt_tril(Handle, diagonal));
        public Tensor tril_(long diagonal = 0) => Done(mdt_tril_(Handle, diagonal));
        public Tensor triu(long diagonal = 0) => Made1(mdt_triu(Handle, diagonal));
        public Tensor triu_(long diagonal = 0) => Done(mdt_triu_(Handle, diagonal));

        public unsafe Tensor flip(params long[] dims)
        {
            fixed (long* p = dims)
                return Made1(mdt_flip(Handle, p, dims.Length));
        }

        public Tensor roll(long shifts, long? dims = null) => roll((ReadOnlySpan<long>)[shifts], dims is { } one ? [one] : default);
        public Tensor roll(long[] shifts) => roll((ReadOnlySpan<long>)shifts);
        public Tensor roll(long[] shifts, long[] dims) => roll((ReadOnlySpan<long>)shifts, dims);

        public Tensor roll((long, long) shifts, (long, long) dims) =>
            roll((ReadOnlySpan<long>)[shifts.Item1, shifts.Item2], [dims.Item1, dims.Item2]);

        public Tensor roll((long, long, long) shifts, (long, long, long) dims) =>
            roll((ReadOnlySpan<long>)[shifts.Item1, shifts.Item2, shifts.Item3], [dims.Item1, dims.Item2, dims.Item3]);

        public unsafe Tensor roll(ReadOnlySpan<long> shifts, ReadOnlySpan<long> dims = default)
        {
            fixed (long* p = shifts, q = dims)
                return Made1(mdt_roll(Handle, p, shifts.Length, q, dims.Length));
        }

        // ---- splitting ----

        public Tensor[] chunk(long chunks, long dim = 0) => MadeList1(mdt_chunk(Handle, chunks, dim));
        public Tensor[] split(long size, int dim = 0) => MadeList1(mdt_split(Handle, size, dim));
        public Tensor[] split(params long[] sizes) => split((ReadOnlySpan<long>)sizes);
        public Tensor[] split(long[] sizes, long dim = 0) => split((ReadOnlySpan<long>)sizes, dim);

        public unsafe Tensor[] split(ReadOnlySpan<long> sizes, long dim = 0)
        {
            fixed (long* p = sizes)
                return MadeList1(mdt_split_sizes(Handle, p, sizes.Length, dim));
        }

        public Tensor[] unbind(long dimension = 0) => MadeList1(mdt_unbind(Handle, dimension));

        /// <summary>The tensor with its dimensions in reverse.</summary>
        public Tensor T => Made1(mdt_numpy_T(Handle));

        /// <summary>The tensor with its last two dimensions swapped.</summary>
        public Tensor mT => Made1(mdt_mT(Handle));
    }
}
