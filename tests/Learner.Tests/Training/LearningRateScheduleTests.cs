using System.Text.Json;
using MassDpo.Learner.Training;
using MassDpo.TestKit;

namespace MassDpo.Learner.Tests.Training;

public sealed class LearningRateScheduleTests
{
    private const string Curve = "fixtures/trl/curve-full-llama.json";

    [Theory]
    [InlineData(ScheduleShape.Constant)]
    [InlineData(ScheduleShape.Cosine)]
    [InlineData(ScheduleShape.Linear)]
    public void From_step_0_the_rate_is_that_of_Hugging_Faces_schedulers(ScheduleShape shape)
    {
        foreach (var (warmup, total) in new[] { (0, 20), (1, 20), (5, 20), (20, 20), (7, 8) })
        {
            var schedule = new LearningRateSchedule(3e-4, shape, warmup, total, FirstStep: 0);
            for (var update = 0; update < 30; update++)
                Assert.Equal(3e-4 * HuggingFace(shape, update, warmup, total), schedule.At(update), 1e-16);
        }
    }

    [Fact]
    public void From_step_1_the_first_update_has_a_rate_above_0_and_the_last_of_the_warm_up_the_peak()
    {
        var schedule = new LearningRateSchedule(1, ScheduleShape.Linear, 4, 8, FirstStep: 1);
        Assert.Equal([0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0], Enumerable.Range(0, 9).Select(update => schedule.At(update)));
        var shifted = schedule with { FirstStep = 0 };
        Assert.Equal(0, shifted.At(0));
        for (var update = 0; update < 12; update++)
            Assert.Equal(shifted.At(update + 1), schedule.At(update));
    }

    [Fact]
    public void Without_a_warm_up_the_first_update_has_the_peak()
    {
        foreach (var shape in Enum.GetValues<ScheduleShape>())
            Assert.Equal(2e-3, new LearningRateSchedule(2e-3, shape, 0, 10, FirstStep: 0).At(0));
    }

    [Fact]
    public void A_constant_rate_goes_on_for_ever_and_a_falling_one_stays_at_0()
    {
        Assert.Equal(0.5, new LearningRateSchedule(0.5, ScheduleShape.Constant, 3, 0, FirstStep: 1).At(1_000_000_000_000));
        foreach (var shape in new[] { ScheduleShape.Cosine, ScheduleShape.Linear })
            Assert.Equal(0, new LearningRateSchedule(0.5, shape, 3, 100, FirstStep: 1).At(1_000_000_000_000));
    }

    [SharedDataFact(Curve)]
    public void The_rates_of_a_training_by_TRL()
    {
        using var curve = JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf(Curve)));
        var config = curve.RootElement.GetProperty("config");
        Assert.Equal("cosine", config.GetProperty("lr_scheduler_type").GetString());
        var schedule = new LearningRateSchedule(config.GetProperty("learning_rate").GetDouble(), ScheduleShape.Cosine,
            config.GetProperty("warmup_steps").GetInt64(), config.GetProperty("max_steps").GetInt64(), FirstStep: 0);
        var update = 0;
        foreach (var step in curve.RootElement.GetProperty("steps").EnumerateArray())
            Assert.Equal(step.GetProperty("learning_rate").GetDouble(), schedule.At(update++), 1e-15);
        Assert.Equal(12, update);
    }

    // transformers.optimization: get_constant_schedule_with_warmup, get_cosine_…, get_linear_….
    private static double HuggingFace(ScheduleShape shape, int step, int warmup, int total)
    {
        if (step < warmup)
            return (double)step / Math.Max(1, warmup);
        return shape switch
        {
            ScheduleShape.Constant => 1,
            ScheduleShape.Linear => Math.Max(0, (double)(total - step) / Math.Max(1, total - warmup)),
            // The formula itself rises again after the last step, where no trainer asks.
            _ => step >= total ? 0 : Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * 0.5 * 2 * (step - warmup) / Math.Max(1, total - warmup)))),
        };
    }
}
