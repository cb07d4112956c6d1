using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// The gradients of log π(y|x) with respect to the matrices of an adapter, each candidate's apart, from one way back for many candidates: each is a row of its own,
/// prompt and all, so that the gradient with respect to what a matrix gives, δ, is that of the row's candidate alone. Of B it is s·Σ_t δ_t (A x_t)ᵀ, of A
/// s·Σ_t (Bᵀδ_t) x_tᵀ.
/// </summary>
/// <param name="rows">rows of the forward</param>
/// <param name="ofMatrix">
/// is given a number for each A and each B, and its rows' gradients, [rows, r, outputs] of a B (transposed) and [rows, r, inputs] of an A; they are
/// gone when it returns
/// </param>
internal sealed class AdapterGradients(int rows, Action<int, Tensor> ofMatrix) : AdapterTap, IDisposable
{
    private readonly List<(Projection Projection, Tensor X, Tensor Y)> _passed = [];

    public override void Passed(Projection projection, Tensor x, Tensor y)
    {
        // The forward that keeps no graph comes by too.
        if (!is_grad_enabled())
            return;
        y.retain_grad();
        _passed.Add((projection, x.DetachFromDisposeScope(), y.DetachFromDisposeScope()));
    }

    public override void GradientsAreThere()
    {
        using var _ = no_grad();
        foreach (var (projection, x, y) in _passed)
        {
            using var scope = NewDisposeScope();
            var (a, b, scale) = projection.Adapter!;
            var x_Npn = x.detach().InType(a.dtype).reshape(rows, -1, x.shape[1]);
            var δ_Npm = (y.grad!.InType(b.dtype) * scale).reshape(rows, -1, y.shape[1]);
            ofMatrix(2 * projection.Number, x_Npn.matmul(a.t()).transpose(1, 2).bmm(δ_Npm));
            ofMatrix(2 * projection.Number + 1, δ_Npm.matmul(b).transpose(1, 2).bmm(x_Npn));
        }
        Clear();
    }

    public void Dispose() => Clear();

    private void Clear()
    {
        foreach (var (_, x, y) in _passed)
        {
            x.Dispose();
            y.Dispose();
        }
        _passed.Clear();
    }
}
