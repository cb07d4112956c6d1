namespace TorchSharp;

public static partial class torch
{
    /// <summary>Functions of mathematics.</summary>
    public static partial class special
    {
        public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

        public static Tensor log_softmax(Tensor input, long dim, ScalarType? dtype = null) => input.log_softmax(dim, dtype);

        public static Tensor expm1(Tensor input) => input.expm1();

        public static Tensor erf(Tensor input) => input.erf();

        public static Tensor sigmoid(Tensor input) => input.sigmoid();
    }
}
