using MassDpo.Learner.Sft;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Sft;

/// <summary>Dropout draws from the process's generator, so that all that trains with it stands in this one class, whose tests run one after another.</summary>
public sealed class SftTrainerTests
{
    private static readonly PolicyConfig Config = MadePolicy.Config(vocabulary: 12, hidden: 16, layers: 1, heads: 2, keyValueHeads: 2, positions: 16);

    [Fact]
    public void It_learns_what_follows_what()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var sequences = Pattern(40);
        var result = Train(model, start, sequences, Options(epochs: 30));
        using var weights = result.Weights;
        Assert.Equal(30 * 5, result.Steps);
        Assert.Equal(1, HitRate(model, weights, sequences));
        Assert.True(HitRate(model, start, sequences) < 0.5);
    }

    [Fact]
    public void The_same_seed_gives_the_same_bits_and_another_seed_others()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var hashes = new[] { 5, 5, 6 }.Select(seed =>
        {
            var result = Train(model, start, Pattern(20), Options(epochs: 2, dropout: 0.3, seed: seed));
            using var weights = result.Weights;
            return weights.ComputeHash();
        }).ToList();
        Assert.Equal(hashes[0], hashes[1]);
        Assert.NotEqual(hashes[0], hashes[2]);
    }

    [Fact]
    public void Dropout_changes_the_training_and_the_start_is_left_as_it_is()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var before = start.ComputeHash();
        using var with = Train(model, start, Pattern(20), Options(epochs: 1, dropout: 0.3)).Weights;
        using var without = Train(model, start, Pattern(20), Options(epochs: 1)).Weights;
        Assert.NotEqual(with.ComputeHash(), without.ComputeHash());
        Assert.Equal(before, start.ComputeHash());
    }

    [Theory]
    [InlineData(8, new double[] { 4, 8, 12, 16 })]
    [InlineData(7, new double[] { 3, 7, 10, 14 })]
    [InlineData(3, new double[] { 1, 3, 4, 6 })]
    [InlineData(1, new double[] { 1, 2 })]
    public void It_measures_and_reports_after_each_half_epoch_the_end_of_the_last_one_too(int updatesPerEpoch, double[] measuredAfter)
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var reports = new List<SftProgress>();
        var rate = 0.0;
        var result = SftTrainer.Train(model, start, Pattern(updatesPerEpoch * 8 - 3), Options(epochs: 2), _ => rate += 0.01, reports.Add, default);
        using var weights = result.Weights;
        Assert.Equal(measuredAfter, reports.Select(report => (double)report.Step));
        Assert.Equal(measuredAfter.Select(step => step / updatesPerEpoch), reports.Select(report => report.Epoch), (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(Enumerable.Range(1, reports.Count).Select(i => (double?)(i * 0.01)), reports.Select(report => report.HitRate1), (a, b) => Math.Abs(a!.Value - b!.Value) < 1e-12);
        Assert.Equal(2 * updatesPerEpoch, result.Steps);
    }

    [Fact]
    public void The_best_half_epoch_is_kept_the_earliest_of_equals()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        double[] rates = [0.2, 0.5, 0.4, 0.5, double.NaN, 0.1];
        var hashes = new List<string>();
        var result = SftTrainer.Train(model, start, Pattern(32), Options(epochs: 3), weights =>
        {
            hashes.Add(weights.ComputeHash());
            return rates[hashes.Count - 1];
        }, _ => { }, default);
        using var kept = result.Weights;
        Assert.Equal(6, hashes.Distinct().Count());
        Assert.Equal(hashes[1], kept.ComputeHash());
        Assert.Equal((4, 12, 0.5), (result.BestStep, result.Steps, result.BestHitRate1));
    }

    [Fact]
    public void Without_an_evaluation_the_last_weights_are_kept()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var reports = new List<SftProgress>();
        var result = SftTrainer.Train(model, start, Pattern(32), Options(epochs: 2), null, reports.Add, default);
        using var weights = result.Weights;
        Assert.Equal((8, 8, null), (result.BestStep, result.Steps, result.BestHitRate1));
        Assert.All(reports, report => Assert.Null(report.HitRate1));
        // With an evaluation that only ever gets better the last are the best: the same bits.
        var rate = 0.0;
        using var best = SftTrainer.Train(model, start, Pattern(32), Options(epochs: 2), _ => rate++, _ => { }, default).Weights;
        Assert.Equal(best.ComputeHash(), weights.ComputeHash());
        Assert.All(best.Tensors.Values, tensor => Assert.False(tensor.requires_grad));
    }

    [Fact]
    public void The_reported_loss_is_the_mean_since_the_last_report()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var sequences = Pattern(32);
        var reports = new List<SftProgress>();
        // At a rate of 0 nothing changes: the loss of all sequences can be computed apart.
        var options = Options(epochs: 1) with { Schedule = new LearningRateSchedule(0, ScheduleShape.Constant, 0, 0, 1), BatchSize = 1 };
        using var weights = SftTrainer.Train(model, start, sequences, options, null, reports.Add, default).Weights;
        var reference = new ReferenceLlama(start);
        var expected = sequences.Average(sequence =>
        {
            var logps = reference.Logps(sequence.Tokens);
            return -Enumerable.Range(0, sequence.Tokens.Length - 1).Average(place => logps[place][sequence.Tokens[place + 1]]);
        });
        Assert.Equal(expected, reports.Average(report => report.Loss), 1e-5);
    }

    [Fact]
    public void No_epochs_give_the_start()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        using var weights = Train(model, start, Pattern(8), Options(epochs: 0)).Weights;
        Assert.Equal(start.ComputeHash(), weights.ComputeHash());
    }

    [Fact]
    public void Cancelling_ends_it_with_what_there_is()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        using var stop = new CancellationTokenSource();
        var result = SftTrainer.Train(model, start, Pattern(32), Options(epochs: 5), null, report =>
        {
            if (report.Step == 6)
                stop.Cancel();
        }, stop.Token);
        using var stopped = result.Weights;
        Assert.Equal((6, 6), (result.BestStep, result.Steps));
        var all = new List<string>();
        using var whole = SftTrainer.Train(model, start, Pattern(32), Options(epochs: 2), weights =>
        {
            all.Add(weights.ComputeHash());
            return 0;
        }, _ => { }, default).Weights;
        Assert.Equal(all[2], stopped.ComputeHash());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Of_the_places_before_the_response_only_as_many_are_learnt_as_asked_for(int historyPlaces)
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        // At a rate of 0 and one sequence the loss tells which places were learnt: with none drawn it is the response's alone.
        var sequence = new SftSequence([1, 5, 3, 7, 2, 9], 4);
        var options = Options(epochs: 1) with { HistoryPlaces = historyPlaces, Schedule = new LearningRateSchedule(0, ScheduleShape.Constant, 0, 0, 1) };
        var losses = new HashSet<double>();
        for (var seed = 0; seed < 20; seed++)
        {
            SftProgress? report = null;
            using var weights = SftTrainer.Train(model, start, [sequence], options with { Seed = seed }, null, r => report = r, default).Weights;
            losses.Add(Math.Round(report!.Loss, 4));
        }
        var logps = new ReferenceLlama(start).Logps(sequence.Tokens);
        double At(int place) => -logps[place][sequence.Tokens[place + 1]];
        var possible = from a in Enumerable.Range(0, 3) from b in Enumerable.Range(0, 3) from c in Enumerable.Range(0, 3)
                       select historyPlaces == 0 ? (At(3) + At(4)) / 2 : (At(a) + At(b) + At(c) + At(3) + At(4)) / 5;
        Assert.All(losses, loss => Assert.Contains(possible, other => Math.Abs(other - loss) < 2e-4));
        Assert.Equal(historyPlaces == 0, losses.Count == 1);
    }

    [Fact]
    public void An_item_of_several_tokens_is_learnt_whole_with_its_end_token()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        // BOS; items of two tokens, none and one, each with the end token 2; a response.
        var sequence = new SftSequence([1, 5, 3, 2, 2, 7, 2, 9, 2], 7, EndToken: 2);
        var options = Options(epochs: 1) with { HistoryPlaces = 1, Schedule = new LearningRateSchedule(0, ScheduleShape.Constant, 0, 0, 1) };
        var losses = new HashSet<double>();
        for (var seed = 0; seed < 30; seed++)
        {
            SftProgress? report = null;
            using var weights = SftTrainer.Train(model, start, [sequence], options with { Seed = seed }, null, r => report = r, default).Weights;
            losses.Add(Math.Round(report!.Loss, 4));
        }
        var logps = new ReferenceLlama(start).Logps(sequence.Tokens);
        double[] possible = [.. new int[][] { [0, 1, 2], [3], [4, 5] }.Select(places => places.Append(6).Append(7).Average(place => -logps[place][sequence.Tokens[place + 1]]))];
        Assert.All(losses, loss => Assert.Contains(possible, other => Math.Abs(other - loss) < 2e-4));
        Assert.Equal(3, losses.Count);
    }

    [Fact]
    public void A_prompt_of_one_token_has_no_places_to_draw()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        var result = SftTrainer.Train(model, start, [new SftSequence([1, 4], 1), new SftSequence([1, 6, 5, 8], 2)], Options(epochs: 1) with { HistoryPlaces = 2 },
            null, _ => { }, default);
        using var weights = result.Weights;
        Assert.NotEqual(start.ComputeHash(), weights.ComputeHash());
    }

    [Fact]
    public void A_gradient_that_is_not_finite_ends_it_with_the_remedy()
    {
        using var model = new LlamaModel(Config);
        using var start = MadePolicy.Weights(Config);
        start.FinalNorm.narrow(0, 0, 1).fill_(float.NaN);
        var failure = Assert.Throws<TrainingDivergedException>(() => Train(model, start, Pattern(8), Options(epochs: 1)));
        Assert.Contains("sft.learning-rate", failure.Message);
    }

    [Fact]
    public void A_sequence_is_the_prompt_and_the_chosen_response()
    {
        var sequence = SftSequence.Of(new EncodedPool([1, 2, 3], [[4, 5], [6]]));
        Assert.Equal([1, 2, 3, 4, 5], sequence.Tokens);
        Assert.Equal((3, null), (sequence.PromptLength, sequence.EndToken));
        Assert.Equal(2, SftSequence.Of(new EncodedPool([1], [[4]]), endToken: 2).EndToken);
    }

    private static SftResult Train(LlamaModel model, PolicyWeights start, IReadOnlyList<SftSequence> sequences, SftOptions options) =>
        SftTrainer.Train(model, start, sequences, options, null, _ => { }, default);

    private static SftOptions Options(int epochs, double dropout = 0, long seed = 1) =>
        new(epochs, BatchSize: 8, new LearningRateSchedule(0.02, ScheduleShape.Constant, 0, 0, 1), new AdamOptions(0.9, 0.999, 1e-8, 0, 1), dropout, HistoryPlaces: -1, seed);

    // Four places further round a ring of nine items each time: BOS, four items, and the fifth to be predicted.
    private static List<SftSequence> Pattern(int count) => [.. Enumerable.Range(0, count).Select(n =>
        new SftSequence([1, .. Enumerable.Range(0, 5).Select(i => 3 + (n % 9 + 4 * i) % 9)], 5))];

    private static double HitRate(LlamaModel model, PolicyWeights weights, IReadOnlyList<SftSequence> sequences)
    {
        using var scope = NewDisposeScope();
        var hits = sequences.Count(sequence =>
        {
            using var batch = PackedBatch.OfSequences([(sequence.Tokens, [sequence.PromptLength - 1])]);
            var (_, logits) = LlamaModel.TokenLogps(weights, batch, model.Hidden(weights, batch));
            return logits.detach().argmax(1).item<long>() == sequence.Tokens[^1];
        });
        return (double)hits / sequences.Count;
    }
}
