using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Slots;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Learner.Tests.Running;

/// <summary>What a run is made of: a policy of hidden size 8 and records for it, the same for the same numbers.</summary>
internal sealed class MadeRun : IDisposable
{
    public const string Source = "made";

    private readonly TempFolder _folder = new();
    private readonly Dictionary<EncodedPool, float[]> _reference = new(ReferenceEqualityComparer.Instance);

    public MadeRun(int records, long seed = 1)
    {
        Config = MadePolicy.Config(vocabulary: 14, hidden: 8, layers: 1, heads: 2, keyValueHeads: 1, positions: 16);
        PolicyPath = _folder["policy"];
        MadePolicy.Write(PolicyPath, Config);
        Start = MadePolicy.Weights(Config);
        Model = new LlamaModel(Config);
        Scorer = new PoolScorer(Model);
        var random = new StableRandom(seed, 0x4EC0);
        Records = [.. Enumerable.Range(0, records).Select(index =>
            MadeSelection.Pool(MadePolicy.Pool(ref random, Config.VocabularySize, candidates: 4, longestPrompt: 4, longestResponse: 2), new Position(Source, 0, index)))];
    }

    public PolicyConfig Config { get; }

    public string PolicyPath { get; }

    public PolicyWeights Start { get; }

    public LlamaModel Model { get; }

    public PoolScorer Scorer { get; }

    public IReadOnlyList<CandidatePool> Records { get; set; }

    public TrainerOptions Training { get; set; } = new(Beta: 0.5, new LearningRateSchedule(0.02, ScheduleShape.Cosine, 2, 50, 1), new AdamOptions(0.9, 0.99, 1e-8, 0.01, 1), MicroBatch: 0);

    /// <summary>Batches of four slots in blocks of two, nothing stale, a checkpoint after every second update.</summary>
    public LearnerOptions Options { get; set; } = new(new SlotOptions(BatchSize: 4, BlockSize: 2, MaxStaleness: 0, MaxAttempts: 3, Lease: TimeSpan.FromSeconds(30)),
        new RunIdentity(new Dictionary<string, string> { ["learner.beta"] = "0.5" }), ContinueWithChanges: false, CheckpointUpdates: 2, CheckpointsKept: 2, MetricsWindow: 100);

    public PolicyTrainer NewTrainer() => new(Model, Start, Training);

    /// <summary>Which version's policy a selection of one slot sees decides what it picks: the two rejected ones it finds likeliest.</summary>
    public Selection Select(CandidatePool pool, long slot, long batch, ReadOnlySpan<float> logps, SnapshotLease policy, string selector)
    {
        var all = logps.ToArray();
        int[] picks = [.. Enumerable.Range(1, all.Length - 1).OrderByDescending(i => all[i]).ThenBy(i => i).Take(2)];
        var candidates = all.Select((logp, i) => new CandidateEvent(ContentHash.Of(pool.Record.Candidates[i])[..16], logp, null, null, null)).ToList();
        return MadeSelection.Of(pool, picks, Reference(pool.Tokens, picks), e => e with
        {
            Slot = slot,
            Version = policy.Version,
            PolicyHash = policy.Hash,
            Lag = batch - policy.Version,
            Epoch = policy.Epoch,
            Selector = selector,
            Candidates = candidates,
        }, RankMeasures.Of(logps));
    }

    /// <summary>A block as a selector with this policy computes it: all of its records together.</summary>
    public SelectionBlock Compute(PoolBlock block, SnapshotLease policy, string selector)
    {
        var scores = Scorer.Score((PolicyWeights)policy.Tensors, [.. block.Pools.Select(pool => pool?.Tokens ?? new EncodedPool([0], [[0], [0]]))], outputFeatures: false);
        return new SelectionBlock(block.Block, selector, policy.Version, [.. block.Pools.Select((pool, i) =>
            pool is null ? null : Select(pool, block.Block.First + i, block.Block.Batch, scores.LogpsOf(i), policy, selector))]);
    }

    /// <summary>The policy's hash after training on the batches that an update log tells of, with what the events say was picked.</summary>
    public string Replay(IEnumerable<UpdateEntry> updates, IEnumerable<SelectionEvent> events)
    {
        var records = Records.ToDictionary(record => record.Position);
        var byPosition = events.ToDictionary(e => e.Position);
        using var trainer = NewTrainer();
        foreach (var update in updates)
        {
            trainer.Update([.. update.Positions.Select(position =>
            {
                if (position is not { } at)
                    return null;
                int[] picks = [.. byPosition[at].Picks.Select(pick => pick.Index)];
                return MadeSelection.Of(records[at], picks, Reference(records[at].Tokens, picks));
            })]);
        }
        return trainer.Weights.ComputeHash();
    }

    public void Dispose()
    {
        Start.Dispose();
        Model.Dispose();
        _folder.Dispose();
    }

    private float[] Reference(EncodedPool pool, int[] picks)
    {
        if (!_reference.TryGetValue(pool, out var logps))
            _reference[pool] = logps = Scorer.ScoreAlone(Start, pool);
        return [logps[0], .. picks.Select(pick => logps[pick])];
    }
}
