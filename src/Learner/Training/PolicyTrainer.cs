using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Training;

/// <summary>How a batch becomes an update.</summary>
/// <param name="Beta">β of the loss</param>
/// <param name="Schedule">of the learning rate</param>
/// <param name="Adam">the optimiser's numbers</param>
/// <param name="MicroBatch">slots computed together; gradients of a batch's micro-batches add up. 0: the whole batch</param>
public sealed record TrainerOptions(double Beta, LearningRateSchedule Schedule, AdamOptions Adam, int MicroBatch)
{
    /// <summary>What is made smaller.</summary>
    public PreferenceLoss Loss { get; init; }

    /// <summary>What may be in memory at a time.</summary>
    public ComputeLimits Limits { get; init; } = ComputeLimits.Default;

    /// <summary>Of what is drawn at random while training.</summary>
    public long Seed { get; init; }

    /// <summary>How the reference follows the policy.</summary>
    public ReferenceOptions Reference { get; init; } = ReferenceOptions.Fixed;
}

/// <summary>What an update did.</summary>
/// <param name="Loss">mean over the records trained on; null where there was none, so that nothing changed</param>
/// <param name="GradientNorm">before clipping</param>
/// <param name="LearningRate">of this update</param>
/// <param name="NotFinite">slots, counted from the batch's first, of records left out since they gave a loss or gradient that is not finite</param>
/// <param name="Rewards">TRL's metrics; null where nothing was trained</param>
public sealed record UpdateResult(double? Loss, double GradientNorm, double LearningRate, IReadOnlyList<int> NotFinite, RewardMetrics? Rewards);

/// <summary>TRL's metrics of a batch: a reward is β(log π − log π_ref), means are over records and their negatives.</summary>
public sealed record RewardMetrics(double Chosen, double Rejected, double Margins, double Accuracies, double LogpsChosen, double LogpsRejected);

/// <summary>
/// Trains a policy on batches of selections. It owns the trainable weights and the optimiser. An update is a function of the weights, the optimiser's state
/// and the batch alone. A record that gives a loss or gradient that is not finite is left out and the batch computed again without it.
/// </summary>
public sealed class PolicyTrainer : IDisposable
{
    private const int DropoutStream = 0xD209;

    // Takes the place of a record that is left out, so that the others are computed as before.
    private static readonly EncodedPool Masked = new([0], [[0], [0]]);

    private readonly DifferentiableScorer _scorer;
    private readonly TrainerOptions _options;
    private readonly AdamOptimizer _optimizer;

    /// <param name="model">the forward</param>
    /// <param name="start">copied; the reference too</param>
    /// <param name="options">see there</param>
    public PolicyTrainer(LlamaModel model, PolicyWeights start, TrainerOptions options)
        : this(model, new SharedTensors(start), options)
    {
    }

    /// <param name="model">the forward</param>
    /// <param name="found">the weights to start from, copied; the reference too</param>
    /// <param name="options">see there</param>
    public PolicyTrainer(LlamaModel model, SharedTensors found, TrainerOptions options)
    {
        _options = options;
        Weights = ((PolicyWeights)found.Tensors).Copy(trainable: true);
        Reference = new MovingReference(found, options.Reference);
        _scorer = new DifferentiableScorer(model, Weights, options.Limits);
        _optimizer = new AdamOptimizer(Weights.Tensors, options.Adam);
    }

    /// <summary>The weights being trained.</summary>
    public PolicyWeights Weights { get; }

    /// <summary>The reference policy, which whoever counts versions refreshes.</summary>
    public MovingReference Reference { get; }

    /// <summary>Updates that changed something.</summary>
    public long Steps => _optimizer.Steps;

    /// <summary>The optimiser's state by name.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> OptimizerState => _optimizer.State;

    /// <summary>Goes on from saved weights and state.</summary>
    /// <exception cref="InvalidDataException">they are of another policy</exception>
    public void Restore(IReadOnlyDictionary<string, Tensor> weights, IReadOnlyDictionary<string, Tensor> optimizer, long steps,
        IReadOnlyDictionary<string, Tensor>? reference = null)
    {
        Weights.CopyFrom(weights);
        _optimizer.Restore(optimizer, steps);
        Reference.Restore(reference);
        _scorer.WeightsChanged();
    }

    /// <summary>Trains on one batch. Null selections are empty slots.</summary>
    /// <exception cref="TrainingDivergedException">the gradient is not finite, though that of each record alone is</exception>
    public UpdateResult Update(IReadOnlyList<Selection?> batch)
    {
        var rate = _options.Schedule.At(_optimizer.Steps);
        var left = batch.ToArray();
        var notFinite = new List<int>();
        while (true)
        {
            var active = left.Count(selection => selection is not null);
            if (active == 0)
                return new UpdateResult(null, 0, rate, notFinite, null);
            _optimizer.ZeroGradients();
            var sums = new Sums();
            var bad = Accumulate(left, active, sums);
            var norm = bad.Count == 0 ? _optimizer.GradientNorm() : 0;
            if (bad.Count == 0 && !double.IsFinite(norm))
                bad = WhoseGradientIsNotFinite(left);
            if (bad.Count == 0)
            {
                _optimizer.Step(rate, norm);
                _scorer.WeightsChanged();
                _optimizer.ZeroGradients();
                return new UpdateResult(sums.Loss / active, norm, rate, notFinite, sums.ToMetrics(active));
            }
            notFinite.AddRange(bad);
            foreach (var index in bad)
                left[index] = null;
        }
    }

    /// <summary>An immutable copy of the weights.</summary>
    /// <exception cref="TrainingDivergedException">a weight is not finite: such a policy is never given out</exception>
    public PolicyWeights Snapshot()
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var copy = Weights.Copy();
        // Of the copy: once these numbers are there it is done, and may be given to threads that compute on other streams.
        var sums = stack([.. copy.Tensors.Values.Select(tensor => tensor.sum())]).cpu().data<float>().ToArray();
        if (Array.FindIndex(sums, sum => !float.IsFinite(sum)) is var bad and >= 0)
        {
            copy.Dispose();
            throw new TrainingDivergedException($"after {Steps} updates '{copy.Tensors.Keys.ElementAt(bad)}' is not finite: lower learner.learning-rate, or set learner.max-gradient-norm");
        }
        return copy;
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        Reference.Dispose();
        _scorer.Dispose();
        Weights.Dispose();
    }

    // Adds up the gradients of all micro-batches; the records whose loss is not finite, in which case the gradients are of no use.
    private List<int> Accumulate(Selection?[] batch, int active, Sums sums)
    {
        var size = _options.MicroBatch > 0 ? _options.MicroBatch : batch.Length;
        var packs = Array.ConvertAll(batch, selection => selection is null ? Masked : selection.Pool.Tokens.Of(selection.Picks));
        var bad = new List<int>();
        foreach (var group in Groups(packs, size))
        {
            using var scope = NewDisposeScope();
            var part = Array.ConvertAll(group, index => batch[index]);
            if (Array.TrueForAll(part, selection => selection is null))
                continue;
            var (losses_N, z, logps) = Losses(part, Array.ConvertAll(group, index => packs[index]));
            var losses = losses_N.data<float>().ToArray();
            var most = z.Length / part.Length;
            for (var i = 0; i < part.Length; i++)
                if (part[i] is { } selection && !IsFinite(losses[i], z.AsSpan(i * most, selection.Picks.Length)))
                    bad.Add(group[i]);
            if (bad.Count > 0)
                continue;
            var weights_N = tensor(Array.ConvertAll(part, selection => selection is null ? 0f : 1f / active), dtype: ScalarType.Float32, device: CPU);
            _scorer.Backward((losses_N * weights_N).sum());
            sums.Add(part, losses, z, logps, _options.Beta);
        }
        bad.Sort();
        return bad;
    }

    // A micro-batch is what is computed together at most.
    private IEnumerable<int[]> Groups(EncodedPool[] packs, int size)
    {
        for (var start = 0; start < packs.Length; start += size)
        {
            var first = start;
            foreach (var group in _scorer.Plan(packs[start..Math.Min(packs.Length, start + size)]))
                yield return Array.ConvertAll(group, index => first + index);
        }
    }

    // A z of −∞ leaves the loss finite, as if the negative were not there.
    private static bool IsFinite(float loss, ReadOnlySpan<float> z)
    {
        foreach (var each in z)
            if (!float.IsFinite(each))
                return false;
        return float.IsFinite(loss);
    }

    private List<int> WhoseGradientIsNotFinite(Selection?[] batch)
    {
        var bad = new List<int>();
        for (var i = 0; i < batch.Length; i++)
        {
            if (batch[i] is null)
                continue;
            using var scope = NewDisposeScope();
            _optimizer.ZeroGradients();
            _scorer.Backward(Losses([batch[i]], [batch[i]!.Pool.Tokens.Of(batch[i]!.Picks)]).Losses_N.sum());
            if (!double.IsFinite(_optimizer.GradientNorm()))
                bad.Add(i);
        }
        return bad.Count > 0 ? bad : throw new TrainingDivergedException(
            $"after {Steps} updates the gradient of a batch is not finite, though that of each of its records is: lower learner.learning-rate");
    }

    // Losses [N] with their graph; z [N × K] row-major with −∞ where there is no negative; log-probs [C], chosen first.
    private (Tensor Losses_N, float[] Z, float[] Logps) Losses(IReadOnlyList<Selection?> part, EncodedPool[] packs)
    {
        using var scope = NewDisposeScope();
        var starts = PoolScores.StartsOf(packs);
        var most = part.Max(selection => selection?.Picks.Length ?? 1);
        var reference = new float[starts[^1]];
        var lengths = new float[part.Count * (most + 1)];
        var order = new long[part.Count * (most + 1)];
        var bias = new float[part.Count * most];
        for (var n = 0; n < part.Count; n++)
        {
            part[n]?.ReferenceLogps.CopyTo(reference, starts[n]);
            var count = starts[n + 1] - starts[n];
            for (var i = 0; i <= most; i++)
            {
                var candidate = i < count ? i : 0;
                order[n * (most + 1) + i] = starts[n] + candidate;
                lengths[n * (most + 1) + i] = part[n] is { } selection
                    ? selection.Pool.Tokens.Responses[candidate == 0 ? 0 : selection.Picks[candidate - 1]].Length
                    : 1;
            }
            bias.AsSpan(n * most + count - 1, most - count + 1).Fill(float.NegativeInfinity);
        }
        var logps_C = _scorer.Logps(packs, [.. part.Select(Seed)]);
        var ratios_NK1 = (logps_C - tensor(reference, dtype: ScalarType.Float32, device: CPU)).index_select(0, tensor(order, dtype: ScalarType.Int64, device: CPU))
            .view(part.Count, most + 1);
        var (losses_N, z_NK) = PreferenceLosses.Of(_options.Loss, _options.Beta, ratios_NK1,
            tensor(lengths, [part.Count, most + 1], dtype: ScalarType.Float32, device: CPU), tensor(bias, [part.Count, most], dtype: ScalarType.Float32, device: CPU));
        return (losses_N.MoveToOuterDisposeScope(), z_NK.data<float>().ToArray(), logps_C.data<float>().ToArray());
    }

    // Whatever is drawn for a slot is drawn from the run's seed and the slot.
    private long Seed(Selection? selection) => selection is null ? _options.Seed : (long)new StableRandom(_options.Seed, selection.Event.Slot, DropoutStream).Next();

    private sealed class Sums
    {
        private double _chosen, _rejected, _margins, _accuracies, _logpsChosen, _logpsRejected;

        public double Loss { get; private set; }

        public void Add(Selection?[] part, float[] losses, float[] z, float[] logps, double beta)
        {
            var most = z.Length / part.Length;
            var at = 0;
            for (var n = 0; n < part.Length; n++)
            {
                if (part[n] is not { } selection)
                {
                    at += Masked.Candidates;
                    continue;
                }
                var k = selection.Picks.Length;
                var chosen = beta * ((double)logps[at] - selection.ReferenceLogps[0]);
                Loss += losses[n];
                _chosen += chosen;
                _logpsChosen += logps[at];
                for (var j = 0; j < k; j++)
                {
                    var margin = -(double)z[n * most + j];
                    _margins += margin / k;
                    _rejected += (chosen - margin) / k;
                    _accuracies += margin > 0 ? 1.0 / k : 0;
                    _logpsRejected += logps[at + 1 + j] / (double)k;
                }
                at += k + 1;
            }
        }

        public RewardMetrics ToMetrics(int records) => new(_chosen / records, _rejected / records, _margins / records, _accuracies / records,
            _logpsChosen / records, _logpsRejected / records);
    }
}
