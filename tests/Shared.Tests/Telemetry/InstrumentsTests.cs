using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using MassDpo.Shared.Telemetry;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Shared.Tests.Telemetry;

public sealed partial class InstrumentsTests
{
    private readonly FakeClock _clock = new();

    [Fact]
    public void The_meter_has_what_the_table_says_and_nothing_else()
    {
        using var instruments = new Instruments(_clock);
        var published = new List<Instrument>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter == instruments.Meter)
                published.Add(instrument);
        };
        listener.Start();
        Assert.Equal(Instruments.MeterName, instruments.Meter.Name);
        Assert.Equal(Instruments.Table.Select(row => (row.Name, row.Unit, row.Description, row.Kind)).OrderBy(row => row.Name, StringComparer.Ordinal),
            published.Select(instrument => (instrument.Name, instrument.Unit ?? "", instrument.Description ?? "", KindOf(instrument))).OrderBy(row => row.Name, StringComparer.Ordinal));
        foreach (var row in Instruments.Table)
            Assert.Equal(row.Buckets, published.Single(instrument => instrument.Name == row.Name) switch
            {
                Histogram<long> histogram => histogram.Advice!.HistogramBucketBoundaries!.Select(bound => (double)bound).ToArray(),
                Histogram<double> histogram => histogram.Advice!.HistogramBucketBoundaries!.ToArray(),
                _ => null,
            });
    }

    [Fact]
    public void Names_are_in_the_style_of_OpenTelemetry_and_each_is_described()
    {
        Assert.Equal(Instruments.Table.Count, Instruments.Table.Select(row => row.Name).Distinct().Count());
        Assert.All(Instruments.Table, row =>
        {
            Assert.Matches(Name(), row.Name);
            Assert.Matches(UcumUnit(), row.Unit);
            Assert.EndsWith(".", row.Description);
            Assert.Equal(row.Kind == InstrumentKind.Histogram, row.Buckets is { Length: > 0 });
            Assert.Equal(row.Buckets?.Order(), row.Buckets);
        });
    }

    [Fact]
    public void What_is_measured_is_told_with_its_attribute()
    {
        using var heard = new Heard(_clock, out var instruments);
        instruments.Updated(32, 0.5);
        instruments.Updated(0, null);
        instruments.Died("json");
        instruments.Stale(2);
        instruments.Truncated(0);
        instruments.Truncated(7);
        instruments.Published(1000);
        instruments.Expired(0);
        instruments.Expired(3);
        instruments.Restarted("learner");
        instruments.Committed(_clock.GetTimestamp());
        instruments.Selected(_clock.GetTimestamp());
        Assert.Equal(["massdpo.actor.restarts{actor=learner} 1", "massdpo.checkpoint.duration 0", "massdpo.leases.expired 3", "massdpo.records.applied 0", "massdpo.records.applied 32", "massdpo.records.dead{code=json} 1",
            "massdpo.selection.duration 0", "massdpo.snapshot.published 1000", "massdpo.staleness 2", "massdpo.tokens.cut 7", "massdpo.updates 1", "massdpo.updates 1"], heard.Take());
        Assert.Equal(["massdpo.checkpoint.age 0", "massdpo.loss 0.5"], heard.Observe());
    }

    [Fact]
    public void What_has_not_been_yet_is_not_told()
    {
        using var heard = new Heard(_clock, out _);
        Assert.Empty(heard.Observe());
    }

    [Fact]
    public void Ages_grow_with_the_clock_from_the_newest_on()
    {
        using var heard = new Heard(_clock, out var instruments);
        instruments.LearnerBegan();
        _clock.Advance(TimeSpan.FromSeconds(5));
        instruments.Entered("ingest", 7);
        instruments.Holds("learner", 7, 3);
        instruments.Holds("selector-1", 7, 2);
        instruments.Holds("selector-1", 7, 3);
        _clock.Advance(TimeSpan.FromSeconds(2));
        instruments.Holds("selector-2", 6, 1);
        Assert.Equal(["massdpo.checkpoint.age 7", "massdpo.epoch{actor=ingest} 7", "massdpo.epoch{actor=learner} 7", "massdpo.epoch{actor=selector-1} 7", "massdpo.epoch{actor=selector-2} 6",
            "massdpo.snapshot.age{actor=learner} 2", "massdpo.snapshot.age{actor=selector-1} 2", "massdpo.snapshot.age{actor=selector-2} 0",
            "massdpo.version{actor=learner} 3", "massdpo.version{actor=selector-1} 3", "massdpo.version{actor=selector-2} 1"], heard.Observe());
        instruments.Committed(_clock.GetTimestamp());
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("massdpo.checkpoint.age 1", heard.Observe());
    }

    [Fact]
    public void Slots_and_records_in_hand_are_told_as_they_are_now()
    {
        using var heard = new Heard(_clock, out var instruments);
        Assert.True(instruments.ShowsSlots);
        instruments.Slots(64, 40, 2);
        instruments.Slots(64, 48, 1);
        instruments.InHand(9);
        Assert.Equal(["massdpo.blocks.waiting 1", "massdpo.input.in_hand 9", "massdpo.slots.filled 48", "massdpo.slots.open 64"], heard.Observe());
    }

    [Fact]
    public void The_nodes_of_a_cluster_are_told_by_their_state()
    {
        using var heard = new Heard(_clock, out var instruments);
        Assert.Empty(heard.Observe());
        instruments.ObserveMembers(() => [KeyValuePair.Create("up", 3L), KeyValuePair.Create("unreachable", 1L)]);
        Assert.Equal(["massdpo.cluster.members{state=unreachable} 1", "massdpo.cluster.members{state=up} 3"], heard.Observe());
    }

    [Fact]
    public void The_lag_of_an_input_is_asked_for_as_long_as_somebody_tells_it()
    {
        using var heard = new Heard(_clock, out var instruments);
        var lags = new Dictionary<string, long> { ["records/0"] = 12, ["records/3"] = 0 };
        using (instruments.ObserveInputLag(() => lags))
        using (instruments.ObserveInputLag(() => [KeyValuePair.Create("more/1", 4L)]))
        {
            Assert.Equal(["massdpo.input.lag{source=more/1} 4", "massdpo.input.lag{source=records/0} 12", "massdpo.input.lag{source=records/3} 0"], heard.Observe());
            lags.Remove("records/0");
            Assert.Equal(["massdpo.input.lag{source=more/1} 4", "massdpo.input.lag{source=records/3} 0"], heard.Observe());
        }
        Assert.Empty(heard.Observe());
    }

    [Fact]
    public void Where_reference_log_probabilities_came_from_is_told_and_the_disk_only_where_there_is_one()
    {
        using var heard = new Heard(_clock, out var instruments);
        var use = new ReferenceCacheUse(FromMemory: 7, FromDisk: 0, Computed: 3, MemoryBytes: 500, DiskBytes: null, Damaged: 0);
        instruments.ObserveReferenceCache(() => use);
        Assert.Equal(["massdpo.reference_cache.packs{from=memory} 7", "massdpo.reference_cache.packs{from=model} 3", "massdpo.reference_cache.size{in=memory} 500"], heard.Observe());
        use = use with { FromDisk = 2, DiskBytes = 4000 };
        Assert.Equal(["massdpo.reference_cache.packs{from=disk} 2", "massdpo.reference_cache.packs{from=memory} 7", "massdpo.reference_cache.packs{from=model} 3",
            "massdpo.reference_cache.size{in=disk} 4000", "massdpo.reference_cache.size{in=memory} 500"], heard.Observe());
    }

    [Fact]
    public void After_its_end_nothing_is_told()
    {
        using var heard = new Heard(_clock, out var instruments);
        instruments.InHand(9);
        instruments.Dispose();
        instruments.Updated(1, 1);
        Assert.Empty(heard.Take());
        Assert.Empty(heard.Observe());
    }

    [Fact]
    public void While_nobody_listens_a_measurement_allocates_nothing()
    {
        using var instruments = new Instruments(_clock);
        Assert.Equal((false, false), (instruments.CountsBytes, instruments.ShowsSlots));
        // The first makes what lasts.
        Measure(instruments);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            Measure(instruments);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Measure(Instruments of)
        {
            of.Updated(32, 0.5);
            of.Stale(1);
            of.Died("json");
            of.Entered("ingest", 1);
            of.Holds("learner", 1, 2);
            of.Published(1);
            of.Slots(1, 2, 3);
            of.Expired(1);
            of.LearnerBegan();
            of.Committed(0);
            of.Selected(0);
            of.InHand(4);
            of.Restarted("learner");
        }
    }

    private static InstrumentKind KindOf(Instrument instrument) => instrument switch
    {
        Counter<long> or ObservableCounter<long> => InstrumentKind.Counter,
        Histogram<long> or Histogram<double> => InstrumentKind.Histogram,
        ObservableGauge<long> or ObservableGauge<double> => InstrumentKind.Gauge,
        _ => throw new InvalidOperationException(instrument.GetType().Name),
    };

    [GeneratedRegex(@"^massdpo(\.[a-z]+(_[a-z]+)*)+$")]
    private static partial Regex Name();

    [GeneratedRegex(@"^(\{[a-z]+\}|s|By|)$")]
    private static partial Regex UcumUnit();

    /// <summary>Listens to the instruments that it makes; what it hears is text, sorted.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Instruments _instruments;
        private readonly List<string> _lines = [];

        public Heard(TimeProvider clock, out Instruments instruments)
        {
            var made = instruments = _instruments = new Instruments(clock);
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == made.Meter)
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.Start();
        }

        public List<string> Take()
        {
            var lines = _lines.Order(StringComparer.Ordinal).ToList();
            _lines.Clear();
            return lines;
        }

        public List<string> Observe()
        {
            _listener.RecordObservableInstruments();
            return Take();
        }

        public void Dispose()
        {
            _listener.Dispose();
            _instruments.Dispose();
        }

        private void Note(Instrument instrument, IFormattable value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var row = Instruments.Table.Single(row => row.Name == instrument.Name);
            Assert.Equal(row.Attribute is null ? [] : [row.Attribute], tags.ToArray().Select(tag => tag.Key));
            _lines.Add($"{instrument.Name}{(tags.IsEmpty ? "" : $"{{{tags[0].Key}={tags[0].Value}}}")} {value.ToString(null, null)}");
        }
    }
}
