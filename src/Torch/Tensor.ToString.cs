using System.Globalization;
using System.Text;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>What <see cref="TensorStringStyle.Default"/> stands for.</summary>
    public static TensorStringStyle TensorStringStyle { get; set; } = TensorStringStyle.Julia;

    // For people to read.
    public partial class Tensor
    {
        // Of a longer dimension only the ends are shown.
        private const int Ends = 3;

        public override string ToString() => ToString(TensorStringStyle.Metadata);

        /// <summary>Shape, type and device; unless the style is Metadata, the elements too.</summary>
        public string ToString(TensorStringStyle style, string? fltFormat = null, int? width = null, CultureInfo? cultureInfo = null,
            string? newLine = null)
        {
            if (style == TensorStringStyle.Default)
                style = torch.TensorStringStyle;
            if (IsInvalid)
                return "";
            var text = new StringBuilder($"[{string.Join("x", shape)}], type = {dtype}, device = {device}");
            if (style == TensorStringStyle.Metadata)
                return text.ToString();
            text.Append(newLine ?? Environment.NewLine);
            using var scope = NewDisposeScope();
            using var recordNothing = no_grad();
            var here = detach().cpu();
            if (torch.is_floating_point(here.dtype))
                here = here.to(ScalarType.Float64);
            Write(text, here, fltFormat ?? "g5", cultureInfo ?? CultureInfo.CurrentCulture);
            return text.ToString();
        }

        private static void Write(StringBuilder text, Tensor tensor, string format, CultureInfo culture)
        {
            if (tensor.ndim == 0)
            {
                var value = tensor.ToScalar();
                text.Append(value.Type switch
                {
                    ScalarType.Bool => value.ToBoolean() ? "true" : "false",
                    ScalarType.Int64 => value.ToInt64().ToString(culture),
                    _ => value.ToDouble().ToString(format, culture),
                });
                return;
            }
            text.Append('[');
            var size = tensor.size(0);
            for (long i = 0; i < size; i++)
            {
                if (i > 0)
                    text.Append(", ");
                if (size > 2 * Ends && i == Ends)
                {
                    text.Append("..., ");
                    i = size - Ends;
                }
                Write(text, tensor[i], format, culture);
            }
            text.Append(']');
        }
    }
}
