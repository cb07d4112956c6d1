using System.Globalization;
using System.Text;
using MassDpo.Shared.Telemetry;

namespace MassDpo.App.Watching;

/// <summary>
/// The text exposition format of Prometheus, version 0.0.4. Names are made of an instrument's name and unit as OpenTelemetry's specification has it
/// (Prometheus and OpenMetrics compatibility): <c>massdpo.selection.duration</c> in s is <c>massdpo_selection_duration_seconds</c>, and a counter ends in <c>_total</c>.
/// </summary>
internal sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();

    public static string NameOf(string instrument, string? unit, InstrumentKind kind)
    {
        var name = Clean(instrument);
        var word = unit switch
        {
            null or "" or ['{', ..] => "",
            "s" => "seconds",
            "ms" => "milliseconds",
            "By" => "bytes",
            "1" => kind == InstrumentKind.Gauge ? "ratio" : "",
            _ => Clean(unit),
        };
        if (word.Length > 0 && !name.EndsWith("_" + word, StringComparison.Ordinal))
            name += "_" + word;
        return kind == InstrumentKind.Counter && !name.EndsWith("_total", StringComparison.Ordinal) ? name + "_total" : name;
    }

    /// <summary>Begins a family: its samples follow.</summary>
    public void Family(string name, InstrumentKind kind, string help) => _text
        .Append("# HELP ").Append(name).Append(' ').Append(help.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)).Append('\n')
        .Append("# TYPE ").Append(name).Append(' ').Append(kind.ToString().ToLowerInvariant()).Append('\n');

    /// <summary>One sample.</summary>
    /// <param name="name">of the family, with what is added for a histogram</param>
    /// <param name="labels">as <see cref="Label"/> makes them, with commas between; empty: none</param>
    /// <param name="value">see there</param>
    public void Sample(string name, string labels, double value)
    {
        _text.Append(name);
        if (labels.Length > 0)
            _text.Append('{').Append(labels).Append('}');
        _text.Append(' ').Append(Number(value)).Append('\n');
    }

    /// <summary>A label with its value.</summary>
    public static string Label(string name, string? value) => $"{Clean(name)}=\"{(value ?? "").Replace("\\", @"\\", StringComparison.Ordinal)
        .Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal)}\"";

    public static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    public override string ToString() => _text.ToString();

    // [a-zA-Z_][a-zA-Z0-9_]*; a colon is for recording rules.
    private static string Clean(string name)
    {
        var clean = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return clean is [>= '0' and <= '9', ..] ? "_" + clean : clean;
    }
}
