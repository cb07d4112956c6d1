using System.Diagnostics;
using MassDpo.Shared.Links;

namespace MassDpo.Kafka.Bench;

/// <summary>A stretch of time on the system's monotonic clock, which all processes share: ticks of <see cref="Stopwatch"/>.</summary>
internal readonly record struct Stretch(long Began, long Ended)
{
    public double Milliseconds => Stopwatch.GetElapsedTime(Began, Ended).TotalMilliseconds;

    public static Stretch Of(Action work)
    {
        var began = Stopwatch.GetTimestamp();
        work();
        return new Stretch(began, Stopwatch.GetTimestamp());
    }
}

/// <summary>Tensors that tell when they were written, read and hashed.</summary>
internal sealed class TimedTensors(ISnapshotTensors tensors) : ISnapshotTensors
{
    public ISnapshotTensors Tensors => tensors;

    public Stretch Written { get; set; }

    public Stretch Read { get; set; }

    /// <summary>How often they were hashed, the time of the first.</summary>
    public (int Times, Stretch First) Hashed { get; private set; }

    public string ComputeHash()
    {
        var hash = "";
        var took = Stretch.Of(() => hash = tensors.ComputeHash());
        Hashed = (Hashed.Times + 1, Hashed.Times == 0 ? took : Hashed.First);
        return hash;
    }

    public void Dispose() => tensors.Dispose();
}

/// <summary>A format of <see cref="TimedTensors"/>.</summary>
internal sealed class TimedFormat(ISnapshotFormat format) : ISnapshotFormat
{
    public long MaxBytes => format.MaxBytes;

    public void Write(ISnapshotTensors tensors, Stream stream)
    {
        var timed = (TimedTensors)tensors;
        timed.Written = Stretch.Of(() => format.Write(timed.Tensors, stream));
    }

    public ISnapshotTensors Read(Stream stream)
    {
        TimedTensors? read = null;
        var took = Stretch.Of(() => read = new TimedTensors(format.Read(stream)));
        read!.Read = took;
        return read;
    }
}
