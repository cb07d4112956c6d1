using MassDpo.Policy;
using MassDpo.Policy.Chat;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Links;

namespace MassDpo.App.Running;

/// <summary>A policy directory, loaded once and shared by all that work with it.</summary>
public sealed class LoadedPolicy : IDisposable
{
    private LoadedPolicy(string directory, PolicyConfig config, RecordEncoder encoder, PolicyWeights weights)
    {
        (Directory, Config, Encoder, Weights) = (directory, config, encoder, weights);
        Model = new LlamaModel(config);
        Scorer = new PoolScorer(Model);
        Found = new SharedTensors(weights);
        // A chat is other text under another template.
        Identity = PolicyDirectory.IdentityOf(directory, weights) + (encoder.Chat.Name is { } template ? $", chats as {template}" : "");
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

    public LlamaModel Model { get; }

    public PoolScorer Scorer { get; }

    /// <param name="directory">in Hugging Face layout</param>
    /// <param name="encoding">how records become tokens; null: as they come</param>
    /// <exception cref="PolicyFormatException">no policy there, or one that is not supported</exception>
    public static LoadedPolicy Load(string directory, EncodingOptions? encoding = null)
    {
        var config = PolicyDirectory.LoadConfig(directory);
        return new LoadedPolicy(directory, config, EncoderOf(directory, config, encoding), PolicyDirectory.LoadWeights(directory, config));
    }

    /// <summary>What reads records for the policy of a directory.</summary>
    /// <exception cref="PolicyFormatException">no tokenizer there, or one that is not supported</exception>
    internal static RecordEncoder EncoderOf(string directory, PolicyConfig config, EncodingOptions? encoding)
    {
        encoding ??= EncodingOptions.Default;
        var tokenizer = PolicyDirectory.LoadTokenizer(directory, config);
        return new RecordEncoder(tokenizer, config, ChatFormat.Load(directory, config, tokenizer, encoding.ChatTemplate), encoding.Truncation);
    }

    public void Dispose()
    {
        Model.Dispose();
        Weights.Dispose();
    }
}
