using System.Globalization;
using System.Text.RegularExpressions;

namespace MassDpo.App.Tests.Watching;

/// <summary>One sample of a family: its name as it stands, its labels without <c>le</c>, that, and its value.</summary>
internal sealed record Sample(string Name, string Labels, double? Bound, double Value);

/// <summary>
/// Reads the text exposition format 0.0.4 and holds it to its rules: a family's HELP and TYPE stand once and before its samples, which stand together; names and
/// labels are well formed; no series comes twice; buckets are cumulative, in order, end with +Inf and agree with the count.
/// </summary>
internal sealed partial class Exposition
{
    private readonly List<(string Name, string Type, string Help, List<Sample> Samples)> _families = [];

    public static Exposition Parse(string text)
    {
        var read = new Exposition();
        if (text.Length > 0)
            Assert.EndsWith("\n", text);
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            read.Take(line);
        Assert.Equal(read._families.Count, read._families.Select(family => family.Name).Distinct().Count());
        Assert.All(read._families, Check);
        return read;
    }

    public IEnumerable<string> Names => _families.Select(family => family.Name);

    public string TypeOf(string family) => _families.Single(one => one.Name == family).Type;

    public string HelpOf(string family) => _families.Single(one => one.Name == family).Help;

    public IReadOnlyList<Sample> SamplesOf(string family) => _families.SingleOrDefault(one => one.Name == family).Samples ?? [];

    /// <summary>The value of one series; null: there is none.</summary>
    public double? this[string name, string labels = ""] => _families.SelectMany(family => family.Samples).SingleOrDefault(sample => sample.Name == name && sample.Labels == labels && sample.Bound is null)?.Value;

    private void Take(string line)
    {
        if (Comment().Match(line) is { Success: true } comment)
        {
            if (comment.Groups[1].Value == "HELP")
                _families.Add((comment.Groups[2].Value, "", comment.Groups[3].Value.Replace(@"\n", "\n").Replace(@"\\", @"\"), []));
            else
            {
                Assert.Equal((comment.Groups[2].Value, "", 0), (_families[^1].Name, _families[^1].Type, _families[^1].Samples.Count));
                Assert.Contains(comment.Groups[3].Value, new[] { "counter", "gauge", "histogram" });
                _families[^1] = _families[^1] with { Type = comment.Groups[3].Value };
            }
            return;
        }
        var sample = SampleLine().Match(line);
        Assert.True(sample.Success, line);
        var labels = Label().Matches(sample.Groups[2].Value).Select(match => (Name: match.Groups[1].Value, Value: Unescape(match.Groups[2].Value))).ToList();
        Assert.Equal(labels.Count, labels.Select(label => label.Name).Distinct().Count());
        var bound = labels.Where(label => label.Name == "le").Select(label => (double?)Number(label.Value)).SingleOrDefault();
        var (name, family) = (sample.Groups[1].Value, _families[^1]);
        Assert.Contains(name, family.Type == "histogram" ? [family.Name + "_bucket", family.Name + "_sum", family.Name + "_count"] : new[] { family.Name });
        family.Samples.Add(new Sample(name, string.Join(",", labels.Where(label => label.Name != "le").Select(label => $"{label.Name}={label.Value}")), bound, Number(sample.Groups[3].Value)));
    }

    private static void Check((string Name, string Type, string Help, List<Sample> Samples) family)
    {
        Assert.NotEmpty(family.Samples);
        Assert.Equal(family.Samples.Count, family.Samples.Select(sample => (sample.Name, sample.Labels, sample.Bound)).Distinct().Count());
        Assert.Equal(family.Type == "counter", family.Name.EndsWith("_total", StringComparison.Ordinal));
        foreach (var series in family.Type == "histogram" ? family.Samples.GroupBy(sample => sample.Labels) : [])
        {
            var buckets = series.Where(sample => sample.Name.EndsWith("_bucket", StringComparison.Ordinal)).ToList();
            Assert.Equal(buckets.OrderBy(bucket => bucket.Bound), buckets);
            Assert.Equal(buckets.OrderBy(bucket => bucket.Value).Select(bucket => bucket.Value), buckets.Select(bucket => bucket.Value));
            Assert.Equal(double.PositiveInfinity, buckets[^1].Bound);
            Assert.Equal(buckets[^1].Value, series.Single(sample => sample.Name == family.Name + "_count").Value);
            Assert.Single(series, sample => sample.Name == family.Name + "_sum");
        }
    }

    private static double Number(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };

    private static string Unescape(string value) => Escape().Replace(value, match => match.Value switch { @"\n" => "\n", @"\\" => @"\", _ => "\"" });

    [GeneratedRegex(@"^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$")]
    private static partial Regex Comment();

    [GeneratedRegex("^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{((?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\]|\\\\[n\"\\\\])*\",?)+)\\})? ([^ ]+)$")]
    private static partial Regex SampleLine();

    [GeneratedRegex("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\]|\\\\[n\"\\\\])*)\"")]
    private static partial Regex Label();

    [GeneratedRegex("\\\\[n\"\\\\]")]
    private static partial Regex Escape();
}
