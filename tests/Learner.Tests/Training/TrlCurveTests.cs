using System.Text.Json;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

public sealed class TrlCurveTests
{
    [SharedDataTheory("fixtures/trl", "fixtures/hf")]
    [InlineData("curve-full-llama")]
    [InlineData("curve-lora-qwen2")]
    [InlineData("curve-full-qwen3-accumulate")]
    public void Twelve_updates_are_those_of_TRLs_trainer(string name) => Check(name, Placement.Default, 1e-4, 1e-5);

    // A base in bfloat16 under an adapter in float32: logits have three digits, and a loss of differences of their sums has two.
    [SharedDataTheory("fixtures/trl", "fixtures/hf")]
    [InlineData("curve-full-llama", 5e-2)]
    [InlineData("curve-lora-qwen2", 5e-2)]
    [InlineData("curve-full-qwen3-accumulate", 1e-1)]
    public void In_bfloat16_twelve_updates_are_near_those_of_TRLs_trainer(string name, double tolerance) => Check(name, new Placement(ScalarType.BFloat16, CPU), tolerance, 1e-2);

    [CudaSharedDataTheory("fixtures/trl", "fixtures/hf")]
    [InlineData("curve-full-llama")]
    [InlineData("curve-lora-qwen2")]
    [InlineData("curve-full-qwen3-accumulate")]
    public void On_CUDA_twelve_updates_are_those_of_TRLs_trainer(string name) => Check(name, new Placement(ScalarType.Float32, CUDA), 1e-4, 1e-5);

    [CudaSharedDataTheory("fixtures/trl", "fixtures/hf")]
    [InlineData("curve-full-llama", 5e-2)]
    [InlineData("curve-lora-qwen2", 5e-2)]
    [InlineData("curve-full-qwen3-accumulate", 1e-1)]
    public void On_CUDA_in_bfloat16_twelve_updates_are_near_those_of_TRLs_trainer(string name, double tolerance) => Check(name, new Placement(ScalarType.BFloat16, CUDA), tolerance, 1e-2);

    // Relative, but to no less than a floor: rewards are differences of large numbers. Of the sums of the trained tensors to the sum of their absolute values.
    private static void Check(string name, Placement placement, double tolerance, double ofSums)
    {
        var floor = placement.Type == ScalarType.Float32 ? 0.1 : 1;
        using var curve = JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf($"fixtures/trl/{name}.json")));
        var json = curve.RootElement.GetProperty("config");
        var beta = json.GetProperty("beta").GetDouble();
        var shape = json.GetProperty("lr_scheduler_type").GetString() switch
        {
            "cosine" => ScheduleShape.Cosine,
            "constant_with_warmup" => ScheduleShape.Constant,
            var other => throw new InvalidDataException($"schedule '{other}'"),
        };
        var schedule = new LearningRateSchedule(json.GetProperty("learning_rate").GetDouble(), shape,
            json.GetProperty("warmup_steps").GetInt64(), json.GetProperty("max_steps").GetInt64(), FirstStep: 0);
        var adam = new AdamOptions(0.9, 0.999, 1e-8, json.GetProperty("weight_decay").GetDouble(), json.GetProperty("max_grad_norm").GetDouble());
        // Accumulated gradients are micro-batches of ours.
        var micro = json.GetProperty("per_device_train_batch_size").GetInt32();
        var size = micro * (json.TryGetProperty("gradient_accumulation_steps", out var steps) ? steps.GetInt32() : 1);

        var checkpoint = SharedData.PathOf("fixtures/hf/" + curve.RootElement.GetProperty("model").GetString());
        var adapter = curve.RootElement.GetProperty("adapter").GetString();
        var config = PolicyDirectory.LoadConfig(checkpoint);
        using var start = PolicyOrigin.Of(checkpoint, adapter is null ? null : Path.Combine(checkpoint, adapter)).LoadWeights(config, placement);
        using var model = new LlamaModel(config, placement.Device);
        using var trainer = new PolicyTrainer(model, start, new TrainerOptions(beta, schedule, adam, micro));
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
                <= tolerance * Math.Max(floor, Math.Abs(actual)), $"update {update}: {name} is {actual} instead of {step.GetProperty(name)}");
            Close("loss", result.Loss!.Value);
            Close("grad_norm", result.GradientNorm);
            // Far below the others' scale.
            Assert.Equal(step.GetProperty("learning_rate").GetDouble(), result.LearningRate, tolerance * schedule.Peak);
            Close("rewards/chosen", result.Rewards!.Chosen);
            Close("rewards/rejected", result.Rewards.Rejected);
            Close("rewards/margins", result.Rewards.Margins);
            // Before anything is learnt every reward is 0 but for rounding, and who is ahead is chance.
            if (step.GetProperty("rewards/margins").GetDouble() != 0 && placement.Type == ScalarType.Float32)
                Close("rewards/accuracies", result.Rewards.Accuracies);
            Close("logps/chosen", result.Rewards.LogpsChosen);
            Close("logps/rejected", result.Rewards.LogpsRejected);
        }
        Assert.Equal(12, update);
        // Of two runs of TRL itself sums differ by some 1e-6 of the sums of absolute values.
        var sums = curve.RootElement.GetProperty("final_parameter_sum_and_abs_sum");
        Assert.Equal(trainer.Weights.Tensors.Keys, sums.EnumerateObject().Select(tensor => Name(tensor)).Order(StringComparer.Ordinal));
        foreach (var of in sums.EnumerateObject())
        {
            var values = trainer.Weights.Tensors[Name(of)].detach().cpu().data<float>().ToArray();
            var scale = of.Value[1].GetDouble();
            Assert.Equal(of.Value[0].GetDouble(), values.Sum(value => (double)value), ofSums * scale);
            Assert.Equal(scale, values.Sum(value => Math.Abs((double)value)), ofSums * scale);
        }
        // The chosen responses of the first records, under the policy as it came out.
        var after = curve.RootElement.GetProperty("final_chosen_logps_of_first_8").EnumerateArray().Select(x => x.GetDouble()).ToArray();
        for (var i = 0; i < after.Length; i++)
            Assert.Equal(after[i], scorer.ScoreAlone(trainer.Weights, records[i].Pool.Tokens)[0], tolerance * Math.Abs(after[i]));
    }

    // In a model PEFT has the adapter's name in those of its tensors, in a file not.
    private static string Name(JsonProperty tensor) => tensor.Name.Replace(".default.", ".", StringComparison.Ordinal);

    private static int[] Ids(JsonElement record, string name) => [.. record.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
