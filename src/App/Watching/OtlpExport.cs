using System.Reflection;
using MassDpo.Shared.Telemetry;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace MassDpo.App.Watching;

/// <summary>
/// Sends instruments and activities to an OpenTelemetry collector, as protobuf over HTTP. What else can be set (headers, intervals, sampling, names of the
/// resource) comes from OpenTelemetry's own environment variables. A collector that cannot be reached loses what it missed; the run goes on.
/// </summary>
internal sealed class OtlpExport : IDisposable
{
    // What waits when the process ends.
    private const int LastMilliseconds = 5000;

    private readonly MeterProvider _meters;
    private readonly TracerProvider _traces;

    /// <param name="collector">its address; signals go to <c>v1/metrics</c> and <c>v1/traces</c> below it</param>
    public OtlpExport(Uri collector)
    {
        _meters = Sdk.CreateMeterProviderBuilder().ConfigureResource(Describe).AddMeter(Instruments.MeterName).AddMeter("System.Runtime")
            .AddOtlpExporter(options => Aim(options, collector, "v1/metrics")).Build();
        _traces = Sdk.CreateTracerProviderBuilder().ConfigureResource(Describe).AddSource(Tracing.SourceName)
            .AddOtlpExporter(options => Aim(options, collector, "v1/traces")).Build();
    }

    /// <summary>Sends what there is yet, and ends.</summary>
    public void Dispose()
    {
        Parallel.Invoke(() => _traces.Shutdown(LastMilliseconds), () => _meters.Shutdown(LastMilliseconds));
        _traces.Dispose();
        _meters.Dispose();
    }

    // The environment has the last word: a name or an instance that it gives stays.
    private static void Describe(ResourceBuilder resource) => resource.Clear().AddTelemetrySdk()
        .AddService("massdpo", serviceVersion: typeof(OtlpExport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion)
        .AddEnvironmentVariableDetector();

    private static void Aim(OtlpExporterOptions options, Uri collector, string signal) =>
        (options.Protocol, options.Endpoint) = (OtlpExportProtocol.HttpProtobuf, new Uri($"{collector.AbsoluteUri.TrimEnd('/')}/{signal}"));
}
