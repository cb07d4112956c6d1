namespace TorchSharp;

/// <summary>
/// A number whose type libtorch decides on: a double, a 64-bit integer or a truth value. Unlike a tensor it lives wholly on this side, so there is
/// nothing to dispose of; <see cref="Dispose"/> is there because TorchSharp's has it.
/// </summary>
public sealed class Scalar : IDisposable
{
    internal readonly NativeScalar Value;

    internal Scalar(NativeScalar value) => Value = value;

    /// <summary>The type that libtorch takes it as: Float64, Int64 or Bool.</summary>
    public torch.ScalarType Type => Value.Kind switch
    {
        NativeScalar.KindInteger => torch.ScalarType.Int64,
        NativeScalar.KindBoolean => torch.ScalarType.Bool,
        _ => torch.ScalarType.Float64,
    };

    public static implicit operator Scalar(byte value) => new(value);
    public static implicit operator Scalar(sbyte value) => new(value);
    public static implicit operator Scalar(short value) => new(value);
    public static implicit operator Scalar(int value) => new(value);
    public static implicit operator Scalar(long value) => new(value);
    public static implicit operator Scalar(float value) => new((double)value);
    public static implicit operator Scalar(double value) => new(value);
    public static implicit operator Scalar(bool value) => new(value);
    public static implicit operator Scalar(Half value) => new((double)value);
    public static implicit operator Scalar(BFloat16 value) => new((double)value);

    public void Dispose() { }

    internal double AsDouble() => Value.Kind == NativeScalar.KindFloating ? BitConverter.Int64BitsToDouble(Value.Bits) : Value.Bits;

    internal long AsInt64()
    {
        if (Value.Kind != NativeScalar.KindFloating)
            return Value.Bits;
        return checked((long)BitConverter.Int64BitsToDouble(Value.Bits));
    }
}

/// <summary>Numbers to scalars and back. A conversion to a type that cannot hold the value throws <see cref="OverflowException"/>.</summary>
public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this byte value) => value;
    public static Scalar ToScalar(this sbyte value) => value;
    public static Scalar ToScalar(this short value) => value;
    public static Scalar ToScalar(this int value) => value;
    public static Scalar ToScalar(this long value) => value;
    public static Scalar ToScalar(this float value) => value;
    public static Scalar ToScalar(this double value) => value;
    public static Scalar ToScalar(this bool value) => value;
    public static Scalar ToScalar(this Half value) => value;
    public static Scalar ToScalar(this BFloat16 value) => value;
    public static Scalar ToBFloat16Scalar(this float value) => new BFloat16(value);

    public static Half ToHalf(this Scalar value) => (Half)value.AsDouble();
    public static BFloat16 ToBFloat16(this Scalar value) => (BFloat16)value.AsDouble();
    public static float ToSingle(this Scalar value) => (float)value.AsDouble();
    public static double ToDouble(this Scalar value) => value.AsDouble();
    public static sbyte ToSByte(this Scalar value) => checked((sbyte)value.AsInt64());
    public static byte ToByte(this Scalar value) => checked((byte)value.AsInt64());
    public static short ToInt16(this Scalar value) => checked((short)value.AsInt64());
    public static int ToInt32(this Scalar value) => checked((int)value.AsInt64());
    public static long ToInt64(this Scalar value) => value.AsInt64();
    public static bool ToBoolean(this Scalar value) => value.AsDouble() != 0;
}
