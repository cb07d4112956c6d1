using System.Diagnostics.Metrics;
using MassDpo.Shared.Telemetry;

namespace MassDpo.App.Watching;

/// <summary>Listens to a host's instruments, and to .NET's own, and gives what they came to as Prometheus asks for it. Thread-safe.</summary>
internal sealed class PrometheusCollector : IDisposable
{
    // Memory, processor time and collections of the process.
    private const string RuntimeMeter = "System.Runtime";

    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);

    public PrometheusCollector(Meter meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter != meter && instrument.Meter.Name != RuntimeMeter)
                return;
            var family = new Family(instrument);
            lock (_lock)
                if (_families.TryAdd(family.Name, family))
                    listener.EnableMeasurementEvents(instrument, family);
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, family) => ((Family)family!).Take(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, family) => ((Family)family!).Take(value, tags));
        _listener.SetMeasurementEventCallback<double>((_, value, tags, family) => ((Family)family!).Take(value, tags));
        _listener.Start();
    }

    /// <summary>All families that have something to tell.</summary>
    public string Collect()
    {
        lock (_lock)
        {
            foreach (var family in _families.Values)
                family.BeginObserving();
            try
            {
                _listener.RecordObservableInstruments();
            }
            catch (AggregateException)
            {
                // What could not be observed is absent; the rest was.
            }
            var text = new PrometheusText();
            foreach (var family in _families.Values)
                family.Write(text);
            return text.ToString();
        }
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>What one instrument came to, per labels.</summary>
    private sealed class Family
    {
        private readonly string _help;
        private readonly InstrumentKind _kind;
        private readonly bool _isObserved;
        private readonly double[] _bounds = [];
        private readonly Lock _lock = new();
        private readonly SortedDictionary<string, Series> _series = new(StringComparer.Ordinal);

        public Family(Instrument instrument)
        {
            _help = instrument.Description ?? "";
            _isObserved = instrument.IsObservable;
            _kind = instrument switch
            {
                Counter<long> or Counter<int> or Counter<double> or ObservableCounter<long> or ObservableCounter<int> or ObservableCounter<double> => InstrumentKind.Counter,
                Histogram<long> or Histogram<int> or Histogram<double> => InstrumentKind.Histogram,
                _ => InstrumentKind.Gauge,
            };
            _bounds = instrument switch
            {
                Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(bound => (double)bound)],
                Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
                _ => [],
            };
            Name = PrometheusText.NameOf(instrument.Name, instrument.Unit, _kind);
        }

        public string Name { get; }

        // What is observed anew may have lost a label since, as a partition that went to another process.
        public void BeginObserving()
        {
            if (_isObserved)
                lock (_lock)
                    _series.Clear();
        }

        public void Take(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = Labels(tags);
            lock (_lock)
            {
                if (!_series.TryGetValue(labels, out var series))
                    _series[labels] = series = new Series(_bounds.Length + 1);
                if (_kind == InstrumentKind.Histogram)
                {
                    var bucket = 0;
                    while (bucket < _bounds.Length && value > _bounds[bucket])
                        bucket++;
                    series.Buckets[bucket]++;
                }
                series.Value = _kind == InstrumentKind.Gauge || _isObserved ? value : series.Value + value;
            }
        }

        public void Write(PrometheusText text)
        {
            lock (_lock)
            {
                if (_series.Count == 0)
                    return;
                text.Family(Name, _kind, _help);
                foreach (var (labels, series) in _series)
                {
                    if (_kind == InstrumentKind.Histogram)
                        WriteBuckets(text, labels, series);
                    else
                        text.Sample(Name, labels, series.Value);
                }
            }
        }

        private void WriteBuckets(PrometheusText text, string labels, Series series)
        {
            var (count, before) = (0L, labels.Length > 0 ? labels + "," : "");
            for (var i = 0; i <= _bounds.Length; i++)
            {
                count += series.Buckets[i];
                text.Sample(Name + "_bucket", before + PrometheusText.Label("le", PrometheusText.Number(i < _bounds.Length ? _bounds[i] : double.PositiveInfinity)), count);
            }
            text.Sample(Name + "_sum", labels, series.Value);
            text.Sample(Name + "_count", labels, count);
        }

        private static string Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.IsEmpty)
                return "";
            var labels = new string[tags.Length];
            for (var i = 0; i < labels.Length; i++)
                labels[i] = PrometheusText.Label(tags[i].Key, tags[i].Value?.ToString());
            Array.Sort(labels, StringComparer.Ordinal);
            return string.Join(',', labels);
        }
    }

    // Value: of a histogram the sum.
    private sealed class Series(int buckets)
    {
        public long[] Buckets { get; } = new long[buckets];

        public double Value { get; set; }
    }
}
