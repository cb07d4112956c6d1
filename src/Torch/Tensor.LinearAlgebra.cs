using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Products of vectors and matrices.
    public partial class Tensor
    {
        public Tensor matmul(Tensor target) => Made2(mdt_matmul(Handle, target.Handle), target);
        public Tensor mm(Tensor target) => Made2(mdt_mm(Handle, target.Handle), target);
        public Tensor bmm(Tensor batch2) => Made2(mdt_bmm(Handle, batch2.Handle), batch2);
        public Tensor mv(Tensor target) => Made2(mdt_mv(Handle, target.Handle), target);
        public Tensor dot(Tensor target) => Made2(mdt_dot(Handle, target.Handle), target);
        public Tensor outer(Tensor vec2) => Made2(mdt_outer(Handle, vec2.Handle), vec2);

        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Made3(mdt_addmm(Handle, mat1.Handle, mat2.Handle, beta, alpha), mat1, mat2);

        public Tensor addmm_(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Done(mdt_addmm_(Handle, mat1.Handle, mat2.Handle, beta, alpha), mat1, mat2);

        public Tensor addmv(Tensor mat, Tensor vec, float beta = 1, float alpha = 1) =>
            Made3(mdt_addmv(Handle, mat.Handle, vec.Handle, beta, alpha), mat, vec);

        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Made3(mdt_baddbmm(Handle, batch1.Handle, batch2.Handle, beta, alpha), batch1, batch2);

        public Tensor t() => Made1(mdt_t(Handle));
    }
}
