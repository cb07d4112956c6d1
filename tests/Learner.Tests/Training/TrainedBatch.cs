using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Learner.Tests.Training;

/// <summary>A small policy with batches for it, and what an independent computation in float64 says of them.</summary>
internal sealed class TrainedBatch : IDisposable
{
    public const double Beta = 0.7;

    public TrainedBatch(int longestResponse = 3, bool tied = true, int hidden = 8)
    {
        Config = MadePolicy.Config(vocabulary: 20, hidden: hidden, layers: 2, heads: 2, keyValueHeads: 1, tied: tied, positions: 32);
        Start = MadePolicy.Weights(Config);
        Model = new LlamaModel(Config);
        LongestResponse = longestResponse;
    }

    public PolicyConfig Config { get; }

    public PolicyWeights Start { get; }

    public LlamaModel Model { get; }

    private int LongestResponse { get; }

    public PolicyTrainer Trainer(int microBatch = 0, AdamOptions? adam = null, double rate = 0.01) => new(Model, Start,
        new TrainerOptions(Beta, new LearningRateSchedule(rate, ScheduleShape.Constant, 0, 0, 1), adam ?? new AdamOptions(0.9, 0.999, 1e-8, 0, 0), microBatch));

    /// <summary>Selections of random records, with reference log-probs near what the policy itself says.</summary>
    public Selection[] Selections(int count, int seed, Func<int, int>? negatives = null)
    {
        var random = new StableRandom(seed, 0x7B);
        var reference = new ReferenceLlama(Start);
        var selections = new Selection[count];
        for (var n = 0; n < count; n++)
        {
            var k = negatives?.Invoke(n) ?? 2;
            var tokens = MadePolicy.Pool(ref random, Config.VocabularySize, k + 3, longestPrompt: 5, LongestResponse);
            var picks = MadeSelection.Picks(ref random, tokens, k);
            var logps = new float[k + 1];
            for (var i = 0; i <= k; i++)
                logps[i] = (float)(reference.Logp(tokens.Prompt, tokens.Responses[i == 0 ? 0 : picks[i - 1]]) + 0.5 * random.Normal());
            selections[n] = MadeSelection.Of(MadeSelection.Pool(tokens, new Position("made", 0, n)), picks, logps);
        }
        return selections;
    }

    /// <summary>Log-probs under the policy, in float64: of the chosen response, then of each pick.</summary>
    public static double[] Logps(PolicyWeights weights, Selection selection)
    {
        var reference = new ReferenceLlama(weights);
        var tokens = selection.Pool.Tokens.Of(selection.Picks);
        return [.. tokens.Responses.Select(response => reference.Logp(tokens.Prompt, response))];
    }

    /// <summary>β(Δ_j − Δ_w) of each pick, in float64.</summary>
    public static double[] Z(PolicyWeights weights, Selection selection)
    {
        var logps = Logps(weights, selection);
        var delta = logps.Select((logp, i) => logp - selection.ReferenceLogps[i]).ToArray();
        return [.. delta.Skip(1).Select(d => Beta * (d - delta[0]))];
    }

    /// <summary>The loss of a batch, in float64: the mean over its records of log(1 + Σ e^z).</summary>
    public static double Loss(PolicyWeights weights, IEnumerable<Selection?> batch) =>
        batch.OfType<Selection>().Average(selection => Math.Log(1 + Z(weights, selection).Sum(Math.Exp)));

    public void Dispose()
    {
        Start.Dispose();
        Model.Dispose();
    }
}
