namespace TorchSharp;

/// <summary>
/// The part of TorchSharp's API that this product uses, under the same names and signatures, over libmassdpo_torch.so (native/) and so over whatever
/// libtorch that was built with. Code written against it compiles against TorchSharp's own assembly as well; the names are Python's for that reason.
/// </summary>
public static partial class torch
{
}
