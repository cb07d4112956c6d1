using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;

namespace MassDpo.Policy;

/// <summary>The directories that a policy is read from: a checkpoint, and an adapter on it.</summary>
/// <param name="Base">config, tokenizer and all weights, in Hugging Face layout</param>
/// <param name="Adapter">PEFT directory; null: none</param>
public sealed record PolicyOrigin(string Base, string? Adapter = null)
{
    /// <summary>What a user names as a policy: a checkpoint, or a PEFT directory, which then names its base.</summary>
    /// <param name="directory">either</param>
    /// <param name="adapter">PEFT directory on top of a checkpoint; null: none</param>
    /// <exception cref="PolicyFormatException">two adapters, or one whose base is not at hand</exception>
    public static PolicyOrigin Of(string directory, string? adapter = null)
    {
        if (!PeftDirectory.Is(directory))
        {
            if (adapter is not null && !PeftDirectory.Is(adapter))
                throw new PolicyFormatException($"{adapter} holds no adapter: a PEFT directory has {PeftDirectory.Config} and {PeftDirectory.Weights}");
            return new PolicyOrigin(directory, adapter);
        }
        if (adapter is not null)
            throw new PolicyFormatException($"{directory} is an adapter, and {adapter} would be a second one: name the base as the policy");
        var named = PeftConfig.Load(Path.Combine(directory, PeftDirectory.Config)).Base;
        foreach (var place in named is null ? [] : new[] { Path.Combine(directory, named), named })
            if (Directory.Exists(place))
                return new PolicyOrigin(place, directory);
        throw new PolicyFormatException($"{directory} is an adapter, and its base {(named is null ? "is not named in base_model_name_or_path" : $"'{named}' is no directory here")}: "
            + $"give the base's directory as the policy, and this one as lora.adapter, or name the base there, in {PeftDirectory.Config}");
    }

    /// <summary>The weights of the base, and of the adapter where there is one.</summary>
    /// <exception cref="PolicyFormatException">weights are missing, malformed, or not those of <paramref name="config"/></exception>
    public PolicyWeights LoadWeights(PolicyConfig config, Placement? placement = null)
    {
        var weights = PolicyDirectory.LoadWeights(Base, config, placement);
        if (Adapter is null)
            return weights;
        using (weights)
            return PeftDirectory.Load(Adapter, weights);
    }
}
