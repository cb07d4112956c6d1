using MassDpo.Ingest.Sources;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Slots;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Scoring;
using MassDpo.Selection;
using MassDpo.Selection.Kernels;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Running;

/// <summary>All that a run is set to, with its ranges checked.</summary>
public sealed record RunOptions
{
    // Two whole checkpoints are kept whatever is asked for; the bound on time spans is what timers can take.
    private static readonly TimeSpan LongestSpan = TimeSpan.FromDays(40);

    public required Duplicates Duplicates { get; init; }
    public required FileSourceOptions Files { get; init; }
    public required int Validators { get; init; }
    /// <summary>How the policy is loaded: what reads records for it, its adapter, its limits.</summary>
    public required PolicyOptions Policy { get; init; }
    public required SelectionOptions Selection { get; init; }
    public required int Selectors { get; init; }
    public required ReferenceCacheOptions References { get; init; }
    public required SlotOptions Slots { get; init; }
    public required TrainerOptions Trainer { get; init; }
    public required int CheckpointUpdates { get; init; }
    public required int CheckpointsKept { get; init; }
    public required int MetricsWindow { get; init; }
    public required LogOptions Logs { get; init; }
    public required long EvaluateEvery { get; init; }
    public required int Threads { get; init; }
    public required TimeSpan Progress { get; init; }

    /// <summary>Every effective setting as text, for reports.</summary>
    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    /// <summary>What whoever set this should hear, one sentence each.</summary>
    public IReadOnlyList<string> Warnings => Selection.Method.NeedsFeatures() && Selection.Features.Kind == FeatureKind.Hidden
        ? ["selection.features = hidden: on text these features have nothing to do with the gradient, and picks are little better than random ones; "
            + "see docs/selection.md"]
        : [];

    /// <summary>Records that an intake holds: what may be granted, and one batch ahead.</summary>
    public int Window => (Slots.MaxStaleness + 2) * Slots.BatchSize;

    /// <summary>Reads a run's settings.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static RunOptions From(EffectiveSettings settings)
    {
        var seed = settings.Long("runtime.seed", 0);
        var beta = settings.Number("learner.beta", 1e-6, 1e3);
        var batch = settings.Integer("learner.batch", 1, 1 << 20);
        var staleness = settings.Integer("slots.max-staleness", 0, 10_000);
        var reference = new ReferenceSchedule(settings.Long("reference.refresh", 0));
        if ((staleness + 2L) * batch > int.MaxValue)
            throw settings.Outside("slots.max-staleness", $"{staleness} with batches of {batch}", "lower it or learner.batch: (max-staleness + 2) · batch records are held");
        var maxRecordBytes = (int)settings.Size("ingest.max-record-bytes", 1024, 1 << 30);
        var features = Features(settings, seed);
        var method = settings.Choice("selection.method", SelectionMethods.ByName);
        var negatives = settings.Integer("selection.negatives", 1, 1 << 16);
        var loss = settings.Choice("learner.loss", Enum.GetValues<PreferenceLoss>().ToDictionary(loss => loss.Name()));
        CheckLoss(settings, loss, method, negatives);
        var policy = PolicyOptions.From(settings) with { Lora = LoraSettings.From(settings, seed) };
        return new RunOptions
        {
            Duplicates = settings.Choice("ingest.duplicates", new Dictionary<string, Duplicates> { ["drop"] = Duplicates.Drop, ["keep"] = Duplicates.Keep }),
            Files = new FileSourceOptions(Order(settings), seed, settings.Integer("ingest.passes", 1), settings.Long("ingest.max-records", 0), maxRecordBytes),
            Validators = settings.Integer("ingest.validators", 1, 1024),
            Policy = policy,
            Selection = new SelectionOptions(
                method,
                new KernelOptions
                {
                    Negatives = negatives,
                    Beta = beta,
                    Ridge = settings.Number("selection.ridge", 1e-9, 1e3),
                    ZCap = settings.Number("selection.z-cap", -30, 30) is var cap and < 30 ? cap : null,
                    ProbabilityCap = settings.Number("selection.probability-cap", 1e-12, 1) is var share and < 1 ? share : null,
                },
                seed,
                settings.Number("metrics.sample", 0, 1),
                settings.Flag("selection.effective-rank"),
                settings.Flag("selection.include-meta")) { Features = features },
            Selectors = settings.Integer("selection.selectors", 1, 1024),
            References = new ReferenceCacheOptions(settings.Size("selection.reference-cache", 0, 1L << 40),
                settings.Text("selection.reference-cache-directory") is { Length: > 0 } directory ? directory : null,
                settings.Size("selection.reference-cache-disk", ReferenceStore.LeastBytes, 1L << 50)),
            Slots = new SlotOptions(batch, Math.Min(batch, settings.Integer("selection.block", 1, 1 << 16)), staleness,
                settings.Integer("slots.max-attempts", 1, 1000), settings.Duration("slots.lease", TimeSpan.FromSeconds(1), LongestSpan))
            {
                Drain = settings.Duration("slots.drain", TimeSpan.Zero, LongestSpan),
                Reference = reference,
            },
            Trainer = new TrainerOptions(beta, Schedule(settings), Adam(settings, "learner", settings.Number("learner.adam-epsilon", 1e-30, 1)),
                settings.Integer("learner.micro-batch", 0, 1 << 20))
            {
                Loss = loss,
                Limits = policy.Limits with { Checkpointing = settings.Flag("learner.activation-checkpointing") },
                Seed = seed,
                Reference = new ReferenceOptions(reference, settings.Number("reference.mix", 1e-6, 1)),
            },
            CheckpointUpdates = settings.Integer("checkpoint.updates", 1),
            CheckpointsKept = settings.Integer("checkpoint.keep", 2, 1_000_000),
            MetricsWindow = settings.Integer("metrics.window", 1, 100_000_000),
            Logs = new LogOptions(settings.Size("logs.segment", 0, 1L << 50), settings.Integer("logs.keep", 0, 1_000_000)),
            EvaluateEvery = settings.Long("metrics.evaluate-every", 0),
            Threads = settings.Integer("runtime.threads", 1, 1024),
            Progress = settings.Duration("runtime.progress", TimeSpan.FromMilliseconds(100), LongestSpan),
            Settings = settings.Effective.Where(setting => IsOfRun(setting.Key)).ToDictionary(StringComparer.Ordinal),
        };
    }

    /// <exception cref="Shared.Settings.Hocon.HoconException">a loss of pairs with more than one negative</exception>
    internal static void CheckLoss(EffectiveSettings settings, PreferenceLoss loss, SelectionMethod method, int negatives)
    {
        if (loss.IsOfPairs() && (negatives > 1 || method == SelectionMethod.All))
            throw settings.Outside("learner.loss", $"{loss.Name()} with {(method == SelectionMethod.All ? "the whole pool" : $"{negatives} negatives")}",
                "it compares the chosen response with one other: set selection.negatives = 1 and a method that keeps one, or learner.loss = pl");
    }

    /// <summary>The optimiser's numbers out of a section.</summary>
    internal static AdamOptions Adam(EffectiveSettings settings, string section, double epsilon) => new(
        settings.Number(section + ".adam-beta1", 0, 0.999999), settings.Number(section + ".adam-beta2", 0, 0.9999999), epsilon,
        settings.Number(section + ".weight-decay", 0, 10), settings.Number(section + ".max-gradient-norm", 0, 1e9));

    /// <summary>Refuses a policy that lacks what the features are gradients of.</summary>
    /// <param name="hasAdapter">whether it has an adapter, its own or the one that is trained</param>
    /// <exception cref="PolicyFormatException">it has none, and features are <c>lora</c></exception>
    internal void CheckFeatures(bool hasAdapter)
    {
        if (!hasAdapter && Selection.Method.NeedsFeatures() && Selection.Features.Kind == FeatureKind.Lora)
            throw new PolicyFormatException("selection.features = lora: these are gradients of an adapter, and the policy has none: train one with lora.rank or lora.adapter, give a "
                + "policy with one, or set selection.features = output");
    }

    /// <summary>What a resume must agree with: everything that a result depends on.</summary>
    public RunIdentity Identity(string policy, string data, string scoring)
    {
        string[] leftOut = ["ingest.passes", "ingest.max-records", "ingest.validators", "selection.selectors", "selection.reference-cache", "selection.effective-rank",
            "selection.include-meta", "slots.", "checkpoint.", "logs.", "metrics.", "runtime.progress", "kafka.", "lora.adapter"];
        var values = Settings.Where(setting => !leftOut.Any(name => setting.Key.StartsWith(name, StringComparison.Ordinal))).ToDictionary(StringComparer.Ordinal);
        values["policy"] = policy;
        values["data"] = data;
        values[PlacementSettings.DeviceKey] = PlacementSettings.KindOf(values[PlacementSettings.DeviceKey]);
        // The two ways of scoring differ in the last bits.
        values["scoring"] = scoring;
        return new RunIdentity(values);
    }

    private static bool IsOfRun(string key) => !new[] { "sft.", "eval.", "demo.", "compare.", "generation.", "watch.", "cluster." }.Any(section => key.StartsWith(section, StringComparison.Ordinal));

    private static FeatureForm Features(EffectiveSettings settings, long seed)
    {
        var (kind, sketch) = (settings.Choice("selection.features", FeatureKinds.ByName), settings.Integer("selection.sketch", 0, 1 << 16));
        if (sketch > 0 && !kind.AreOfMatrices())
            throw settings.Outside("selection.sketch", $"{sketch} with selection.features = {kind.Name()}",
                "only gradients of whole matrices are sketched: leave it at 0, or set selection.features = head or lora");
        return new FeatureForm(kind, settings.Flag("selection.normalize")) { Sketch = sketch, Seed = seed };
    }

    private static ShuffleOrder Order(EffectiveSettings settings)
    {
        try
        {
            return ShuffleOrder.Parse(settings.Text("ingest.shuffle"));
        }
        catch (FormatException e)
        {
            throw settings.Outside("ingest.shuffle", $"'{settings.Text("ingest.shuffle")}'", e.Message);
        }
    }

    private static LearningRateSchedule Schedule(EffectiveSettings settings)
    {
        var shape = settings.Choice("learner.schedule", Enum.GetValues<ScheduleShape>().ToDictionary(shape => shape.ToString().ToLowerInvariant()));
        var total = settings.Long("learner.total-updates", 0);
        if (shape != ScheduleShape.Constant && total == 0)
            throw settings.Outside("learner.total-updates", "0 with a falling learning rate", "write how many updates the run has: records × passes / batch");
        return new LearningRateSchedule(settings.Number("learner.learning-rate", 1e-12, 1e3), shape, settings.Long("learner.warmup", 0), total,
            settings.Integer("learner.first-step", 0, 1));
    }
}
