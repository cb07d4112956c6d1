using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Comparisons, logic and what tells about elements; the results are tensors of truth values unless said otherwise.
    public partial class Tensor
    {
        public Tensor eq(Tensor target) => Made2(mdt_eq(Handle, target.Handle), target);
        public Tensor eq(Scalar target) => Made1(mdt_eq_scalar(Handle, target.Value));
        public Tensor ne(Tensor target) => Made2(mdt_ne(Handle, target.Handle), target);
        public Tensor ne(Scalar target) => Made1(mdt_ne_scalar(Handle, target.Value));
        public Tensor lt(Tensor target) => Made2(mdt_lt(Handle, target.Handle), target);
        public Tensor lt(Scalar target) => Made1(mdt_lt_scalar(Handle, target.Value));
        public Tensor le(Tensor target) => Made2(mdt_le(Handle, target.Handle), target);
        public Tensor le(Scalar target) => Made1(mdt_le_scalar(Handle, target.Value));
        public Tensor gt(Tensor target) => Made2(mdt_gt(Handle, target.Handle), target);
        public Tensor gt(Scalar target) => Made1(mdt_gt_scalar(Handle, target.Value));
        public Tensor ge(Tensor target) => Made2(mdt_ge(Handle, target.Handle), target);
        public Tensor ge(Scalar target) => Made1(mdt_ge_scalar(Handle, target.Value));
        public Tensor equal(Tensor target) => eq(target);
        public Tensor not_equal(Tensor target) => ne(target);
        public Tensor less(Tensor target) => lt(target);
        public Tensor less_equal(Tensor target) => le(target);
        public Tensor greater(Tensor target) => gt(target);
        public Tensor greater_equal(Tensor target) => ge(target);
        public Tensor logical_and(Tensor other) => Made2(mdt_logical_and(Handle, other.Handle), other);
        public Tensor logical_and_(Tensor other) => Done(mdt_logical_and_(Handle, other.Handle), other);
        public Tensor logical_or(Tensor other) => Made2(mdt_logical_or(Handle, other.Handle), other);
        public Tensor logical_or_(Tensor other) => Done(mdt_logical_or_(Handle, other.Handle), other);
        public Tensor logical_xor(Tensor other) => Made2(mdt_logical_xor(Handle, other.Handle), other);
        public Tensor logical_xor_(Tensor other) => Done(mdt_logical_xor_(Handle, other.Handle), other);
        public Tensor logical_not() => Made1(mdt_logical_not(Handle));
        public Tensor logical_not_() => Done(mdt_logical_not_(Handle));
        public Tensor bitwise_and(Tensor other) => Made2(mdt_bitwise_and(Handle, other.Handle), other);
        public Tensor bitwise_and_(Tensor other) => Done(mdt_bitwise_and_(Handle, other.Handle), other);
        public Tensor bitwise_or(Tensor other) => Made2(mdt_bitwise_or(Handle, other.Handle), other);
        public Tensor bitwise_or_(Tensor other) => Done(mdt_bitwise_or_(Handle, other.Handle), other);
        public Tensor bitwise_xor(Tensor other) => Made2(mdt_bitwise_xor(Handle, other.Handle), other);
        public Tensor bitwise_xor_(Tensor other) => Done(mdt_bitwise_xor_(Handle, other.Handle), other);
        public Tensor bitwise_not() => Made1(mdt_bitwise_not(Handle));
        public Tensor bitwise_not_() => Done(mdt_bitwise_not_(Handle));
        public Tensor isnan() => Made1(mdt_isnan(Handle));
        public Tensor isinf() => Made1(mdt_isinf(Handle));
        public Tensor isfinite() => Made1(mdt_isfinite(Handle));

        public Tensor isclose(Tensor other, double rtol = 1e-05, double atol = 1e-08, bool nanEqual = false) =>
            Made2(mdt_isclose(Handle, other.Handle, rtol, atol, Flag(nanEqual)), other);

        /// <summary>Whether all elements are nearly equal.</summary>
        public unsafe bool allclose(Tensor target, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false)
        {
            int result;
            Check(mdt_allclose(Handle, target.Handle, rtol, atol, Flag(equal_nan), &result));
            GC.KeepAlive(this);
            GC.KeepAlive(target);
            return result != 0;
        }

        /// <summary>Whether shape and elements are equal.</summary>
        public unsafe bool Equals(Tensor target)
        {
            if (target is null)
                return false;
            int result;
            Check(mdt_equal(Handle, target.Handle, &result));
            GC.KeepAlive(this);
            GC.KeepAlive(target);
            return result != 0;
        }

        public override bool Equals(object? obj) => obj is Tensor other && Equals(other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        private static int Flag(bool value) => value ? 1 : 0;
    }
}
