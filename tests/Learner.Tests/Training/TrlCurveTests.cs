using System.Text.Json;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.Learner.Tests.Training;

public sealed class TrlCurveTests
{
    private const string Curve = "fixtures/trl/curve-full-llama.json";
    private const string Checkpoint = "fixtures/hf/llama-tied";

    [SharedDataFact(Curve, Checkpoint)]
    public void Twelve_updates_are_those_of_TRLs_trainer()
    {
        using var curve = JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf(Curve)));
        var json = curve.RootElement.GetProperty("config");
        var beta = json.GetProperty("beta").GetDouble();
        var schedule = new LearningRateSchedule(json.GetProperty("learning_rate").GetDouble(), ScheduleShape.Cosine,
            json.GetProperty("warmup_steps").GetInt64(), json.GetProperty("max_steps").GetInt64(), FirstStep: 0);
        var adam = new AdamOptions(0.9, 0.999, 1e-8, json.GetProperty("weight_decay").GetDouble(), json.GetProperty("max_grad_norm").GetDouble());
        var size = json.GetProperty("per_device_train_batch_size").GetInt32();

        var config = PolicyDirectory.LoadConfig(SharedData.PathOf(Checkpoint));
        using var start = PolicyDirectory.LoadWeights(SharedData.PathOf(Checkpoint), config);
        using var model = new LlamaModel(config);
        using var trainer = new PolicyTrainer(model, start, new TrainerOptions(beta, schedule, adam, 0));
        var scorer = new PoolScorer(model);
        var records = curve.RootElement.GetProperty("records").EnumerateArray().Select((record, index) =>
        {
            var tokens = new EncodedPool(Ids(record, "prompt_ids"), [Ids(record, "chosen_ids"), Ids(record, "rejected_ids")]);
            return MadeSelection.Of(MadeSelection.Pool(tokens, new Position("trl", 0, index)), [1], scorer.ScoreAlone(start, tokens));
        }).ToList();

        var update = 0;
        foreach (var step in curve.RootElement.GetProperty("steps").EnumerateArray())
        {
            var result = trainer.Update(records.GetRange(update++ * size, size));
            void Close(string name, double actual) => Assert.True(Math.Abs(step.GetProperty(name).GetDouble() - actual)
                <= 1e-4 * Math.Max(0.1, Math.Abs(actual)), $"update {update}: {name} is {actual} instead of {step.GetProperty(name)}");
            Close("loss", result.Loss!.Value);
            Close("grad_norm", result.GradientNorm);
            // Far below the others' scale.
            Assert.Equal(step.GetProperty("learning_rate").GetDouble(), result.LearningRate, 1e-4 * schedule.Peak);
            Close("rewards/chosen", result.Rewards!.Chosen);
            Close("rewards/rejected", result.Rewards.Rejected);
            Close("rewards/margins", result.Rewards.Margins);
            // Before anything is learnt every reward is 0 but for rounding, and who is ahead is chance.
            if (step.GetProperty("rewards/margins").GetDouble() != 0)
                Close("rewards/accuracies", result.Rewards.Accuracies);
            Close("logps/chosen", result.Rewards.LogpsChosen);
            Close("logps/rejected", result.Rewards.LogpsRejected);
        }
        Assert.Equal(12, update);
        // Of two runs of TRL itself sums differ by some 1e-6 of the sums of absolute values.
        var sums = curve.RootElement.GetProperty("final_parameter_sum_and_abs_sum");
        Assert.Equal(trainer.Weights.Tensors.Keys, sums.EnumerateObject().Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        foreach (var of in sums.EnumerateObject())
        {
            var values = trainer.Weights.Tensors[of.Name].detach().data<float>().ToArray();
            var scale = of.Value[1].GetDouble();
            Assert.Equal(of.Value[0].GetDouble(), values.Sum(value => (double)value), 1e-5 * scale);
            Assert.Equal(scale, values.Sum(value => Math.Abs((double)value)), 1e-5 * scale);
        }
        // The chosen responses of the first records, under the policy as it came out.
        var after = curve.RootElement.GetProperty("final_chosen_logps_of_first_8").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        for (var i = 0; i < after.Length; i++)
            Assert.Equal(after[i], scorer.ScoreAlone(trainer.Weights, records[i].Pool.Tokens)[0], 1e-4 * Math.Abs(after[i]));
    }

    private static int[] Ids(JsonElement record, string name) => [.. record.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
