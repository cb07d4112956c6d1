using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;

namespace MassDpo.Policy.Lora;

/// <summary>An adapter as PEFT's <c>save_pretrained</c> writes it: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
public static class PeftDirectory
{
    public const string Config = "adapter_config.json";
    public const string Weights = "adapter_model.safetensors";

    /// <summary>Whether a directory holds an adapter.</summary>
    public static bool Is(string directory) => File.Exists(Path.Combine(directory, Config));

    /// <summary>A policy with the adapter of a directory. Both share the base.</summary>
    /// <exception cref="PolicyFormatException">the adapter is malformed, none of this policy's, or of a kind that is not supported</exception>
    public static PolicyWeights Load(string directory, PolicyWeights policy)
    {
        var (options, _) = PeftConfig.Load(Path.Combine(directory, Config));
        using var tensors = Open(directory);
        return policy.WithAdapter(options, tensors);
    }

    /// <summary>Opens the weights of an adapter.</summary>
    /// <exception cref="PolicyFormatException">there are none, or they break a rule of the format</exception>
    public static MappedTensors Open(string directory) => MappedTensors.Open(WeightsIn(directory));

    /// <summary>The file of an adapter's weights.</summary>
    /// <exception cref="PolicyFormatException">there is none</exception>
    public static string WeightsIn(string directory)
    {
        var file = Path.Combine(directory, Weights);
        return File.Exists(file) ? file : throw new PolicyFormatException($"{directory} has no {Weights}; other forms of weights (pickle) are never read");
    }
}
