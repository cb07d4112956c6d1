using MassDpo.Learner.Training;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Sft;

/// <summary>How a policy is trained from scratch.</summary>
/// <param name="Epochs">over all sequences, shuffled anew in each; 0: not at all</param>
/// <param name="BatchSize">sequences per update</param>
/// <param name="Schedule">of the learning rate</param>
/// <param name="Adam">the optimiser's numbers</param>
/// <param name="Dropout">at the embedding and at what each layer adds</param>
/// <param name="HistoryPlaces">parts of the prompt, drawn per sequence and epoch, that are learnt too: a part is an item of a history, or a token of a
/// text; −1: all of them</param>
/// <param name="Seed">of order, places and dropout</param>
public sealed record SftOptions(int Epochs, int BatchSize, LearningRateSchedule Schedule, AdamOptions Adam, double Dropout, int HistoryPlaces, long Seed);

/// <summary>A sequence to learn: a prompt and its preferred response.</summary>
/// <param name="Tokens">of both</param>
/// <param name="PromptLength">tokens of the prompt, at least one</param>
/// <param name="EndToken">what ends each item of the prompt after the first token; null: each token is an item</param>
public sealed record SftSequence(int[] Tokens, int PromptLength, int? EndToken = null)
{
    /// <param name="pool">its chosen response is learnt</param>
    /// <param name="endToken">see <see cref="EndToken"/></param>
    public static SftSequence Of(EncodedPool pool, int? endToken = null) =>
        new([.. pool.Prompt, .. pool.Responses[0]], pool.Prompt.Length, endToken);
}

/// <summary>How the training stands.</summary>
/// <param name="Epoch">epochs done, a fraction within one</param>
/// <param name="Step">updates done</param>
/// <param name="Loss">mean over the updates since the last report, in nats per token</param>
/// <param name="HitRate1">on the evaluation data, where it was measured just now</param>
public sealed record SftProgress(double Epoch, long Step, double Loss, double? HitRate1);

/// <summary>What the training made.</summary>
/// <param name="Weights">the best half-epoch's by HR@1 where an evaluation was given, else the last</param>
/// <param name="BestStep">after which update that was</param>
/// <param name="Steps">updates in all</param>
/// <param name="BestHitRate1">null without an evaluation</param>
public sealed record SftResult(PolicyWeights Weights, long BestStep, long Steps, double? BestHitRate1);

/// <summary>Next-token prediction on prompts and preferred responses.</summary>
public static class SftTrainer
{
    private const int OrderStream = 0x0F70;

    /// <summary>Trains; the caller owns the weights of the result.</summary>
    /// <param name="model">the forward</param>
    /// <param name="start">where to begin; left as it is</param>
    /// <param name="sequences">at least one</param>
    /// <param name="options">see there</param>
    /// <param name="evaluate">HR@1 of weights, asked every half epoch; null: the last weights are kept</param>
    /// <param name="report">told every half epoch</param>
    /// <param name="cancellation">ends the training early, with what there is</param>
    /// <exception cref="TrainingDivergedException">a gradient is not finite</exception>
    public static SftResult Train(LlamaModel model, PolicyWeights start, IReadOnlyList<SftSequence> sequences, SftOptions options,
        Func<PolicyWeights, double>? evaluate, Action<SftProgress> report, CancellationToken cancellation)
    {
        random.manual_seed(options.Seed);
        using var weights = start.Copy(trainable: true);
        using var optimizer = new AdamOptimizer(weights.Tensors, options.Adam);
        var best = (Rate: double.NegativeInfinity, Step: 0L, Weights: (PolicyWeights?)null);
        var perEpoch = (sequences.Count + options.BatchSize - 1) / options.BatchSize;
        var half = Math.Max(1, perEpoch / 2);
        var (lossSum, lossCount) = (0.0, 0);
        for (var epoch = 0; epoch < options.Epochs && !cancellation.IsCancellationRequested; epoch++)
        {
            var order = Enumerable.Range(0, sequences.Count).ToArray();
            var drawn = new StableRandom(options.Seed, epoch, OrderStream);
            drawn.Shuffle<int>(order);
            for (var i = 0; i < perEpoch && !cancellation.IsCancellationRequested; i++)
            {
                var batch = order.AsSpan(i * options.BatchSize, Math.Min(options.BatchSize, order.Length - i * options.BatchSize)).ToArray()
                    .Select(index => (sequences[index].Tokens, Places(sequences[index], options.HistoryPlaces, ref drawn))).ToList();
                lossSum += Step(model, weights, optimizer, batch, options);
                lossCount++;
                if (i + 1 != half && i + 1 != perEpoch)
                    continue;
                double? rate = evaluate?.Invoke(weights);
                if (rate > best.Rate)
                {
                    best.Weights?.Dispose();
                    best = (rate.Value, optimizer.Steps, weights.Copy());
                }
                report(new SftProgress(epoch + (i + 1.0) / perEpoch, optimizer.Steps, lossSum / lossCount, rate));
                (lossSum, lossCount) = (0, 0);
            }
        }
        return best.Weights is null
            ? new SftResult(weights.Copy(), optimizer.Steps, optimizer.Steps, null)
            : new SftResult(best.Weights, best.Step, optimizer.Steps, best.Rate);
    }

    private static double Step(LlamaModel model, PolicyWeights weights, AdamOptimizer optimizer, List<(int[] Tokens, int[] Places)> sequences, SftOptions options)
    {
        using var scope = NewDisposeScope();
        using var batch = PackedBatch.OfSequences(sequences, weights.Device);
        var loss = -model.Logps(weights, batch, options.Dropout).mean();
        loss.backward();
        weights.GradientsAreThere();
        var norm = optimizer.GradientNorm();
        if (!double.IsFinite(norm))
            throw new TrainingDivergedException($"after {optimizer.Steps} updates the gradient is not finite: lower sft.learning-rate");
        optimizer.Step(options.Schedule.At(optimizer.Steps), norm);
        weights.Changed();
        optimizer.ZeroGradients();
        return loss.item<float>();
    }

    // Every token of the response, and some of the prompt's items or all. The place before a token predicts it.
    private static int[] Places(SftSequence sequence, int historyPlaces, ref StableRandom random)
    {
        var response = Enumerable.Range(sequence.PromptLength - 1, sequence.Tokens.Length - sequence.PromptLength);
        var earlier = sequence.PromptLength - 1;
        if (historyPlaces < 0)
            return [.. Enumerable.Range(0, earlier), .. response];
        if (earlier == 0 || historyPlaces == 0)
            return [.. response];
        // The places at which an item ends, by the token that it predicts.
        var ends = Enumerable.Range(0, earlier)
            .Where(place => sequence.EndToken is not { } end || sequence.Tokens[place + 1] == end || place + 1 == earlier).ToArray();
        var places = new List<int>();
        for (var i = 0; i < historyPlaces; i++)
        {
            var item = random.Below(ends.Length);
            for (var place = item == 0 ? 0 : ends[item - 1] + 1; place <= ends[item]; place++)
                places.Add(place);
        }
        return [.. places, .. response];
    }
}
