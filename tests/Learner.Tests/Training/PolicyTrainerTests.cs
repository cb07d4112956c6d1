using MassDpo.Learner.Training;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

public sealed class PolicyTrainerTests
{
    // The first moment after one update is (1 − β1) times the gradient.
    private static readonly AdamOptions Plain = new(0.9, 0.999, 1e-8, 0, 0);

    [Theory]
    [InlineData(1, true)]
    [InlineData(4, true)]
    [InlineData(4, false)]
    public void Loss_and_gradient_of_a_batch_are_those_of_an_independent_computation_in_double(int longestResponse, bool tied)
    {
        using var made = new TrainedBatch(longestResponse, tied);
        var batch = made.Selections(5, seed: 1, n => 1 + n % 3);
        using var trainer = made.Trainer(adam: Plain);
        var update = trainer.Update(batch);
        Assert.Equal(TrainedBatch.Loss(made.Start, batch), update.Loss!.Value, 1e-5);

        var gradients = Gradients(trainer);
        Assert.Equal(Math.Sqrt(gradients.Values.Sum(g => g.Sum(x => (double)x * x))), update.GradientNorm, 1e-5);
        var random = new StableRandom(longestResponse, 0xF1);
        foreach (var (name, gradient) in gradients)
            for (var check = 0; check < 3; check++)
                AssertSlope(made.Start, batch, name, random.Below(gradient.Length), gradient);
    }

    [Fact]
    public void With_one_negative_the_loss_is_that_of_DPO()
    {
        using var made = new TrainedBatch();
        var batch = made.Selections(6, seed: 2, _ => 1);
        using var trainer = made.Trainer();
        var dpo = batch.Average(selection =>
        {
            var logps = TrainedBatch.Logps(made.Start, selection);
            var h = logps[0] - selection.ReferenceLogps[0] - (logps[1] - selection.ReferenceLogps[1]);
            return -Math.Log(1 / (1 + Math.Exp(-TrainedBatch.Beta * h)));
        });
        Assert.Equal(dpo, trainer.Update(batch).Loss!.Value, 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(100)]
    public void Micro_batches_add_up_to_the_same_update(int microBatch)
    {
        using var made = new TrainedBatch();
        Selection?[] batch = made.Selections(7, seed: 3, n => 1 + n % 4);
        batch[2] = null;
        using var whole = made.Trainer(adam: Plain);
        using var parts = made.Trainer(microBatch, Plain);
        var expected = whole.Update(batch);
        var actual = parts.Update(batch);
        Assert.Equal(expected.Loss!.Value, actual.Loss!.Value, 1e-6);
        Assert.Equal(expected.GradientNorm, actual.GradientNorm, 1e-5);
        AssertClose(expected.Rewards!, actual.Rewards!, 1e-6);
        var gradients = Gradients(parts);
        foreach (var (name, gradient) in Gradients(whole))
            for (var i = 0; i < gradient.Length; i++)
                Assert.Equal(gradient[i], gradients[name][i], 1e-6);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(3)]
    public void Updates_give_the_same_bits_each_time(int microBatch)
    {
        using var made = new TrainedBatch();
        using var first = made.Trainer(microBatch);
        using var second = made.Trainer(microBatch);
        for (var round = 0; round < 5; round++)
        {
            var batch = made.Selections(5, seed: 10 + round, n => 1 + n % 3);
            Assert.Equal(first.Update(batch), second.Update(batch), SameNumbers);
            Assert.Equal(Bits(first), Bits(second));
        }
    }

    [Fact]
    public void Each_update_takes_the_rate_of_its_own_number()
    {
        using var made = new TrainedBatch();
        var schedule = new LearningRateSchedule(0.01, ScheduleShape.Linear, 2, 6, 1);
        using var trainer = new PolicyTrainer(made.Model, made.Start, new TrainerOptions(TrainedBatch.Beta, schedule, Plain, 0));
        for (var update = 0; update < 7; update++)
        {
            Assert.Equal(update, trainer.Steps);
            Assert.Equal(schedule.At(update), trainer.Update(made.Selections(2, seed: update)).LearningRate);
        }
    }

    [Fact]
    public void Empty_slots_leave_the_mean_over_the_rest()
    {
        using var made = new TrainedBatch();
        var records = made.Selections(3, seed: 4);
        using var trainer = made.Trainer(adam: Plain);
        using var plain = made.Trainer(adam: Plain);
        Assert.Equal(TrainedBatch.Loss(made.Start, records), trainer.Update([null, records[0], null, records[1], records[2]]).Loss!.Value, 1e-5);
        plain.Update(records);
        var gradients = Gradients(trainer);
        foreach (var (name, gradient) in Gradients(plain))
            for (var i = 0; i < gradient.Length; i++)
                Assert.Equal(gradient[i], gradients[name][i], 1e-6);
    }

    [Fact]
    public void A_batch_that_is_all_empty_changes_nothing()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer();
        trainer.Update(made.Selections(3, seed: 5));
        var (before, steps) = (Bits(trainer), trainer.Steps);
        var update = trainer.Update([null, null]);
        Assert.Equal((null, 0, null), (update.Loss, update.GradientNorm, update.Rewards));
        Assert.Empty(update.NotFinite);
        Assert.Equal(0.01, update.LearningRate);
        Assert.Equal(steps, trainer.Steps);
        Assert.Equal(before, Bits(trainer));
    }

    public static TheoryData<int, float, int, int> Poisons => new()
    {
        // which number of the record's reference, what it is, negatives, slots a micro-batch has
        { 0, float.NaN, 2, 0 },
        { 1, float.NaN, 2, 2 },
        { 2, float.NaN, 2, 0 },
        { 0, float.PositiveInfinity, 2, 0 },
        { 0, float.NegativeInfinity, 2, 0 },
        { 1, float.PositiveInfinity, 2, 0 },
        { 1, float.NegativeInfinity, 2, 2 },
        { 1, float.PositiveInfinity, 1, 0 },
        { 1, float.NegativeInfinity, 1, 0 },
        { 0, float.PositiveInfinity, 1, 2 },
    };

    [Theory]
    [MemberData(nameof(Poisons))]
    public void A_record_that_is_not_finite_is_named_and_the_batch_is_that_without_it_bit_for_bit(int number, float poison, int negatives, int microBatch)
    {
        using var made = new TrainedBatch();
        var records = made.Selections(6, seed: 6, _ => negatives);
        var poisoned = records.ToArray();
        foreach (var slot in new[] { 1, 4 })
        {
            poisoned[slot] = poisoned[slot] with { ReferenceLogps = [.. poisoned[slot].ReferenceLogps] };
            poisoned[slot].ReferenceLogps[number] = poison;
        }
        AssertLeavesOut([1, 4], poisoned, made, microBatch);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void A_record_whose_gradient_alone_is_not_finite_is_found_the_same_way(int microBatch)
    {
        using var made = new TrainedBatch(tied: false);
        // One number of the hidden state that only token 19 has, and that no logit uses: the loss does not see how large it is, the gradient does.
        made.Start.Embedding.select(1, 0).fill_(0);
        made.Start.Embedding.select(0, 19).narrow(0, 0, 1).fill_(1);
        foreach (var layer in made.Start.Layers)
        {
            layer.AttentionOutput.Weight.select(0, 0).fill_(0);
            layer.Down.Weight.select(0, 0).fill_(0);
        }
        made.Start.FinalNorm.narrow(0, 0, 1).fill_(1e38f);
        made.Start.Output.select(1, 0).fill_(0);
        var records = made.Selections(6, seed: 7);
        for (var slot = 0; slot < records.Length; slot++)
        {
            var tokens = records[slot].Pool.Tokens;
            var prompt = Without19(tokens.Prompt);
            records[slot] = records[slot] with
            {
                Pool = records[slot].Pool with { Tokens = new EncodedPool(slot is 0 or 3 ? [.. prompt, 19] : prompt, Array.ConvertAll(tokens.Responses, Without19)) },
            };
        }
        AssertLeavesOut([0, 3], records, made, microBatch);

        static int[] Without19(int[] tokens) => Array.ConvertAll(tokens, token => token == 19 ? 3 : token);
    }

    [Fact]
    public void A_batch_in_which_no_record_is_finite_changes_nothing_and_names_all()
    {
        using var made = new TrainedBatch();
        var records = made.Selections(3, seed: 8);
        foreach (var record in records)
            record.ReferenceLogps[0] = float.NaN;
        using var trainer = made.Trainer();
        var before = Bits(trainer);
        var update = trainer.Update(records);
        Assert.Equal([0, 1, 2], update.NotFinite);
        Assert.Null(update.Loss);
        Assert.Null(update.Rewards);
        Assert.Equal(0, trainer.Steps);
        Assert.Equal(before, Bits(trainer));
    }

    [Fact]
    public void A_policy_that_gives_no_record_a_finite_loss_is_not_trained_further()
    {
        using var made = new TrainedBatch();
        made.Start.FinalNorm.fill_(float.NaN);
        using var trainer = made.Trainer();
        var update = trainer.Update(made.Selections(3, seed: 8));
        Assert.Equal([0, 1, 2], update.NotFinite);
        Assert.Equal(0, trainer.Steps);
    }

    [Fact]
    public void Metrics_are_those_of_TRL()
    {
        using var made = new TrainedBatch();
        var batch = made.Selections(6, seed: 9, n => 1 + n % 3);
        var (chosen, rejected, margins, accuracies, logpsChosen, logpsRejected) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        foreach (var selection in batch)
        {
            var logps = TrainedBatch.Logps(made.Start, selection);
            var rewards = logps.Select((logp, i) => TrainedBatch.Beta * (logp - selection.ReferenceLogps[i])).ToArray();
            chosen += rewards[0] / batch.Length;
            rejected += rewards.Skip(1).Average() / batch.Length;
            margins += rewards.Skip(1).Average(reward => rewards[0] - reward) / batch.Length;
            accuracies += rewards.Skip(1).Average(reward => rewards[0] > reward ? 1.0 : 0) / batch.Length;
            logpsChosen += logps[0] / batch.Length;
            logpsRejected += logps.Skip(1).Average() / batch.Length;
        }
        Assert.InRange(accuracies, 0.1, 0.9);
        using var trainer = made.Trainer();
        // Empty slots and padding to the record with most negatives must not count.
        var update = trainer.Update([null, .. batch, null]);
        AssertClose(new RewardMetrics(chosen, rejected, margins, accuracies, logpsChosen, logpsRejected), update.Rewards!, 1e-5);
    }

    [Fact]
    public void A_reward_that_equals_the_chosen_ones_counts_as_no_win()
    {
        using var made = new TrainedBatch();
        var selection = made.Selections(1, seed: 11, _ => 1)[0];
        var tokens = selection.Pool.Tokens with { Responses = [[3], [3]] };
        var same = MadeSelection.Of(MadeSelection.Pool(tokens, new Position("made", 0, 0)), [1], [-1, -1]);
        using var trainer = made.Trainer();
        Assert.Equal((0, 0), (trainer.Update([same]).Rewards!.Accuracies, trainer.Update([same]).Rewards!.Margins));
    }

    [Fact]
    public void A_snapshot_is_a_copy_that_training_does_not_touch()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer();
        trainer.Update(made.Selections(3, seed: 12));
        using var snapshot = trainer.Snapshot();
        Assert.Equal(trainer.Weights.ComputeHash(), snapshot.ComputeHash());
        Assert.All(snapshot.Tensors.Values, tensor => Assert.False(tensor.requires_grad));
        var before = snapshot.ComputeHash();
        trainer.Update(made.Selections(3, seed: 13));
        Assert.Equal(before, snapshot.ComputeHash());
        Assert.NotEqual(before, trainer.Weights.ComputeHash());
    }

    [Fact]
    public void The_policy_that_training_starts_from_is_left_as_it_is()
    {
        using var made = new TrainedBatch();
        var before = made.Start.ComputeHash();
        using (var trainer = made.Trainer())
            trainer.Update(made.Selections(3, seed: 14));
        Assert.Equal(before, made.Start.ComputeHash());
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_policy_that_is_not_finite_is_never_given_out(float bad)
    {
        using var made = new TrainedBatch();
        foreach (var name in made.Start.Tensors.Keys)
        {
            using var broken = made.Start.Copy();
            broken.Tensors[name].view(-1).narrow(0, 1, 1).fill_(bad);
            using var trainer = new PolicyTrainer(made.Model, broken, new TrainerOptions(1, new LearningRateSchedule(1, ScheduleShape.Constant, 0, 0, 1), Plain, 0));
            Assert.Contains($"'{name}' is not finite", Assert.Throws<TrainingDivergedException>(trainer.Snapshot).Message);
        }
    }

    [Fact]
    public void From_saved_weights_and_state_it_goes_on_to_the_same_bits()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer();
        trainer.Update(made.Selections(4, seed: 15));
        trainer.Update(made.Selections(4, seed: 16));
        using var resumed = made.Trainer();
        resumed.Restore(trainer.Weights.Tensors, new Dictionary<string, Tensor>(trainer.OptimizerState), trainer.Steps);
        Assert.Equal(Bits(trainer), Bits(resumed));
        for (var round = 0; round < 3; round++)
        {
            var batch = made.Selections(4, seed: 20 + round);
            Assert.Equal(trainer.Update(batch), resumed.Update(batch), SameNumbers);
            Assert.Equal(Bits(trainer), Bits(resumed));
        }
        Assert.Equal(5, resumed.Steps);
    }

    [Fact]
    public void Weights_of_another_policy_are_refused_by_name()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer();
        var weights = made.Start.Tensors.ToDictionary(t => t.Key, t => t.Value);
        var state = new Dictionary<string, Tensor>(trainer.OptimizerState);
        weights.Remove("model.norm.weight");
        Assert.Contains("model.norm.weight", Assert.Throws<InvalidDataException>(() => trainer.Restore(weights, state, 1)).Message);
        weights["model.norm.weight"] = zeros(3);
        Assert.Contains("model.norm.weight", Assert.Throws<InvalidDataException>(() => trainer.Restore(weights, state, 1)).Message);
        Assert.Throws<InvalidDataException>(() => trainer.Restore(made.Start.Tensors, new Dictionary<string, Tensor>(), 1));
    }

    private static readonly EqualityComparer<UpdateResult> SameNumbers = EqualityComparer<UpdateResult>.Create((a, b) =>
        (a!.Loss, a.GradientNorm, a.LearningRate, a.Rewards) == (b!.Loss, b.GradientNorm, b.LearningRate, b.Rewards) && a.NotFinite.SequenceEqual(b.NotFinite));

    private static void AssertLeavesOut(int[] bad, Selection[] batch, TrainedBatch made, int microBatch)
    {
        using var trainer = made.Trainer(microBatch);
        var update = trainer.Update(batch);
        Assert.Equal(bad, update.NotFinite.Order());
        Assert.Equal(1, trainer.Steps);

        using var without = made.Trainer(microBatch);
        var expected = without.Update([.. batch.Select((selection, slot) => bad.Contains(slot) ? null : selection)]);
        Assert.Empty(expected.NotFinite);
        Assert.Equal((expected.Loss, expected.GradientNorm, expected.Rewards), (update.Loss, update.GradientNorm, update.Rewards));
        Assert.Equal(Bits(without), Bits(trainer));
        Assert.True(double.IsFinite(update.Loss!.Value));
    }

    private static Dictionary<string, float[]> Gradients(PolicyTrainer trainer) => trainer.OptimizerState
        .Where(part => part.Key.StartsWith("exp_avg.", StringComparison.Ordinal))
        .ToDictionary(part => part.Key["exp_avg.".Length..], part => Array.ConvertAll(part.Value.data<float>().ToArray(), m => m / (1 - 0.9f)));

    // The loss in double at two places around one weight; the weight itself is float32, so the distance is what rounding made of it.
    private static void AssertSlope(PolicyWeights weights, Selection[] batch, string name, int at, float[] gradient)
    {
        using var moved = weights.Copy();
        using var element = moved.Tensors[name].view(-1).narrow(0, at, 1);
        var value = element.item<float>();
        double Loss(float to)
        {
            element.fill_(to);
            return TrainedBatch.Loss(moved, batch);
        }
        var (up, down) = (value + 2e-3f, value - 2e-3f);
        var slope = (Loss(up) - Loss(down)) / ((double)up - down);
        Assert.True(Math.Abs(slope - gradient[at]) < 1e-4 * Math.Max(1, Math.Abs(slope)), $"{name}[{at}]: {gradient[at]} instead of {slope}");
    }

    private static void AssertClose(RewardMetrics expected, RewardMetrics actual, double tolerance)
    {
        Assert.Equal(expected.Chosen, actual.Chosen, tolerance);
        Assert.Equal(expected.Rejected, actual.Rejected, tolerance);
        Assert.Equal(expected.Margins, actual.Margins, tolerance);
        Assert.Equal(expected.Accuracies, actual.Accuracies, tolerance);
        Assert.Equal(expected.LogpsChosen, actual.LogpsChosen, tolerance);
        Assert.Equal(expected.LogpsRejected, actual.LogpsRejected, tolerance);
    }

    private static byte[] Bits(PolicyTrainer trainer) =>
        [.. trainer.Weights.Tensors.Values.Concat(trainer.OptimizerState.Select(part => part.Value)).SelectMany(tensor => tensor.detach().bytes.ToArray())];
}
