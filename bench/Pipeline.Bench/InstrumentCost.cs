using System.Diagnostics;
using MassDpo.App.Watching;
using MassDpo.Shared.Telemetry;

namespace MassDpo.Pipeline.Bench;

/// <summary>
/// What instruments and activities cost per record: all that the actors measure of one batch, once with nobody listening, once with what <c>/metrics</c> listens
/// with, against the same loop without them.
/// </summary>
internal static class InstrumentCost
{
    private const int Records = 32;
    private const int Blocks = 2;

    public static void Run(int batches, int rounds, Action<object> print)
    {
        using var instruments = new Instruments(TimeProvider.System);
        // The first is a warm-up.
        for (var round = 0; round <= rounds; round++)
        {
            var (none, _) = Measure(batches, null);
            var (silent, silentBytes) = Measure(batches, instruments);
            double heard, heardBytes;
            using (new PrometheusCollector(instruments.Meter))
                (heard, heardBytes) = Measure(batches, instruments);
            if (round > 0)
                print(new { without_ns_per_record = none, nobody_listens_ns_per_record = silent, nobody_listens_bytes_per_record = silentBytes, metrics_ns_per_record = heard, metrics_bytes_per_record = heardBytes });
        }
    }

    private static (double Nanoseconds, double Bytes) Measure(int batches, Instruments? instruments)
    {
        var (bytes, start) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
        for (var version = 1; version <= batches; version++)
            Batch(instruments, version);
        var took = Stopwatch.GetElapsedTime(start);
        return (took.TotalNanoseconds / batches / Records, (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / batches / Records);
    }

    // What IngestActor, SelectorActor and LearnerActor say of a batch, where nothing goes wrong.
    private static void Batch(Instruments? instruments, long version)
    {
        for (var block = 0; block < Blocks; block++)
        {
            using var ingest = instruments is not null && Tracing.IsOn ? Tracing.Start(Tracing.Ingest, []) : null;
            instruments?.InHand(block);
            using var select = instruments is not null && Tracing.IsOn ? Tracing.Start(Tracing.Select, []) : null;
            instruments?.Selected(version);
            if (instruments?.ShowsSlots ?? false)
                instruments.Slots(Records, block, Blocks - block);
        }
        using var update = instruments is not null && Tracing.IsOn ? Tracing.Start(Tracing.Update, []) : null;
        instruments?.Holds("learner", 1, version);
        instruments?.Holds("selector-1", 1, version);
        if (instruments?.CountsBytes ?? false)
            instruments.Published(version);
        for (var record = 0; record < Records; record++)
            instruments?.Stale(0);
        instruments?.Updated(Records, 0.5);
    }
}
