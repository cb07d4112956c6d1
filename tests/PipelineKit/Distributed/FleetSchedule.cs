using MassDpo.App.Running;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.PipelineKit.Schedules;
using MassDpo.Selection;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Settings;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>What may stand at an offset of the input.</summary>
public enum InputKind
{
    Record,
    /// <summary>Nothing, as where a transaction left its mark.</summary>
    Mark,
    /// <summary>An end marker that is not the last.</summary>
    EarlyEnd,
}

/// <summary>One offset of the input.</summary>
/// <param name="Partition">of the input topic</param>
/// <param name="Kind">what stands there</param>
/// <param name="Record">which kind of record</param>
/// <param name="Burst">when it comes: with all others of this number</param>
public sealed record InputItem(int Partition, InputKind Kind, RecordKind Record, int Burst);

/// <summary>What befalls the processes of a run or the log.</summary>
public enum FleetTrouble
{
    MemberKilled,
    MemberStopped,
    MemberPaused,
    MemberCutOff,
    MemberAdded,
    LearnerKilled,
    LearnerLostPower,
    LearnerStopped,
    LearnerPaused,
    LearnerCutOff,
    SecondLearner,
    LogAway,
    InputForgotten,
    NoticesForgotten,
    SelectionsForgotten,
    OffsetsReset,
    PartitionAdded,
}

/// <summary>One thing that befalls a run.</summary>
/// <param name="After">steps of the world</param>
/// <param name="Trouble">what</param>
/// <param name="Which">draws the process, or the place</param>
/// <param name="Seconds">how long it lasts, or until the process is back</param>
public sealed record FleetEvent(int After, FleetTrouble Trouble, int Which, double Seconds);

/// <summary>All that a seed decides of one run whose processes are joined over a log.</summary>
public sealed record FleetSchedule
{
    public const int MostRecords = 40;

    public required int Seed { get; init; }
    public required int Partitions { get; init; }
    public required IReadOnlyList<InputItem> Input { get; init; }
    public required int Members { get; init; }
    public required int SelectorsPerMember { get; init; }
    public required SelectionMethod Method { get; init; }
    public required int MaxStaleness { get; init; }
    public required int MaxAttempts { get; init; }
    public required int Batch { get; init; }
    public required int Block { get; init; }
    public required int LeaseSeconds { get; init; }
    public required int DrainSeconds { get; init; }
    public required int CheckpointUpdates { get; init; }
    public required LogTrouble LogTrouble { get; init; }
    public required IReadOnlyList<FleetEvent> Events { get; init; }

    /// <summary>How many times items of the input come together.</summary>
    public int Bursts => Input.Count == 0 ? 1 : Input.Max(item => item.Burst) + 1;

    /// <summary>The one that a seed stands for.</summary>
    public static FleetSchedule Of(int seed)
    {
        var random = new StableRandom(seed, 0xF1EE7);
        var partitions = 1 + random.Below(6);
        var batch = 1 + random.Below(8);
        var records = random.Below(25) == 0 ? 0 : 1 + random.Below(MostRecords);
        var input = DrawInput(ref random, records, partitions);
        return new FleetSchedule
        {
            Seed = seed,
            Partitions = partitions,
            Input = input,
            Members = 1 + random.Below(4),
            SelectorsPerMember = 1 + random.Below(2),
            Method = random.Below(2) == 0 ? SelectionMethod.Mass : (SelectionMethod)random.Below(Enum.GetValues<SelectionMethod>().Length),
            MaxStaleness = random.Below(4),
            // One attempt and a short lease often: else hardly any record dies with its holders.
            MaxAttempts = random.Below(3) == 0 ? 1 : 1 + random.Below(4),
            Batch = batch,
            Block = 1 + random.Below(batch + 1),
            LeaseSeconds = random.Below(2) == 0 ? 1 + random.Below(4) : 2 + random.Below(30),
            DrainSeconds = random.Below(9),
            CheckpointUpdates = 1 + random.Below(4),
            LogTrouble = random.Below(4) == 0 ? LogTrouble.None
                : new LogTrouble(random.Below(3) == 0 ? 0 : 4 + random.Below(40), 0.05 + 8 * random.Unit(), random.Below(3) == 0 ? 0 : 4 + random.Below(20)),
            Events = DrawEvents(ref random, 200 + 30 * input.Count),
        };
    }

    /// <summary>The settings of all of its processes.</summary>
    public RunOptions Options() => RunOptions.From(EffectiveSettings.Load(null, [],
    [
        $"learner.batch = {Batch}", "learner.learning-rate = 2e-2", "learner.beta = 0.5", "learner.warmup = 3",
        $"selection.method = {Method.Name()}", $"selection.selectors = {SelectorsPerMember}", $"selection.block = {Block}", "ingest.validators = 1",
        $"slots.max-staleness = {MaxStaleness}", $"slots.max-attempts = {MaxAttempts}", $"slots.lease = {LeaseSeconds}s", $"slots.drain = {DrainSeconds}s",
        $"checkpoint.updates = {CheckpointUpdates}", $"runtime.seed = {1 + Seed % 5}",
    ], []));

    // What follows an early end marker comes with it, so that nobody may believe it.
    private static List<InputItem> DrawInput(ref StableRandom random, int records, int partitions)
    {
        var (items, bursts) = (new List<InputItem>(), 1 + random.Below(4));
        var bad = random.Below(3) == 0 ? 0 : 6 + random.Below(20);
        var marks = random.Below(2) == 0 ? 0 : 4 + random.Below(12);
        // The last one may belong to a partition that is added on the way.
        for (var i = 0; i < records; i++)
        {
            var (partition, burst) = (random.Below(partitions), (int)((long)i * bursts / records));
            if (marks > 0 && random.Below(marks) == 0)
                items.Add(new InputItem(partition, random.Below(2) == 0 ? InputKind.Mark : InputKind.EarlyEnd, default, burst));
            items.Add(new InputItem(partition, InputKind.Record, bad > 0 && random.Below(bad) == 0 ? (RecordKind)(1 + random.Below(5)) : RecordKind.Trainable, burst));
        }
        return items;
    }

    private static List<FleetEvent> DrawEvents(ref StableRandom random, int steps)
    {
        var events = new List<FleetEvent>();
        for (var count = random.Below(6) == 0 ? 0 : 1 + random.Below(7); count > 0; count--)
            events.Add(new FleetEvent(random.Below(steps), (FleetTrouble)random.Below(Enum.GetValues<FleetTrouble>().Length), random.Below(1 << 20), random.Below(4) == 0 ? 0.1 : 30 * random.Unit()));
        return [.. events.OrderBy(one => one.After)];
    }
}
