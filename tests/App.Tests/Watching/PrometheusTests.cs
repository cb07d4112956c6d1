using System.Diagnostics.Metrics;
using MassDpo.App.Watching;
using MassDpo.Shared.Telemetry;

namespace MassDpo.App.Tests.Watching;

public sealed class PrometheusTests
{
    [Theory]
    [InlineData("massdpo.records.applied", "{record}", InstrumentKind.Counter, "massdpo_records_applied_total")]
    [InlineData("massdpo.snapshot.published", "By", InstrumentKind.Counter, "massdpo_snapshot_published_bytes_total")]
    [InlineData("massdpo.selection.duration", "s", InstrumentKind.Histogram, "massdpo_selection_duration_seconds")]
    [InlineData("massdpo.loss", "", InstrumentKind.Gauge, "massdpo_loss")]
    [InlineData("massdpo.loss", null, InstrumentKind.Gauge, "massdpo_loss")]
    [InlineData("share", "1", InstrumentKind.Gauge, "share_ratio")]
    [InlineData("attempts", "1", InstrumentKind.Counter, "attempts_total")]
    [InlineData("time.seconds", "s", InstrumentKind.Gauge, "time_seconds")]
    [InlineData("seen.total", "{one}", InstrumentKind.Counter, "seen_total")]
    [InlineData("2nd-größe", "m/s", InstrumentKind.Gauge, "_2nd_gr__e_m_s")]
    public void A_name_is_made_of_the_instruments_name_and_unit(string name, string? unit, InstrumentKind kind, string expected) =>
        Assert.Equal(expected, PrometheusText.NameOf(name, unit, kind));

    [Fact]
    public void Every_instrument_of_the_product_has_a_name_of_its_own() =>
        Assert.Equal(Instruments.Table.Count, Instruments.Table.Select(row => PrometheusText.NameOf(row.Name, row.Unit, row.Kind)).Distinct().Count());

    [Fact]
    public void Whatever_stands_in_a_label_or_a_description_comes_back_as_it_was()
    {
        using var meter = new Meter("made");
        using var collector = new PrometheusCollector(meter);
        const string Odd = "a \"b\\n\" \n, {c}=\\";
        meter.CreateCounter<long>("odd", null, "one \\ two\nthree").Add(3, new KeyValuePair<string, object?>("x.y", Odd), new KeyValuePair<string, object?>("a", null));
        var read = Exposition.Parse(collector.Collect());
        Assert.Equal("one \\ two\nthree", read.HelpOf("odd_total"));
        Assert.Equal([new Sample("odd_total", $"a=,x_y={Odd}", null, 3)], read.SamplesOf("odd_total"));
    }

    [Fact]
    public void Counters_add_up_per_labels_and_gauges_are_as_they_are_now()
    {
        using var meter = new Meter("made");
        using var collector = new PrometheusCollector(meter);
        var counter = meter.CreateCounter<long>("counted");
        var parts = new Dictionary<string, double> { ["a"] = 1.5, ["b"] = double.NaN, ["c"] = double.NegativeInfinity };
        meter.CreateObservableGauge("observed", () => parts.Select(part => new Measurement<double>(part.Value, new KeyValuePair<string, object?>("part", part.Key))));
        meter.CreateObservableGauge("broken", long () => throw new IOException("gone"));
        Assert.Empty(Exposition.Parse(collector.Collect()).SamplesOf("counted_total"));
        foreach (var value in new[] { 1, 2, 40 })
            counter.Add(value, new KeyValuePair<string, object?>("odd", value % 2 == 1));
        counter.Add(7);
        var read = Exposition.Parse(collector.Collect());
        Assert.Equal("counter", read.TypeOf("counted_total"));
        Assert.Equal([7, 42, 1], read.SamplesOf("counted_total").Select(sample => sample.Value));
        Assert.Equal([("part=a", 1.5), ("part=b", double.NaN), ("part=c", double.NegativeInfinity)], read.SamplesOf("observed").Select(sample => (sample.Labels, sample.Value)));
        parts.Remove("b");
        Assert.Equal(["part=a", "part=c"], Exposition.Parse(collector.Collect()).SamplesOf("observed").Select(sample => sample.Labels));
    }

    [Fact]
    public void A_histogram_counts_each_value_at_every_bound_that_it_does_not_exceed()
    {
        using var meter = new Meter("made");
        using var collector = new PrometheusCollector(meter);
        var histogram = meter.CreateHistogram("took", "s", null, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1, 2] });
        double[] values = [0.1, 0.5, 0.75, 1, 1.5, 2, 2.0001, 100];
        foreach (var value in values)
            histogram.Record(value, new KeyValuePair<string, object?>("who", "me"));
        var read = Exposition.Parse(collector.Collect());
        Assert.Equal(new double[] { 0.5, 1, 2, double.PositiveInfinity }.Select(bound => new Sample("took_seconds_bucket", "who=me", bound, values.Count(value => value <= bound))),
            read.SamplesOf("took_seconds").Where(sample => sample.Bound is not null));
        Assert.Equal((values.Sum(), values.Length), (read["took_seconds_sum", "who=me"], read["took_seconds_count", "who=me"]));
    }

    [Fact]
    public void Only_the_meter_that_is_asked_for_is_listened_to_and_that_of_the_runtime()
    {
        using var one = new Meter("made");
        using var other = new Meter("made");
        using var collector = new PrometheusCollector(one);
        one.CreateCounter<long>("mine").Add(1);
        other.CreateCounter<long>("theirs").Add(1);
        var read = Exposition.Parse(collector.Collect());
        Assert.Contains("mine_total", read.Names);
        Assert.DoesNotContain("theirs_total", read.Names);
        Assert.True(read["dotnet_process_memory_working_set_bytes"] > 0);
    }

    [Fact]
    public async Task What_is_counted_from_many_threads_while_others_ask_is_all_there()
    {
        using var meter = new Meter("made");
        using var collector = new PrometheusCollector(meter);
        var counter = meter.CreateCounter<long>("counted");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                counter.Add(1);
                if (i % 1000 == 0)
                    Exposition.Parse(collector.Collect());
            }
        })));
        Assert.Equal(40_000, Exposition.Parse(collector.Collect())["counted_total"]);
    }
}
