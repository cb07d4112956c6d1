using MassDpo.Policy;
using MassDpo.Policy.Chat;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Scoring;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Links;

namespace MassDpo.App.Running;

/// <summary>A policy, loaded once and shared by all that work with it.</summary>
public sealed class LoadedPolicy : IDisposable
{
    private readonly string _configHash;

    private LoadedPolicy(PolicyOrigin origin, PolicyConfig config, RecordEncoder encoder, PolicyWeights weights, ComputeLimits limits)
    {
        (Origin, Config, Encoder, Weights) = (origin, config, encoder, weights);
        Model = new LlamaModel(config, weights.Device);
        Scorer = new PoolScorer(Model, limits);
        Found = new SharedTensors(weights);
        // A chat is other text under another template.
        Identity = PolicyDirectory.IdentityOf(origin.Base, Found.Hash) + (encoder.Chat.Name is { } template ? $", chats as {template}" : "");
        _configHash = PolicyDirectory.ConfigHashOf(origin.Base);
    }

    /// <summary>Where it came from.</summary>
    public PolicyOrigin Origin { get; }

    public PolicyConfig Config { get; }

    public Tokenizer Tokenizer => Encoder.Tokenizer;

    public RecordEncoder Encoder { get; }

    /// <summary>As they were found; never changed.</summary>
    public PolicyWeights Weights { get; }

    /// <summary>The same for those who share them, with their hash.</summary>
    public SharedTensors Found { get; }

    /// <summary>What it was when it was loaded: a resume on another is refused.</summary>
    public string Identity { get; }

    /// <summary>How it is scored: part of what bits depend on.</summary>
    public string Scoring => Scorer.IsBatchInvariant(Weights) ? "fused kernels" : "tensor operations";

    /// <summary>All that decides the bits of its log-probabilities beside weights and tokens: what is kept of them is kept under it.</summary>
    public string ScoringFingerprint => Policy.Scoring.ScoringFingerprint.Of(Scorer, Weights, _configHash);

    public LlamaModel Model { get; }

    public PoolScorer Scorer { get; }

    /// <summary>Loads what a user names as a policy.</summary>
    /// <param name="directory">a checkpoint, or a PEFT directory</param>
    /// <param name="options">how; null: as it comes</param>
    /// <exception cref="PolicyFormatException">no policy there, or one that is not supported</exception>
    /// <exception cref="InvalidDataException">the device that it is to be computed on is not there</exception>
    public static LoadedPolicy Load(string directory, PolicyOptions? options = null)
    {
        options ??= new PolicyOptions();
        PlacementSettings.CheckThere(options.Placement.Device);
        var origin = PolicyOrigin.Of(directory, options.Lora?.Adapter);
        if (options.Lora?.Fresh is not null && origin.Adapter is not null)
            throw new PolicyFormatException($"{origin.Adapter} is an adapter, which a run goes on training as it is: leave lora.rank at 0, or merge it into its base first (massdpo checkpoints promote --merge)");
        var config = PolicyDirectory.LoadConfig(origin.Base);
        var encoder = EncoderOf(origin, config, options.Encoding);
        var weights = origin.LoadWeights(config, options.Placement);
        if (options.Lora is not { Fresh: { } fresh } lora)
            return new LoadedPolicy(origin, config, encoder, weights, options.Limits);
        using (weights)
            return new LoadedPolicy(origin, config, encoder, weights.WithFreshAdapter(fresh, lora.Seed), options.Limits);
    }

    /// <summary>What reads records for a policy.</summary>
    /// <exception cref="PolicyFormatException">no tokenizer there, or one that is not supported</exception>
    internal static RecordEncoder EncoderOf(PolicyOrigin origin, PolicyConfig config, EncodingOptions encoding)
    {
        var tokenizer = PolicyDirectory.LoadTokenizer(origin.Base, config);
        return new RecordEncoder(tokenizer, config, ChatFormat.Load(origin.Base, config, tokenizer, encoding.ChatTemplate), encoding.Truncation);
    }

    /// <summary>The weights that a run on this policy wrote; what they stand on stays shared.</summary>
    /// <exception cref="PolicyFormatException">it is none of this policy's</exception>
    public PolicyWeights LoadResult(string directory)
    {
        if (Weights.Lora is null)
            return PolicyDirectory.LoadWeights(directory, Config, Weights.Placement);
        var file = PeftDirectory.WeightsIn(directory);
        return Weights.Take(SafetensorsFile.Read(file), file);
    }

    public void Dispose()
    {
        Model.Dispose();
        Weights.Dispose();
    }
}

/// <summary>The adapter on a policy that a run trains, or that others use.</summary>
/// <param name="Fresh">a new one; null: none</param>
/// <param name="Adapter">PEFT directory of one that is there; null: none</param>
/// <param name="Seed">of what a new one starts with</param>
public sealed record LoraRequest(LoraOptions? Fresh, string? Adapter, long Seed);
