using MassDpo.App.Running;
using MassDpo.Policy.Generation;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Generation;

/// <summary>The settings of what is generated, <c>generation</c>.</summary>
/// <param name="MostTokens">after each prompt</param>
/// <param name="Sampling">how they are drawn</param>
/// <param name="Policy">how the policy is loaded</param>
internal sealed record GenerationSettings(int MostTokens, SamplingOptions Sampling, PolicyOptions Policy)
{
    private const double LeastTemperature = 1e-3;

    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static GenerationSettings From(EffectiveSettings settings)
    {
        var temperature = settings.Number("generation.temperature", 0, 1e3);
        if (temperature < LeastTemperature)
            throw settings.Outside("generation.temperature", settings.Text("generation.temperature"),
                FormattableString.Invariant($"write a value from {LeastTemperature} to 1000; for the likeliest token each time say --greedy"));
        return new GenerationSettings(settings.Integer("generation.max-tokens", 1),
            new SamplingOptions(settings.Long("runtime.seed", 0), temperature, settings.Number("generation.top-p", 1e-6, 1)),
            PolicyOptions.From(settings));
    }
}
