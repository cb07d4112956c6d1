using System.Diagnostics.Metrics;

namespace MassDpo.TestKit.Telemetry;

/// <summary>Listens to one counter of a meter and adds up what it counts, by its attribute's value; an empty one where it has none.</summary>
public sealed class CounterSums : IDisposable
{
    private readonly MeterListener _listener = new();

    public CounterSums(Meter meter, string instrument)
    {
        _listener.InstrumentPublished = (published, listener) =>
        {
            if (published.Meter == meter && published.Name == instrument)
                listener.EnableMeasurementEvents(published);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            var key = tags.IsEmpty ? "" : tags[0].Value?.ToString() ?? "";
            Sums[key] = Sums.GetValueOrDefault(key) + value;
        });
        _listener.Start();
    }

    public SortedDictionary<string, long> Sums { get; } = new(StringComparer.Ordinal);

    public void Dispose() => _listener.Dispose();
}
