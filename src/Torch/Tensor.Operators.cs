using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Operators. Those with a number go without a Scalar object.
    public partial class Tensor
    {
        public static Tensor operator -(Tensor tensor) => tensor.neg();

        public static Tensor operator ~(Tensor left) => left.bitwise_not();

        public static Tensor operator +(Tensor left, Tensor right) => left.add(right);
        public static Tensor operator +(Tensor left, Scalar right) => left.Add(right.Value);
        public static Tensor operator +(Tensor left, int right) => left.Add((long)right);
        public static Tensor operator +(Tensor left, long right) => left.Add(right);
        public static Tensor operator +(Tensor left, float right) => left.Add((double)right);
        public static Tensor operator +(Tensor left, double right) => left.Add(right);
        public static Tensor operator +(Scalar left, Tensor right) => right.Add(left.Value);
        public static Tensor operator +(int left, Tensor right) => right.Add((long)left);
        public static Tensor operator +(long left, Tensor right) => right.Add(left);
        public static Tensor operator +(float left, Tensor right) => right.Add((double)left);
        public static Tensor operator +(double left, Tensor right) => right.Add(left);

        public static Tensor operator -(Tensor left, Tensor right) => left.sub(right);
        public static Tensor operator -(Tensor left, Scalar right) => left.Subtract(right.Value);
        public static Tensor operator -(Tensor left, int right) => left.Subtract((long)right);
        public static Tensor operator -(Tensor left, long right) => left.Subtract(right);
        public static Tensor operator -(Tensor left, float right) => left.Subtract((double)right);
        public static Tensor operator -(Tensor left, double right) => left.Subtract(right);
        public static Tensor operator -(Scalar left, Tensor right) => right.SubtractFrom(left.Value);
        public static Tensor operator -(int left, Tensor right) => right.SubtractFrom((long)left);
        public static Tensor operator -(long left, Tensor right) => right.SubtractFrom(left);
        public static Tensor operator -(float left, Tensor right) => right.SubtractFrom((double)left);
        public static Tensor operator -(double left, Tensor right) => right.SubtractFrom(left);

        public static Tensor operator *(Tensor left, Tensor right) => left.mul(right);
        public static Tensor operator *(Tensor left, Scalar right) => left.Multiply(right.Value);
        public static Tensor operator *(Tensor left, int right) => left.Multiply((long)right);
        public static Tensor operator *(Tensor left, long right) => left.Multiply(right);
        public static Tensor operator *(Tensor left, float right) => left.Multiply((double)right);
        public static Tensor operator *(Tensor left, double right) => left.Multiply(right);
        public static Tensor operator *(Scalar left, Tensor right) => right.Multiply(left.Value);
        public static Tensor operator *(int left, Tensor right) => right.Multiply((long)left);
        public static Tensor operator *(long left, Tensor right) => right.Multiply(left);
        public static Tensor operator *(float left, Tensor right) => right.Multiply((double)left);
        public static Tensor operator *(double left, Tensor right) => right.Multiply(left);

        public static Tensor operator /(Tensor left, Tensor right) => left.div(right);
        public static Tensor operator /(Tensor left, Scalar right) => left.Divide(right.Value);
        public static Tensor operator /(Tensor left, int right) => left.Divide((long)right);
        public static Tensor operator /(Tensor left, long right) => left.Divide(right);
        public static Tensor operator /(Tensor left, float right) => left.Divide((double)right);
        public static Tensor operator /(Tensor left, double right) => left.Divide(right);
        public static Tensor operator /(Scalar left, Tensor right) => right.DivideInto(left.Value);
        public static Tensor operator /(int left, Tensor right) => right.DivideInto((long)left);
        public static Tensor operator /(long left, Tensor right) => right.DivideInto(left);
        public static Tensor operator /(float left, Tensor right) => right.DivideInto((double)left);
        public static Tensor operator /(double left, Tensor right) => right.DivideInto(left);

        public static Tensor operator %(Tensor left, Tensor right) => left.remainder(right);
        public static Tensor operator %(Tensor left, Scalar right) => left.Remainder(right.Value);
        public static Tensor operator %(Tensor left, int right) => left.Remainder((long)right);
        public static Tensor operator %(Tensor left, long right) => left.Remainder(right);
        public static Tensor operator %(Tensor left, float right) => left.Remainder((double)right);
        public static Tensor operator %(Tensor left, double right) => left.Remainder(right);

        public static Tensor operator &(Tensor left, Tensor right) => left.bitwise_and(right);
        public static Tensor operator |(Tensor left, Tensor right) => left.bitwise_or(right);
        public static Tensor operator ^(Tensor left, Tensor right) => left.bitwise_xor(right);

        public static Tensor operator ==(Tensor left, Tensor right) => left.eq(right);
        public static Tensor operator ==(Tensor left, Scalar right) => left.eq(right);
        public static Tensor operator ==(Scalar left, Tensor right) => right.eq(left);
        public static Tensor operator !=(Tensor left, Tensor right) => left.ne(right);
        public static Tensor operator !=(Tensor left, Scalar right) => left.ne(right);
        public static Tensor operator !=(Scalar left, Tensor right) => right.ne(left);
        public static Tensor operator <(Tensor left, Tensor right) => left.lt(right);
        public static Tensor operator <(Tensor left, Scalar right) => left.lt(right);
        public static Tensor operator <(Scalar left, Tensor right) => right.gt(left);
        public static Tensor operator <=(Tensor left, Tensor right) => left.le(right);
        public static Tensor operator <=(Tensor left, Scalar right) => left.le(right);
        public static Tensor operator <=(Scalar left, Tensor right) => right.ge(left);
        public static Tensor operator >(Tensor left, Tensor right) => left.gt(right);
        public static Tensor operator >(Tensor left, Scalar right) => left.gt(right);
        public static Tensor operator >(Scalar left, Tensor right) => right.lt(left);
        public static Tensor operator >=(Tensor left, Tensor right) => left.ge(right);
        public static Tensor operator >=(Tensor left, Scalar right) => left.ge(right);
        public static Tensor operator >=(Scalar left, Tensor right) => right.le(left);

        private Tensor Add(NativeScalar other) => Made1(mdt_add_scalar(Handle, other));

        private Tensor Subtract(NativeScalar other) => Made1(mdt_sub_scalar(Handle, other));

        private Tensor SubtractFrom(NativeScalar other) => Made1(mdt_rsub_scalar(Handle, other));

        private Tensor Multiply(NativeScalar other) => Made1(mdt_mul_scalar(Handle, other));

        private Tensor Divide(NativeScalar other) => Made1(mdt_div_scalar(Handle, other, 0));

        private Tensor DivideInto(NativeScalar other) => Made1(mdt_rdiv_scalar(Handle, other));

        private Tensor Remainder(NativeScalar other) => Made1(mdt_remainder_scalar(Handle, other));
    }
}
