using System.Text;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Selection.Kernels;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection;

/// <summary>What became of a block: a selection per slot, or the records that it failed on.</summary>
public sealed record BlockOutcome(SelectionBlock? Computed, IReadOnlyList<SlotFailure> Failures);

/// <summary>
/// Chooses the negatives of a block of records with one version of the policy. What it gives is a function of the block, the version and the settings
/// alone: records are scored together as the block has them, a record that died leaves a row in place, and a record's reference is the same bits
/// wherever it is computed: those of a block together where the scorer is batch-invariant, else each record alone.
/// One per selector: it is not thread-safe, but the scorer, the reference weights and the cache may be shared.
/// </summary>
/// <param name="scorer">see there</param>
/// <param name="found">the policy that the run found: the reference of every snapshot that brings none</param>
/// <param name="cache">of the references' log-probabilities</param>
/// <param name="options">how to choose</param>
/// <param name="clock">for the events' timing</param>
public sealed class SelectionEngine(PoolScorer scorer, SharedTensors found, ReferenceCache cache, SelectionOptions options, TimeProvider clock)
{
    private const int PicksStream = 0x51C5;
    private const int SampleStream = 0x5A3B;

    // Takes the place of a record that died: the smallest pool there is.
    private static readonly EncodedPool Masked = new([0], [[0], [0]]);

    private readonly Workspace _workspace = new();
    private double[] _z = [];
    private double[] _p = [];
    private float[] _differences = [];
    private double[] _gram = [];

    /// <summary>Computes a block. A failure that belongs to records is told per record; any other is thrown.</summary>
    public BlockOutcome Select(PoolBlock block, SnapshotLease policy, string selector)
    {
        var weights = (PolicyWeights)policy.Tensors;
        var start = clock.GetTimestamp();
        PoolScores? scores = null;
        if (options.Method.NeedsScores())
        {
            try
            {
                scores = Score(weights, [.. block.Pools.Select(pool => pool?.Tokens ?? Masked)]);
            }
            catch (Exception e) when (WhoFails(weights, block.Pools, e) is { Count: > 0 } failures)
            {
                return new BlockOutcome(null, [.. failures.Select(f => new SlotFailure(block.Block.First + f.Index, f.Reason))]);
            }
        }
        var scored = clock.GetTimestamp();
        var reference = policy.Reference ?? found;
        var references = References(block, reference);
        var timing = new SelectionTiming(scores is null ? 0 : (clock.GetElapsedTime(start, scored) / block.Pools.Count).TotalMicroseconds,
            (clock.GetElapsedTime(scored) / block.Pools.Count).TotalMicroseconds, 0);
        var selections = new Shared.Contracts.Selection?[block.Pools.Count];
        var failed = new List<SlotFailure>();
        for (var i = 0; i < selections.Length; i++)
        {
            if (block.Pools[i] is not { } pool)
                continue;
            try
            {
                var slot = block.Block.First + i;
                var packed = references?[i] ?? Reference([PackOf(pool, slot)], reference)[0];
                selections[i] = Select(pool, slot, block.Block.Batch, weights, policy, reference.Hash, scores, i, packed, timing, selector);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                failed.Add(new SlotFailure(block.Block.First + i, e.Message));
            }
        }
        return failed.Count > 0
            ? new BlockOutcome(null, failed)
            : new BlockOutcome(new SelectionBlock(block.Block, selector, policy.Version, selections), []);
    }

    private PoolScores Score(PolicyWeights weights, IReadOnlyList<EncodedPool> pools) => options.Method.NeedsFeatures()
        ? scorer.Score(weights, pools, options.Features)
        : scorer.Score(weights, pools, outputFeatures: false);

    // Which records cannot be scored even alone. None: the failure is not theirs.
    private List<(int Index, string Reason)> WhoFails(PolicyWeights weights, IReadOnlyList<CandidatePool?> pools, Exception whole)
    {
        var failures = new List<(int, string)>();
        if (whole is OutOfMemoryException)
            return failures;
        for (var i = 0; i < pools.Count; i++)
        {
            if (pools[i] is not { } pool)
                continue;
            try
            {
                Score(weights, [pool.Tokens]);
            }
            catch (Exception e)
            {
                failures.Add((i, e.Message));
            }
        }
        return failures;
    }

    // log π_ref of each record's pack. Null: one of them fails, and each is to be asked for alone, to learn which.
    private float[]?[]? References(PoolBlock block, SharedTensors reference)
    {
        var alive = Enumerable.Range(0, block.Pools.Count).Where(i => block.Pools[i] is not null).ToArray();
        try
        {
            var found = Reference([.. alive.Select(i => PackOf(block.Pools[i]!, block.Block.First + i))], reference);
            var references = new float[]?[block.Pools.Count];
            for (var i = 0; i < alive.Length; i++)
                references[alive[i]] = found[i];
            return references;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return null;
        }
    }

    private IReadOnlyList<float[]> Reference(IReadOnlyList<EncodedPool> packs, SharedTensors reference) =>
        cache.Get(reference.Hash, packs, missing => scorer.ScoreCanonically((PolicyWeights)reference.Tensors, missing));

    // What the reference is asked for: the chosen one and the picks alone where nothing else needs z, and the whole pool else.
    private EncodedPool PackOf(CandidatePool pool, long slot)
    {
        if (options.Method != SelectionMethod.Random)
            return pool.Tokens;
        var picks = Choose(null, 0, pool.Tokens.Candidates - 1, slot).Picks;
        var indices = new int[picks.Length];
        for (var i = 0; i < indices.Length; i++)
            indices[i] = picks[i].Index + 1;
        return pool.Tokens.Of(indices);
    }

    private Shared.Contracts.Selection Select(CandidatePool pool, long slot, long batch, PolicyWeights weights, SnapshotLease policy, string referenceHash, PoolScores? scores, int row,
        float[] packed, SelectionTiming timing, string selector)
    {
        CheckFeatures(pool.Tokens);
        var logps = scores is null ? [] : scores.LogpsOf(row);
        var reference = scores is null ? null : packed;
        var negatives = pool.Tokens.Candidates - 1;
        if (reference is not null)
            ComputeZ(logps, reference);
        var beforeSelect = clock.GetTimestamp();
        var result = Choose(scores, row, negatives, slot);
        var picks = new int[result.Picks.Length];
        var told = new PickEvent[picks.Length];
        for (var i = 0; i < picks.Length; i++)
        {
            var pick = result.Picks[i];
            picks[i] = pick.Index + 1;
            told[i] = new PickEvent(pick.Index + 1, pick.Gain, pick.RunnerUp + 1, pick.RunnerUpGain);
        }
        var (information, bound, ridge) = (result.Information, result.Bound, result.Ridge);
        // The result lies in the workspace, which the next call uses again.
        var effectiveRank = options.EffectiveRank && options.Method.NeedsFeatures() && !result.NoInformation
            ? FisherInformation.EffectiveRank(PoolOf(negatives), options.Kernel, _workspace)
            : (double?)null;
        var afterSelect = clock.GetTimestamp();
        var trained = Trained(packed, picks, isWhole: scores is not null);
        var measures = Measure(pool.Tokens, logps, weights, slot);
        var e = new SelectionEvent
        {
            Id = pool.Id,
            Position = pool.Position,
            Slot = slot,
            Version = policy.Version,
            PolicyHash = policy.Hash,
            ReferenceHash = referenceHash,
            Method = options.Method.Name(),
            K = options.Method == SelectionMethod.All ? picks.Length : options.Kernel.Negatives,
            Beta = options.Kernel.Beta,
            Rho = options.Method.NeedsFeatures() && options.Kernel.AbsoluteRidge is null ? options.Kernel.Ridge : null,
            Gamma = ridge,
            Features = options.Method.NeedsFeatures() ? options.Features.Name : null,
            Candidates = Candidates(pool, logps, reference, picks, trained),
            Picks = told,
            Information = information,
            Bound = bound,
            EffectiveRank = effectiveRank,
            Rank = measures?.Rank,
            Lag = batch - policy.Version,
            Meta = options.IncludeMeta && pool.Record.MetaUtf8 is { } utf8 ? Encoding.UTF8.GetString(utf8.Span) : null,
            Epoch = policy.Epoch,
            Selector = selector,
            Timing = timing with { SelectMicroseconds = clock.GetElapsedTime(beforeSelect, afterSelect).TotalMicroseconds },
        };
        return new Shared.Contracts.Selection(pool, picks, trained, e, EventLine.Of(e), measures);
    }

    private SelectionResult Choose(PoolScores? scores, int row, int negatives, long slot)
    {
        if (scores?.Grams is { } grams)
            ComputeDifferences(grams[row], negatives);
        else if (scores?.Features is not null)
            ComputeDifferences(scores.FeaturesOf(row), scores.FeatureSize, negatives);
        switch (options.Method)
        {
            case SelectionMethod.Mass:
                return Kernel.Mass(PoolOf(negatives), options.Kernel, _workspace);
            case SelectionMethod.Exact:
                return Kernel.Exact(PoolOf(negatives), options.Kernel, _workspace);
            case SelectionMethod.Hardest:
                return Kernel.Hardest(new Pool(_z.AsSpan(0, negatives)), options.Kernel, _workspace);
            case SelectionMethod.Random:
                var random = new StableRandom(options.Seed, slot, PicksStream);
                return Kernel.Random(new Pool(Zeros(negatives)), options.Kernel, _workspace, ref random);
            default:
                return Kernel.All(new Pool(Zeros(negatives)), _workspace);
        }
    }

    private Pool PoolOf(int negatives)
    {
        if (options.Features.IsGram)
            return Pool.OfGram(_z.AsSpan(0, negatives), _gram.AsSpan(0, negatives * negatives));
        var size = options.Features.SizeOf(scorer.FeatureSize);
        return new Pool(_z.AsSpan(0, negatives), _differences.AsSpan(0, negatives * size), size);
    }

    // log π_ref of the chosen one and the picks, out of the whole pool's or, where only they were asked for, as they stand.
    private static float[] Trained(float[] reference, int[] picks, bool isWhole)
    {
        var trained = reference;
        if (isWhole)
        {
            trained = new float[picks.Length + 1];
            trained[0] = reference[0];
            for (var i = 0; i < picks.Length; i++)
                trained[i + 1] = reference[picks[i]];
        }
        return Array.TrueForAll(trained, float.IsFinite)
            ? trained
            : throw new RefusedPoolException("a log-probability under the reference policy is not finite");
    }

    private void ComputeZ(ReadOnlySpan<float> logps, float[] reference)
    {
        Grow(ref _z, logps.Length - 1);
        FisherInformation.Z(logps, reference, options.Kernel.Beta, _z);
    }

    private void ComputeDifferences(ReadOnlySpan<float> features, int size, int negatives)
    {
        Grow(ref _differences, negatives * size);
        var chosen = features[..size];
        for (var j = 0; j < negatives; j++)
            System.Numerics.Tensors.TensorPrimitives.Subtract(features.Slice((j + 1) * size, size), chosen, _differences.AsSpan(j * size, size));
    }

    private void ComputeDifferences(double[] gram, int negatives)
    {
        Grow(ref _gram, negatives * negatives);
        DifferenceGram.Of(gram, negatives + 1, _gram.AsSpan(0, negatives * negatives));
    }

    // One token is predicted from the prompt's last place whichever it is: all u_j would be 0.
    private void CheckFeatures(EncodedPool pool)
    {
        if (options.Method.NeedsFeatures() && options.Features.Kind == FeatureKind.Hidden
            && Array.TrueForAll(pool.Responses, response => response.Length == 1))
            throw new RefusedPoolException("every response has one token, and the hidden state before it is the same for all: features 'hidden' "
                + "cannot tell them apart; set selection.features = output");
    }

    private ReadOnlySpan<double> Zeros(int count)
    {
        Grow(ref _z, count);
        Array.Clear(_z, 0, count);
        return _z.AsSpan(0, count);
    }

    private RecordMeasures? Measure(EncodedPool pool, ReadOnlySpan<float> logps, PolicyWeights weights, long slot)
    {
        if (!logps.IsEmpty)
            return RankMeasures.Of(logps);
        // Measured alone, so that the sample changes nothing else.
        return options.MetricsSample > 0 && new StableRandom(options.Seed, slot, SampleStream).Unit() < options.MetricsSample
            ? RankMeasures.Of(scorer.ScoreAlone(weights, pool))
            : null;
    }

    private CandidateEvent[] Candidates(CandidatePool pool, ReadOnlySpan<float> logps, float[]? reference, int[] picks, float[] trained)
    {
        var texts = pool.Record.Candidates;
        var events = new CandidateEvent[texts.Count];
        if (logps.IsEmpty)
        {
            for (var i = 0; i < events.Length; i++)
                events[i] = new CandidateEvent(HashOf(texts[i]), null, null, null, null);
            events[0] = events[0] with { LogpRef = trained[0] };
            for (var i = 0; i < picks.Length; i++)
                events[picks[i]] = events[picks[i]] with { LogpRef = trained[i + 1] };
            return events;
        }
        Grow(ref _p, events.Length - 1);
        var p = _p.AsSpan(0, events.Length - 1);
        var chosen = FisherInformation.Probabilities(_z.AsSpan(0, events.Length - 1), p);
        for (var i = 0; i < events.Length; i++)
            events[i] = new CandidateEvent(HashOf(texts[i]), logps[i], reference![i], i == 0 ? 0 : _z[i - 1], i == 0 ? chosen : p[i - 1]);
        return events;
    }

    private static string HashOf(string text) => ContentHash.Of(text)[..16];

    private static void Grow<T>(ref T[] array, int count)
    {
        if (array.Length < count)
            array = new T[Math.Max(count, 2 * array.Length)];
    }
}
