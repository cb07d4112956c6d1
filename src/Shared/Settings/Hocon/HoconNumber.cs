using System.Globalization;
using System.Numerics;

namespace MassDpo.Shared.Settings.Hocon;

/// <summary>Numbers by JSON's grammar, and exact arithmetic on them: 0.1 s is 1,000,000 ticks, not a rounding of a double.</summary>
internal static class HoconNumber
{
    /// <summary>More digits, or a larger exponent, fit no type here, and would cost time without bound.</summary>
    private const int MaximumDigits = 400;

    public static bool IsNumber(ReadOnlySpan<char> text)
    {
        var at = text.StartsWith("-") ? 1 : 0;
        var whole = Digits(text[at..]);
        if (whole == 0 || (whole > 1 && text[at] == '0'))
            return false;
        at += whole;
        if (at < text.Length && text[at] == '.')
        {
            var fraction = Digits(text[(at + 1)..]);
            if (fraction == 0)
                return false;
            at += 1 + fraction;
        }
        if (at < text.Length && text[at] is 'e' or 'E')
        {
            at++;
            if (at < text.Length && text[at] is '+' or '-')
                at++;
            var exponent = Digits(text[at..]);
            if (exponent == 0)
                return false;
            at += exponent;
        }
        return at == text.Length;
    }

    /// <summary>The number as a fraction; false where it has too many digits.</summary>
    public static bool TryParse(ReadOnlySpan<char> number, out BigInteger numerator, out BigInteger denominator)
    {
        (numerator, denominator) = (BigInteger.Zero, BigInteger.One);
        var e = number.IndexOfAny('e', 'E');
        var mantissa = e < 0 ? number : number[..e];
        var exponent = 0;
        if (number.Length > MaximumDigits)
            return false;
        if (e >= 0 && !int.TryParse(number[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            return false;
        var point = mantissa.IndexOf('.');
        var fraction = point < 0 ? 0 : mantissa.Length - point - 1;
        numerator = BigInteger.Parse(mantissa.ToString().Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        if (Math.Abs((long)exponent) > MaximumDigits)
            return false;
        var shift = exponent - fraction;
        if (shift >= 0)
            numerator *= BigInteger.Pow(10, shift);
        else
            denominator = BigInteger.Pow(10, -shift);
        return true;
    }

    private static int Digits(ReadOnlySpan<char> text)
    {
        var count = text.IndexOfAnyExceptInRange('0', '9');
        return count < 0 ? text.Length : count;
    }
}
