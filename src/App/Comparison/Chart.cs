using System.Globalization;
using System.Text;

namespace MassDpo.App.Comparison;

/// <summary>One line of a chart.</summary>
/// <param name="Name">in the legend</param>
/// <param name="Points">x, y and how far y spreads to either side; in the order of x</param>
internal sealed record Series(string Name, IReadOnlyList<(double X, double Y, double Spread)> Points);

/// <summary>One pair of axes.</summary>
internal sealed record Panel(string XTitle, string YTitle, IReadOnlyList<Series> Series);

/// <summary>Line charts side by side with one legend, as SVG. It has linear axes alone.</summary>
internal static class Chart
{
    private const double Width = 380, Height = 300, Left = 62, Right = 14, Top = 16, Bottom = 46, LegendHeight = 28;

    // Okabe and Ito's colours, which the colour-blind can tell apart.
    private static readonly string[] Colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"];

    /// <param name="panels">in reading order, with the same series</param>
    /// <param name="columns">panels in a row</param>
    public static string ToSvg(IReadOnlyList<Panel> panels, int columns)
    {
        var rows = (panels.Count + columns - 1) / columns;
        var (width, height) = (columns * Width, rows * Height + LegendHeight);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        var x = Left;
        foreach (var (series, i) in panels[0].Series.Select((series, i) => (series, i)))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{x}\" y=\"8\" width=\"14\" height=\"4\" fill=\"{Colour(i)}\"/><text x=\"{x + 20}\" y=\"14\">{Escape(series.Name)}</text>\n");
            x += 44 + 7.5 * series.Name.Length;
        }
        for (var i = 0; i < panels.Count; i++)
            Draw(svg, panels[i], i % columns * Width, LegendHeight + i / columns * Height);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Draw(StringBuilder svg, Panel panel, double left, double top)
    {
        var points = panel.Series.SelectMany(series => series.Points).ToList();
        var (xs, ys) = (Ticks(0, points.Max(p => p.X)), Ticks(points.Min(p => p.Y - p.Spread), points.Max(p => p.Y + p.Spread)));
        var (plotWidth, plotHeight) = (Width - Left - Right, Height - Top - Bottom);
        svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"translate({left + Left} {top + Top})\">\n");
        foreach (var tick in ys)
            svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"0\" x2=\"{plotWidth}\" y1=\"{Y(tick):F1}\" y2=\"{Y(tick):F1}\" stroke=\"#e0e0e0\"/><text x=\"-6\" y=\"{Y(tick) + 4:F1}\" text-anchor=\"end\">{Text(tick)}</text>\n");
        foreach (var tick in xs)
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(tick):F1}\" y=\"{plotHeight + 16}\" text-anchor=\"middle\">{Text(tick)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"0\" x2=\"{plotWidth}\" y1=\"{plotHeight}\" y2=\"{plotHeight}\" stroke=\"black\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{plotWidth / 2}\" y=\"{plotHeight + 36}\" text-anchor=\"middle\">{Escape(panel.XTitle)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text transform=\"translate(-46 {plotHeight / 2}) rotate(-90)\" text-anchor=\"middle\">{Escape(panel.YTitle)}</text>\n");
        for (var i = 0; i < panel.Series.Count; i++)
        {
            var line = panel.Series[i].Points;
            var band = string.Join(' ', line.Select(p => At(p.X, p.Y + p.Spread)).Concat(line.Reverse().Select(p => At(p.X, p.Y - p.Spread))));
            svg.Append(CultureInfo.InvariantCulture, $"<polygon points=\"{band}\" fill=\"{Colour(i)}\" fill-opacity=\"0.12\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{string.Join(' ', line.Select(p => At(p.X, p.Y)))}\" fill=\"none\" stroke=\"{Colour(i)}\" stroke-width=\"2\"/>\n");
        }
        svg.Append("</g>\n");

        double X(double x) => (x - xs[0]) / (xs[^1] - xs[0]) * plotWidth;
        double Y(double y) => plotHeight - (y - ys[0]) / (ys[^1] - ys[0]) * plotHeight;
        string At(double x, double y) => string.Create(CultureInfo.InvariantCulture, $"{X(x):F1},{Y(y):F1}");
    }

    /// <summary>Round numbers, evenly apart, from at or below <paramref name="least"/> to at or above <paramref name="most"/>.</summary>
    internal static double[] Ticks(double least, double most)
    {
        if (most - least < 1e-12 * Math.Max(1, Math.Abs(most)))
            (least, most) = (least - 0.5, most + 0.5);
        var rough = (most - least) / 5;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = new[] { 1, 2, 2.5, 5, 10 }.First(factor => factor * power >= rough * (1 - 1e-9)) * power;
        var (first, last) = ((long)Math.Floor(least / step + 1e-9), (long)Math.Ceiling(most / step - 1e-9));
        return [.. Enumerable.Range(0, (int)(last - first) + 1).Select(i => (first + i) * step)];
    }

    private static string Colour(int i) => Colours[i % Colours.Length];

    private static string Text(double value) => Math.Abs(value) switch
    {
        >= 1e6 => (value / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + "M",
        >= 1e4 => (value / 1e3).ToString("0.#", CultureInfo.InvariantCulture) + "k",
        _ => value.ToString("0.###", CultureInfo.InvariantCulture),
    };

    private static string Escape(string text) => System.Security.SecurityElement.Escape(text);
}
