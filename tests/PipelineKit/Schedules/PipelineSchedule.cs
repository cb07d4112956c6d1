using MassDpo.App.Running;
using MassDpo.Selection;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Settings;

namespace MassDpo.PipelineKit.Schedules;

/// <summary>What a line of the data is.</summary>
public enum RecordKind
{
    Trainable,
    /// <summary>A record on which every selector fails.</summary>
    Poison,
    Malformed,
    NotUtf8,
    UnknownItem,
    EmptyPool,
}

/// <summary>How one start of a run comes to its end.</summary>
public enum LifeEnd
{
    /// <summary>With its input.</summary>
    Input,
    /// <summary>It is asked to stop.</summary>
    Stop,
    /// <summary>The process dies between two steps of the schedule.</summary>
    Kill,
    /// <summary>The process dies in the middle of a change of its files.</summary>
    Crash,
    /// <summary>The process dies, and with it what was not made durable.</summary>
    PowerCut,
}

/// <summary>How often links and actors misbehave: once in so many times, 0 is never.</summary>
public sealed record Trouble
{
    public int SelectorDiesBeforeSending { get; init; }
    public int SelectorDiesAfterSending { get; init; }
    public int SelectorDiesBeforeTelling { get; init; }
    public int SelectorIsSlow { get; init; }
    public int SelectorIsLost { get; init; }
    public int SelectorFailsNowAndThen { get; init; }
    public int IntakeDies { get; init; }
    public int MessageIsLate { get; init; }
    public int MessageIsDoubled { get; init; }
    public int LearnerFails { get; init; }

    /// <summary>How many actors may die of all that.</summary>
    public int Deaths { get; init; }

    /// <summary>The step of the files at which the disk is full; 0: it never is.</summary>
    public int DiskIsFullAt { get; init; }
}

/// <summary>One start of the run.</summary>
/// <param name="Seed">of the order in which actors get their turn</param>
/// <param name="End">how it ends</param>
/// <param name="After">steps until then, of the schedule or, for <see cref="LifeEnd.Crash"/>, of the files; it may have ended by itself before</param>
/// <param name="MaxRecords">of this start; 0: no limit</param>
/// <param name="Trouble">what befalls it</param>
public sealed record Life(int Seed, LifeEnd End, int After, int MaxRecords, Trouble Trouble);

/// <summary>All that a seed decides of one run of the whole pipeline: its data, its settings, its starts and what befalls each.</summary>
public sealed record PipelineSchedule
{
    public const int MostRecords = 40;

    public required int Seed { get; init; }
    public required IReadOnlyList<RecordKind> Lines { get; init; }
    public required int Passes { get; init; }
    public required string Shuffle { get; init; }
    public required SelectionMethod Method { get; init; }
    public required int Selectors { get; init; }
    public required int MaxStaleness { get; init; }
    public required int MaxAttempts { get; init; }
    public required int Batch { get; init; }
    public required int Block { get; init; }
    public required int MicroBatch { get; init; }
    public required int LeaseSeconds { get; init; }
    public required int CheckpointUpdates { get; init; }
    public required IReadOnlyList<Life> Lives { get; init; }

    /// <summary>Positions that the input has after the last start.</summary>
    public int Positions => Lives[^1].MaxRecords is var most and > 0 ? Math.Min(most, Lines.Count * Passes) : Lines.Count * Passes;

    /// <summary>Whether an earlier start may have come to the end of a shorter input, and closed its last batch short.</summary>
    public bool Grows => Lives.Any(life => life.MaxRecords != Lives[^1].MaxRecords);

    /// <summary>The one that a seed stands for.</summary>
    public static PipelineSchedule Of(int seed)
    {
        var random = new StableRandom(seed, 0x5EED5);
        var passes = 1 + Rarely(ref random, 3, 2);
        var batch = 1 + random.Below(8);
        var lines = Draw(ref random, random.Below(25) == 0 ? 0 : 1 + random.Below(MostRecords / passes), batch, out var wholeBatchesDie);
        var shuffles = new[] { "none", "none", "all", $"{2 + random.Below(10)}" };
        var methods = Enum.GetValues<SelectionMethod>();
        var selectors = 1 + random.Below(4);
        var attempts = 1 + random.Below(4);
        var positions = lines.Count * passes;
        var most = positions > 0 && random.Below(4) == 0 ? 1 + random.Below(positions) : 0;
        var lives = new List<Life>();
        for (var life = random.Below(2) == 0 ? 0 : random.Below(4); life >= 0; life--)
        {
            // Resuming with a larger limit goes on after what was the end.
            var limit = life > 0 && positions > 0 && random.Below(6) == 0 ? 1 + random.Below(most > 0 ? most : positions) : most;
            lives.Add(new Life(random.Below(1_000_000), life == 0 ? LifeEnd.Input : (LifeEnd)(1 + random.Below(4)),
                After: 1 + random.Below(10 + 4 * positions), limit, DrawTrouble(ref random, selectors)));
        }
        return new PipelineSchedule
        {
            Seed = seed,
            Lines = lines,
            Passes = passes,
            // Where they stand as they were made, a stretch of poison fills batches.
            Shuffle = wholeBatchesDie ? "none" : shuffles[random.Below(shuffles.Length)],
            Method = random.Below(2) == 0 ? SelectionMethod.Mass : methods[random.Below(methods.Length)],
            Selectors = selectors,
            MaxStaleness = random.Below(4),
            MaxAttempts = attempts,
            Batch = batch,
            Block = 1 + random.Below(batch + 1),
            MicroBatch = random.Below(4),
            LeaseSeconds = 2 + random.Below(30),
            CheckpointUpdates = 1 + random.Below(4),
            Lives = lives,
        };
    }

    /// <summary>The settings of one of its starts.</summary>
    public RunOptions OptionsOf(Life life) => RunOptions.From(EffectiveSettings.Load(null, [],
    [
        $"learner.batch = {Batch}", $"learner.micro-batch = {MicroBatch}", "learner.learning-rate = 2e-2", "learner.beta = 0.5", "learner.warmup = 3",
        $"ingest.shuffle = {Shuffle}", $"ingest.passes = {Passes}", $"ingest.max-records = {life.MaxRecords}",
        $"selection.method = {Method.Name()}", $"selection.selectors = {Selectors}", $"selection.block = {Block}",
        $"slots.max-staleness = {MaxStaleness}", $"slots.max-attempts = {MaxAttempts}", $"slots.lease = {LeaseSeconds}s",
        $"checkpoint.updates = {CheckpointUpdates}", $"runtime.seed = {1 + Seed % 5}",
    ], []));

    /// <summary>The same with one selector, one start and no trouble: what others are compared with.</summary>
    public PipelineSchedule Undisturbed() => this with { Selectors = 1, Lives = [new Life(0, LifeEnd.Input, 0, Lives[^1].MaxRecords, new Trouble())] };

    private static List<RecordKind> Draw(ref StableRandom random, int count, int batch, out bool wholeBatchesDie)
    {
        var lines = new List<RecordKind>();
        var bad = random.Below(3) == 0 ? 0 : 6 + random.Below(20);
        for (var i = 0; i < count; i++)
            lines.Add(bad > 0 && random.Below(bad) == 0 ? (RecordKind)(1 + random.Below(5)) : RecordKind.Trainable);
        wholeBatchesDie = random.Below(6) == 0 && count >= 2 * batch;
        if (wholeBatchesDie)
        {
            var first = random.Below(count - 2 * batch + 1);
            for (var i = 0; i < 2 * batch; i++)
                lines[first + i] = RecordKind.Poison;
        }
        return lines;
    }

    // Each kind of trouble in some schedules only, so that rare ones are also seen alone.
    private static Trouble DrawTrouble(ref StableRandom random, int selectors)
    {
        if (random.Below(5) == 0)
            return new Trouble();
        return new Trouble
        {
            SelectorDiesBeforeSending = Sometimes(ref random, 4, 3, 12),
            SelectorDiesAfterSending = Sometimes(ref random, 5, 3, 12),
            SelectorDiesBeforeTelling = Sometimes(ref random, 5, 4, 16),
            SelectorIsSlow = Sometimes(ref random, 3, 3, 12),
            SelectorIsLost = selectors > 1 ? Sometimes(ref random, 5, 4, 20) : 0,
            SelectorFailsNowAndThen = Sometimes(ref random, 5, 8, 30),
            IntakeDies = Sometimes(ref random, 5, 6, 30),
            MessageIsLate = Sometimes(ref random, 3, 3, 20),
            MessageIsDoubled = Sometimes(ref random, 3, 3, 20),
            LearnerFails = Sometimes(ref random, 4, 3, 10),
            Deaths = random.Below(5),
            DiskIsFullAt = random.Below(6) == 0 ? 1 + random.Below(60) : 0,
        };
    }

    private static int Sometimes(ref StableRandom random, int oneIn, int least, int most) => random.Below(oneIn) == 0 ? least + random.Below(most - least) : 0;

    private static int Rarely(ref StableRandom random, int oneIn, int most) => random.Below(oneIn) == 0 ? 1 + random.Below(most) : 0;
}
