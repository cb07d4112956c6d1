namespace TorchSharp.Modules;

/// <summary>A tensor that is to be trained. It takes the given tensor over, which is no longer valid after that.</summary>
public class Parameter : torch.Tensor
{
    public Parameter(torch.Tensor data, bool requires_grad = true) : base(data.with_requires_grad(requires_grad).MoveHandle(), register: false) =>
        DisposeScope.Replace(data, this);
}
