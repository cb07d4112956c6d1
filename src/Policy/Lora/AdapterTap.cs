using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.Policy.Lora;

/// <summary>Stands where matrices with an adapter take their input and give their output, in a forward and on its way back. By itself it changes nothing.</summary>
internal abstract class AdapterTap
{
    /// <summary>What the adapter is given of its matrix's input x, [rows, inputs].</summary>
    /// <param name="x">see above</param>
    /// <param name="matrix">its number among all of the policy's</param>
    public virtual Tensor Of(Tensor x, int matrix) => x;

    /// <summary>Is told what a matrix with its adapter made of its input, before anything else is made of that.</summary>
    /// <param name="projection">the matrix</param>
    /// <param name="x">[rows, inputs]</param>
    /// <param name="y">[rows, outputs]</param>
    public virtual void Passed(Projection projection, Tensor x, Tensor y)
    {
    }

    /// <summary>Is told that what it was told of since the last time has its gradients.</summary>
    public virtual void GradientsAreThere()
    {
    }
}
