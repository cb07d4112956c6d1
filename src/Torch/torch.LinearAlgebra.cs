namespace TorchSharp;

public static partial class torch
{
    // The functions of Tensor.LinearAlgebra.cs, with the tensor as their first argument; Einstein's sums; norms.

    public static Tensor matmul(Tensor input, Tensor target) => input.matmul(target);
    public static Tensor mm(Tensor input, Tensor target) => input.mm(target);
    public static Tensor bmm(Tensor input, Tensor batch2) => input.bmm(batch2);
    public static Tensor mv(Tensor input, Tensor target) => input.mv(target);
    public static Tensor dot(Tensor input, Tensor other) => input.dot(other);
    public static Tensor outer(Tensor input, Tensor vec2) => input.outer(vec2);
    public static Tensor addmm(Tensor input, Tensor mat1, Tensor mat2, float beta, float alpha) => input.addmm(mat1, mat2, beta, alpha);
    public static Tensor addmm_(Tensor input, Tensor mat1, Tensor mat2, float beta, float alpha) => input.addmm_(mat1, mat2, beta, alpha);
    public static Tensor addmv(Tensor input, Tensor mat1, Tensor mat2, float beta, float alpha) => input.addmv(mat1, mat2, beta, alpha);

    public static Tensor baddbmm(Tensor input, Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
        input.baddbmm(batch1, batch2, beta, alpha);

    public static Tensor t(Tensor input) => input.t();

    /// <summary>A sum of products after the equation, such as "ij,jk->ik".</summary>
    public static unsafe Tensor einsum(string equation, params Tensor[] tensors)
    {
        Span<nint> handles = tensors.Length <= 16 ? stackalloc nint[tensors.Length] : new nint[tensors.Length];
        Tensor.CopyHandles(tensors, handles);
        fixed (byte* text = Utf8(equation))
        fixed (nint* p = handles)
        {
            var result = Native.mdt_einsum(text, p, handles.Length);
            GC.KeepAlive(tensors);
            return Tensor.Made(result);
        }
    }

    // Null-terminated, as C wants it.
    private static byte[] Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text + '\0');

    /// <summary>Norms of vectors and matrices.</summary>
    public static partial class linalg
    {
        public static Tensor norm(Tensor input, string ord, long[]? dims = null, bool keepdim = false)
        {
            unsafe
            {
                fixed (byte* text = Utf8(ord))
                fixed (long* p = dims)
                    return Tensor.Made(Native.mdt_linalg_norm_named(input.Handle, text, p, dims?.Length ?? 0, keepdim ? 1 : 0), input);
            }
        }

        public static Tensor norm(Tensor input, double ord, long[]? dims = null, bool keepdim = false) => Norm(input, ord, dims, keepdim);

        public static Tensor norm(Tensor input, int ord, long[]? dims = null, bool keepdim = false) => Norm(input, (long)ord, dims, keepdim);

        public static Tensor norm(Tensor input, long[]? dims = null, bool keepdim = false) => Norm(input, NativeScalar.None, dims, keepdim);

        public static unsafe Tensor vector_norm(Tensor input, double ord = 2, long[]? dims = null, bool keepdim = false)
        {
            fixed (long* p = dims)
                return Tensor.Made(Native.mdt_linalg_vector_norm(input.Handle, ord, p, dims?.Length ?? 0, keepdim ? 1 : 0), input);
        }

        private static unsafe Tensor Norm(Tensor input, NativeScalar order, long[]? dims, bool keepdim)
        {
            fixed (long* p = dims)
                return Tensor.Made(Native.mdt_linalg_norm(input.Handle, order, p, dims?.Length ?? 0, keepdim ? 1 : 0), input);
        }
    }
}
