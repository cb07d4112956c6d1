using System.Globalization;
using System.Xml.Linq;
using MassDpo.App.Comparison;

namespace MassDpo.App.Tests.Comparison;

public sealed class ChartTests
{
    [Theory]
    [InlineData(0, 10, "0 2 4 6 8 10")]
    [InlineData(4.9, 41.2, "0 10 20 30 40 50")]
    [InlineData(0.641, 0.659, "0.64 0.645 0.65 0.655 0.66")]
    [InlineData(-3, 3, "-4 -2 0 2 4")]
    [InlineData(5, 5, "4.4 4.6 4.8 5 5.2 5.4 5.6")]
    public void Ticks_are_round_and_enclose_the_data(double least, double most, string ticks)
    {
        var found = Chart.Ticks(least, most);
        Assert.Equal(ticks, string.Join(' ', found.Select(tick => Math.Round(tick, 9).ToString(CultureInfo.InvariantCulture))));
        Assert.True(found[0] <= least && found[^1] >= most);
    }

    [Fact]
    public void A_figure_is_one_SVG_with_a_line_and_a_name_for_each_series()
    {
        var series = new[] { new Series("mass & more", [(0, 5, 0), (10, 40, 2)]), new Series("random-3", [(0, 5, 0), (10, 30, 1)]) };
        var svg = XDocument.Parse(Chart.ToSvg([new Panel("records", "HR@1 <%>", series), new Panel("seconds", "HR@1 <%>", series)], 2));
        XNamespace ns = "http://www.w3.org/2000/svg";
        Assert.Equal(4, svg.Descendants(ns + "polyline").Count());
        var texts = svg.Descendants(ns + "text").Select(text => text.Value).ToList();
        Assert.Superset(new HashSet<string> { "mass & more", "random-3", "records", "seconds", "HR@1 <%>" }, texts.ToHashSet());
        // The first series' line goes from its first point to its last: y from 5 of 0..50 up to 40, over 238 pixels.
        var (first, last) = svg.Descendants(ns + "polyline").First().Attribute("points")!.Value.Split(' ') is [var a, var b] ? (a, b) : default;
        Assert.Equal(("0.0,214.2", "304.0,47.6"), (first, last));
    }
}
