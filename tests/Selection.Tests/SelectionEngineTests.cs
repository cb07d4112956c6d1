using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Selection.Kernels;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;

namespace MassDpo.Selection.Tests;

public sealed class SelectionEngineTests : IDisposable
{
    private static readonly PolicyConfig Config = MadePolicy.Config(vocabulary: 60);

    private readonly PolicyWeights _reference = MadePolicy.Weights(Config);
    private readonly PolicySnapshot _snapshot = new(1, 0, MadePolicy.Weights(Config, seed: 2));
    private readonly LlamaModel _model = new(Config);

    public void Dispose()
    {
        _snapshot.Release();
        _reference.Dispose();
        _model.Dispose();
    }

    public static TheoryData<SelectionMethod, bool> Methods
    {
        get
        {
            var data = new TheoryData<SelectionMethod, bool>();
            foreach (var method in Enum.GetValues<SelectionMethod>())
            {
                data.Add(method, false);
                data.Add(method, true);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_records_reference_has_the_same_bits_cached_or_not_and_whatever_its_block_holds(SelectionMethod method, bool tensorOperationsOnly)
    {
        var pools = Pools(12);
        var whole = References(Select(method, tensorOperationsOnly, new ReferenceCache(1 << 20, "scoring"), pools));
        // Every second one is there already; the slots stay.
        var cache = new ReferenceCache(1 << 20, "scoring");
        Select(method, tensorOperationsOnly, cache, [.. pools.Select((pool, i) => i % 2 == 0 ? pool : null)]);
        Assert.Equal(whole, References(Select(method, tensorOperationsOnly, cache, pools)));
        Assert.Equal(12, cache.Use.Computed);
        for (var i = 0; i < pools.Count; i++)
        {
            var alone = References(Select(method, tensorOperationsOnly, new ReferenceCache(0, "scoring"), [.. pools.Select((pool, j) => i == j ? pool : null)]));
            Assert.Equal(whole[i], Assert.Single(alone));
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_records_reference_has_the_same_bits_from_disk_and_from_a_disk_that_lost_half(SelectionMethod method, bool tensorOperationsOnly)
    {
        using var folder = new TempFolder();
        var pools = Pools(12);
        var fresh = References(Select(method, tensorOperationsOnly, new ReferenceCache(0, "scoring"), pools));
        Assert.Equal((0, 12), Again());
        Assert.Equal((12, 0), Again());
        var path = Directory.GetFiles(folder.Path, "*.references", SearchOption.AllDirectories).Single();
        using (var file = new FileStream(path, FileMode.Open))
            file.SetLength(file.Length / 2);
        var (found, computed) = Again();
        Assert.InRange(found, 4, 8);
        Assert.Equal(12, found + computed);

        (long FromDisk, long Computed) Again()
        {
            using var cache = new ReferenceCache(1 << 20, "scoring", ReferenceStore.Open(folder.Path, 1 << 20, PhysicalFiles.Instance, _ => { }));
            Assert.Equal(fresh, References(Select(method, tensorOperationsOnly, cache, pools)));
            return (cache.Use.FromDisk, cache.Use.Computed);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Reference_log_probs_go_with_their_picks(SelectionMethod method, bool tensorOperationsOnly)
    {
        // Some pools have no more negatives than are kept.
        var pools = Pools(12);
        var scorer = new PoolScorer(_model, tensorOperationsOnly: tensorOperationsOnly);
        foreach (var selection in Select(method, tensorOperationsOnly, new ReferenceCache(1 << 20, "scoring"), pools))
        {
            int[] candidates = [0, .. selection.Picks];
            for (var i = 0; i < candidates.Length; i++)
            {
                var alone = scorer.ScoreAlone(_reference, new EncodedPool(selection.Pool.Tokens.Prompt, [selection.Pool.Tokens.Responses[candidates[i]]]))[0];
                Assert.Equal(alone, selection.ReferenceLogps[i], 1e-4f);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_record_that_the_reference_cannot_score_fails_alone(bool tensorOperationsOnly)
    {
        var pools = Pools(4);
        var position = new Position("made", 0, 99);
        // A prompt longer than the policy has positions.
        pools[2] = MadeSelection.Pool(new EncodedPool([.. Enumerable.Repeat(5, Config.MaxPositions + 1)], [[6], [7]]), position);
        var outcome = Outcome(SelectionMethod.All, tensorOperationsOnly, new ReferenceCache(1 << 20, "scoring"), pools);
        Assert.Null(outcome.Computed);
        Assert.Equal(2, Assert.Single(outcome.Failures).Slot);
    }

    private static List<CandidatePool?> Pools(int count)
    {
        var random = new StableRandom(3);
        var pools = new List<CandidatePool?>();
        for (var i = 0; i < count; i++)
            pools.Add(MadeSelection.Pool(MadePolicy.Pool(ref random, Config.VocabularySize, candidates: 3 + i % 5, longestPrompt: 9, longestResponse: 4), new Position("made", 0, i)));
        return pools;
    }

    private BlockOutcome Outcome(SelectionMethod method, bool tensorOperationsOnly, ReferenceCache cache, IReadOnlyList<CandidatePool?> pools)
    {
        var options = new SelectionOptions(method, new KernelOptions { Negatives = 3, Beta = 1 }, Seed: 1, MetricsSample: 0, EffectiveRank: false, IncludeMeta: false);
        var engine = new SelectionEngine(new PoolScorer(_model, tensorOperationsOnly: tensorOperationsOnly), new SharedTensors(_reference), cache, options, TimeProvider.System);
        using var policy = _snapshot.TryAcquire()!;
        return engine.Select(new PoolBlock(new SlotBlock(1, 0, 0, pools.Count, 1), pools), policy, "selector-1");
    }

    private IReadOnlyList<Shared.Contracts.Selection> Select(SelectionMethod method, bool tensorOperationsOnly, ReferenceCache cache, IReadOnlyList<CandidatePool?> pools)
    {
        var outcome = Outcome(method, tensorOperationsOnly, cache, pools);
        Assert.Empty(outcome.Failures);
        return [.. outcome.Computed!.Selections.Where(selection => selection is not null).Select(selection => selection!)];
    }

    private static float[][] References(IEnumerable<Shared.Contracts.Selection> selections) => [.. selections.Select(selection => selection.ReferenceLogps.ToArray())];
}
