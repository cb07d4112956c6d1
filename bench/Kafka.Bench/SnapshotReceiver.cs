using System.Diagnostics;
using System.Globalization;
using MassDpo.Kafka.Links;
using MassDpo.Policy.Model;
using MassDpo.Shared.Links;

namespace MassDpo.Kafka.Bench;

/// <summary>When a receiver had what of a snapshot.</summary>
/// <param name="Version">of the snapshot</param>
/// <param name="Read">from chunks that were all there, to tensors</param>
/// <param name="Hashed">the tensors, for the first time</param>
/// <param name="Hashes">how often they were hashed until they could be used</param>
/// <param name="Usable">a selector could take it, its hash included</param>
internal sealed record Receipt(long Version, Stretch Read, Stretch Hashed, int Hashes, long Usable)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Version} {Read.Began} {Read.Ended} {Hashed.Began} {Hashed.Ended} {Hashes} {Usable}");

    public static Receipt Parse(string line)
    {
        var numbers = line.Split(' ').Select(number => long.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        return new Receipt(numbers[0], new Stretch(numbers[1], numbers[2]), new Stretch(numbers[3], numbers[4]), (int)numbers[5], numbers[6]);
    }
}

/// <summary>The child of <see cref="SnapshotTime"/>: takes every snapshot as a selector does and prints a <see cref="Receipt"/>, until its standard input ends.</summary>
internal static class SnapshotReceiver
{
    public static async Task RunAsync(string bootstrap)
    {
        using var signal = new SemaphoreSlim(0);
        using var found = SnapshotTime.Found();
        using var link = new KafkaSnapshotsLink(SnapshotTime.Link(bootstrap), SnapshotTime.Topic, new TimedFormat(new PolicySnapshotFormat(found)));
        using var subscription = link.Subscribe(() => signal.Release());
        // Console.In would block.
        using var input = new StreamReader(Console.OpenStandardInput());
        var over = input.ReadToEndAsync();
        while (await Task.WhenAny(signal.WaitAsync(), over) != over)
            if (subscription.TryAcquire() is { } lease)
                using (lease)
                    Tell(lease);
    }

    private static void Tell(SnapshotLease lease)
    {
        // Every selection names it.
        _ = lease.Hash;
        var usable = Stopwatch.GetTimestamp();
        var tensors = (TimedTensors)lease.Tensors;
        Console.WriteLine(new Receipt(lease.Version, tensors.Read, tensors.Hashed.First, tensors.Hashed.Times, usable));
    }
}
