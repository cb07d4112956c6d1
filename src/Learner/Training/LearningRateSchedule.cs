namespace MassDpo.Learner.Training;

/// <summary>What the learning rate does after the warm-up.</summary>
public enum ScheduleShape
{
    Constant,
    /// <summary>Falls to 0 as half a cosine.</summary>
    Cosine,
    /// <summary>Falls to 0 in a straight line.</summary>
    Linear,
}

/// <summary>The learning rate as a function of the update.</summary>
/// <param name="Peak">the rate after the warm-up</param>
/// <param name="Shape">what follows the warm-up</param>
/// <param name="WarmupSteps">updates over which the rate rises in a straight line</param>
/// <param name="TotalSteps">the update at which a falling rate is 0; it stays there</param>
/// <param name="FirstStep">the step that the first update counts as. 0 as in Hugging Face's trainers, whose warm-up so begins with a rate of 0; else 1</param>
public sealed record LearningRateSchedule(double Peak, ScheduleShape Shape, long WarmupSteps, long TotalSteps, int FirstStep)
{
    /// <summary>The rate of an update, counted from 0.</summary>
    public double At(long update)
    {
        var step = update + FirstStep;
        if (step < WarmupSteps)
            return Peak * step / WarmupSteps;
        if (Shape == ScheduleShape.Constant)
            return Peak;
        var progress = step >= TotalSteps ? 1 : (double)(step - WarmupSteps) / (TotalSteps - WarmupSteps);
        return Peak * (Shape == ScheduleShape.Cosine ? 0.5 * (1 + Math.Cos(Math.PI * progress)) : 1 - progress);
    }
}
