using MassDpo.App.Tests.Running;
using MassDpo.Audit.Logs;

namespace MassDpo.App.Tests.Watching;

public sealed class OtlpExportTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    // ExportMetricsServiceRequest: resource_metrics.scope_metrics; ExportTraceServiceRequest: resource_spans.scope_spans. In both: scope, then what it has.
    private static readonly int[] Scopes = [1, 2];

    [Fact]
    public async Task A_collector_receives_what_a_run_measured_and_did()
    {
        using var collector = new OtlpCollector();
        var output = stream.NewOutput();
        // In a process of its own: exporters listen to all of one.
        var run = await ProgramProcess.Run(ProgramProcess.MassDpo, ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8",
            "--set", "runtime.progress=1h", "--set", $"watch.otlp=\"{collector.Address}\""], ("OTEL_SERVICE_NAME", "shop"));
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var requests = collector.Take();
        var updates = RunLog.Updates(Path.Combine(output, "updates.jsonl")).ToList();

        var metrics = new Protobuf(requests.Last(request => request.Path == "/v1/metrics").Body);
        var ours = metrics.At(Scopes).Single(scope => scope.At(1).Single().Text(1) == "MassDpo").At(2).ToDictionary(metric => metric.Text(1));
        // sum.data_points.as_int
        Assert.Equal(updates.Sum(update => update.Applied), ours["massdpo.records.applied"].At(7, 1).Single().Number(6));
        Assert.Equal(updates.Count, ours["massdpo.updates"].At(7, 1).Single().Number(6));
        // histogram.data_points.count
        Assert.Equal(updates.Sum(update => update.BlockCounts.Count), ours["massdpo.selection.duration"].At(9, 1).Single().Number(4));
        Assert.Equal(("s", "Time that selecting a block took, waiting not counted."), (ours["massdpo.selection.duration"].Text(3), ours["massdpo.selection.duration"].Text(2)));
        Assert.Contains(metrics.At(Scopes), scope => scope.At(1).Single().Text(1) == "System.Runtime");
        // resource.attributes: what the environment says of it goes first.
        Assert.Equal("shop", metrics.At(1, 1, 1).Single(attribute => attribute.Text(1) == "service.name").At(2).Single().Text(1));

        var spans = requests.Where(request => request.Path == "/v1/traces").SelectMany(request => new Protobuf(request.Body).At(Scopes)).SelectMany(scope => scope.At(2)).ToList();
        Assert.Equal(updates.Count, spans.Count(span => span.Text(5) == "massdpo.update"));
        var selects = spans.Where(span => span.Text(5) == "massdpo.select").ToDictionary(span => Convert.ToHexString(span.Bytes(2)));
        // links.span_id
        Assert.Equal(selects.Keys.Order(), spans.Where(span => span.Text(5) == "massdpo.update").SelectMany(span => span.At(13)).Select(link => Convert.ToHexString(link.Bytes(2))).Order());
    }

    [Fact]
    public async Task A_collector_that_is_not_there_stops_nothing()
    {
        Uri nowhere;
        using (var collector = new OtlpCollector())
            nowhere = collector.Address;
        await Called.Well("run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", stream.NewOutput(), "--batch", "8", "--set", $"watch.otlp=\"{nowhere}\"");
    }
}
