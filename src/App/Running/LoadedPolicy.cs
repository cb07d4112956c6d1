using MassDpo.Policy;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Links;

namespace MassDpo.App.Running;

/// <summary>A policy directory, loaded once and shared by all that work with it.</summary>
public sealed class LoadedPolicy : IDisposable
{
    private readonly string _configHash;

    private LoadedPolicy(string directory, PolicyConfig config, RecordEncoder encoder, PolicyWeights weights)
    {
        (Directory, Config, Encoder, Weights) = (directory, config, encoder, weights);
        Model = new LlamaModel(config);
        Scorer = new PoolScorer(Model);
        Found = new SharedTensors(weights);
        Identity = PolicyDirectory.IdentityOf(directory, weights);
        _configHash = PolicyDirectory.ConfigHashOf(directory);
    }

    public string Directory { get; }

    public PolicyConfig Config { get; }

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

    /// <exception cref="PolicyFormatException">no policy there, or one that is not supported</exception>
    public static LoadedPolicy Load(string directory)
    {
        var config = PolicyDirectory.LoadConfig(directory);
        var encoder = new RecordEncoder(PolicyDirectory.LoadTokenizer(directory, config), config);
        return new LoadedPolicy(directory, config, encoder, PolicyDirectory.LoadWeights(directory, config));
    }

    public void Dispose()
    {
        Model.Dispose();
        Weights.Dispose();
    }
}
