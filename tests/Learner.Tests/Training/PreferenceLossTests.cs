using MassDpo.Learner.Training;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

public sealed class PreferenceLossTests
{
    private const double Beta = 0.4;

    public static TheoryData<PreferenceLoss> OfPairs => [PreferenceLoss.Hinge, PreferenceLoss.Ipo];

    public static TheoryData<PreferenceLoss> All => new(Enum.GetValues<PreferenceLoss>());

    [Theory]
    [MemberData(nameof(All))]
    public void Value_and_gradient_are_those_of_the_formula(PreferenceLoss loss)
    {
        var random = new StableRandom(11, 0x105);
        for (var round = 0; round < 50; round++)
        {
            double[] ratios = [3 * random.Normal(), 3 * random.Normal()];
            double[] lengths = [1 + random.Below(9), 1 + random.Below(9)];
            var (value, gradient) = LossAndGradient(loss, ratios, lengths);
            Assert.Equal(Formula(loss, ratios, lengths), value, 1e-12);
            for (var i = 0; i < 2; i++)
            {
                const double h = 1e-6;
                var (up, down) = (ratios.ToArray(), ratios.ToArray());
                up[i] += h;
                down[i] -= h;
                // The corner of the hinge has no slope.
                if (loss != PreferenceLoss.Hinge || Formula(loss, up, lengths) * Formula(loss, down, lengths) > 0)
                    Assert.Equal((Formula(loss, up, lengths) - Formula(loss, down, lengths)) / (2 * h), gradient[i], 1e-6);
            }
        }
    }

    [Fact]
    public void A_pair_that_is_far_enough_apart_is_learnt_for_the_hinge_and_too_far_for_ipo()
    {
        double[] far = [10, -10];
        var (value, gradient) = LossAndGradient(PreferenceLoss.Hinge, far, [1, 1]);
        Assert.Equal([0, 0, 0], [value, .. gradient]);
        Assert.True(LossAndGradient(PreferenceLoss.Ipo, far, [1, 1]).Gradient[0] > 0);
        Assert.Equal(0, LossAndGradient(PreferenceLoss.Ipo, [1 / (2 * Beta), 0], [1, 1]).Value, 1e-24);
    }

    [Theory]
    [MemberData(nameof(OfPairs))]
    public void A_loss_of_pairs_refuses_several_negatives_by_its_name(PreferenceLoss loss)
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<ArgumentException>(() => PreferenceLosses.Of(loss, Beta, zeros(2, 4), ones(2, 4), zeros(2, 3)));
        Assert.Contains(loss.Name(), error.Message);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_trainer_makes_the_loss_smaller_that_it_is_told_to(PreferenceLoss loss)
    {
        using var made = new TrainedBatch(longestResponse: 4);
        var options = new TrainerOptions(TrainedBatch.Beta, new LearningRateSchedule(1e-3, ScheduleShape.Constant, 0, 0, 1),
            new AdamOptions(0.9, 0.999, 1e-8, 0, 0), MicroBatch: 3);
        using var trainer = new PolicyTrainer(made.Model, made.Start, options with { Loss = loss });
        // An empty slot, and micro-batches.
        Selection?[] batch = [null, .. made.Selections(7, seed: 5, negatives: _ => 1)];
        var before = batch.OfType<Selection>().Average(selection => Formula(loss, made.Start, selection));
        var update = trainer.Update(batch);
        Assert.Equal(before, update.Loss!.Value, 1e-4 * Math.Max(1, before));
        var after = batch.OfType<Selection>().Average(selection => Formula(loss, trainer.Weights, selection));
        Assert.True(after < before, $"{after} after {before}");
        // Metrics are of rewards and sums whatever the loss.
        Assert.Equal(batch.OfType<Selection>().Average(selection => -TrainedBatch.Z(made.Start, selection)[0]), update.Rewards!.Margins, 1e-4);
    }

    private static double Formula(PreferenceLoss loss, MassDpo.Policy.Model.PolicyWeights weights, Selection selection)
    {
        var tokens = selection.Pool.Tokens.Of(selection.Picks);
        return Formula(loss, [.. TrainedBatch.Logps(weights, selection).Select((logp, i) => logp - selection.ReferenceLogps[i])],
            [.. tokens.Responses.Select(response => (double)response.Length)], TrainedBatch.Beta);
    }

    private static double Formula(PreferenceLoss loss, double[] ratios, double[] lengths, double beta = Beta) => loss switch
    {
        PreferenceLoss.Hinge => Math.Max(0, 1 - beta * (ratios[0] - ratios[1])),
        PreferenceLoss.Ipo => Math.Pow(ratios[0] / lengths[0] - ratios[1] / lengths[1] - 1 / (2 * beta), 2),
        _ => Math.Log(1 + Math.Exp(-beta * (ratios[0] - ratios[1]))),
    };

    private static (double Value, double[] Gradient) LossAndGradient(PreferenceLoss loss, double[] ratios, double[] lengths)
    {
        using var scope = NewDisposeScope();
        var leaf = tensor(ratios, [1, 2], dtype: ScalarType.Float64).requires_grad_();
        var (losses, _) = PreferenceLosses.Of(loss, Beta, leaf, tensor(lengths, [1, 2], dtype: ScalarType.Float64),
            zeros(1, 1, dtype: ScalarType.Float64));
        losses.sum().backward();
        return (losses.item<double>(), leaf.grad!.data<double>().ToArray());
    }
}
