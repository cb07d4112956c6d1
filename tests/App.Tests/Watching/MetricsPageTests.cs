using System.Globalization;
using MassDpo.App.Tests.Structure;
using MassDpo.App.Watching;
using MassDpo.Shared.Telemetry;

namespace MassDpo.App.Tests.Watching;

/// <summary>docs/metrics.md says what the program measures.</summary>
public sealed class MetricsPageTests
{
    private static readonly string Page = SourceFiles.Read("docs/metrics.md");

    [Fact]
    public void Its_table_of_instruments_is_that_of_the_code() =>
        Assert.Equal(Instruments.Table.Select(row => $"| `{row.Name}` | `{PrometheusText.NameOf(row.Name, row.Unit, row.Kind)}` | {row.Kind.ToString().ToLowerInvariant()} | {(row.Unit.Length > 0 ? $"`{row.Unit}`" : "")} | "
            + $"{(row.Attribute is { } attribute ? $"`{attribute}`" : "")} | {row.Description} |"), Page.Split('\n').Where(line => line.StartsWith("| `massdpo.", StringComparison.Ordinal) && line.Contains("| `massdpo_", StringComparison.Ordinal)));

    [Fact]
    public void It_tells_the_bounds_of_every_histogram() => Assert.All(Instruments.Table.Where(row => row.Buckets is not null),
        row => Assert.Contains(string.Join(", ", row.Buckets!.Select(bound => bound.ToString(CultureInfo.InvariantCulture))), Page, StringComparison.Ordinal));

    [Fact]
    public void It_names_every_activity() => Assert.All([Tracing.Ingest, Tracing.Select, Tracing.Update, Tracing.Publish, Tracing.Checkpoint], name => Assert.Contains($"`{name}`", Page, StringComparison.Ordinal));

    [Fact]
    public void Metrics_in_its_expressions_are_measured()
    {
        var names = Instruments.Table.Select(row => PrometheusText.NameOf(row.Name, row.Unit, row.Kind)).ToList();
        var used = System.Text.RegularExpressions.Regex.Matches(Page, @"massdpo_[a-z_]+").Select(match => match.Value).Distinct().ToList();
        Assert.All(used, name => Assert.Contains(names, known => name == known || new[] { "_bucket", "_sum", "_count" }.Any(end => name == known + end)));
    }
}
