namespace TorchSharp.Modules;

/// <summary>Holds the choices of the activation of that name.</summary>
public sealed class GELU
{
    private GELU() { }

    /// <summary>Which formula <c>gelu</c> takes.</summary>
    public enum Approximate
    {
        none,
        tanh,
    }
}
