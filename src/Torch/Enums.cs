namespace TorchSharp;

/// <summary>What stands around the contents that <c>nn.functional.pad</c> widens.</summary>
public enum PaddingModes
{
    Zeros = 0,
    Reflect = 1,
    Replicate = 2,
    Circular = 3,
    Constant = 4,
}

/// <summary>How <see cref="torch.Tensor"/>'s ToString writes. <see cref="Metadata"/> leaves the elements out; the others show them.</summary>
public enum TensorStringStyle
{
    Metadata,
    Julia,
    Numpy,
    CSharp,
    Default,
}

public static partial class torch
{
    /// <summary>What <c>div</c> does to its quotients.</summary>
    public enum RoundingMode
    {
        None,
        trunc,
        floor,
    }

    public static partial class nn
    {
        /// <summary>What a loss does with its terms.</summary>
        public enum Reduction : long
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }
    }
}
