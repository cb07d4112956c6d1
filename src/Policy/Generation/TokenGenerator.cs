using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using static TorchSharp.torch;

namespace MassDpo.Policy.Generation;

/// <summary>
/// Goes on writing after prompts, several at a time: each prompt is computed once, each new token by itself. Prompts that are computed together change a
/// prompt's logits in the last bits at most, and what is drawn for it is drawn by numbers of its own. Thread-safe.
/// </summary>
/// <param name="model">of the policy</param>
/// <param name="limits">
/// how many places are computed and kept together, those to come counted, and how many logits; null: <see cref="ComputeLimits.Default"/>
/// </param>
public sealed class TokenGenerator(LlamaModel model, ComputeLimits? limits = null)
{
    private readonly ComputeLimits _limits = limits ?? ComputeLimits.Default;

    private PolicyConfig Config => model.Config;

    /// <summary>
    /// The ids that follow each prompt: up to an end token, which is the last one then, or as many as are asked for, or as the policy has positions for.
    /// </summary>
    /// <param name="weights">of any version, with or without an adapter</param>
    /// <param name="prompts">token ids, at least one each</param>
    /// <param name="options">see there</param>
    /// <param name="streams">of random numbers, one for each prompt: the same prompt with the same one gets the same tokens; null: the prompts' places among the prompts</param>
    /// <param name="cancellation">ends it between tokens</param>
    /// <exception cref="InvalidDataException">a prompt is empty, has an id that is none of the vocabulary, or leaves no room; or the policy gives no numbers</exception>
    public IReadOnlyList<int[]> Generate(PolicyWeights weights, IReadOnlyList<int[]> prompts, GenerationOptions options, IReadOnlyList<long>? streams = null,
        CancellationToken cancellation = default)
    {
        options.Check();
        if (streams is not null && streams.Count != prompts.Count)
            throw new ArgumentException($"{streams.Count} streams for {prompts.Count} prompts", nameof(streams));
        for (var i = 0; i < prompts.Count; i++)
            Check(prompts[i], $"prompt {i + 1} of {prompts.Count}");
        var texts = prompts.Select((prompt, i) => new Text(prompt, streams?[i] ?? i, Math.Min(options.MostTokens, Config.MaxPositions - prompt.Length))).ToArray();
        var mostRows = (int)Math.Clamp(_limits.Logits / Config.VocabularySize, 1, int.MaxValue);
        foreach (var group in PackPlan.Groups(Array.ConvertAll(texts, text => text.Prompt.Length + text.Most), _limits.Tokens))
            foreach (var together in group.Chunk(mostRows))
                Generate(weights, Array.ConvertAll(together, i => texts[i]), options, cancellation);
        return Array.ConvertAll(texts, text => text.Ids.ToArray());
    }

    private void Generate(PolicyWeights weights, Text[] texts, GenerationOptions options, CancellationToken cancellation)
    {
        using var decoder = new CachedDecoder(model, weights);
        var next = Array.ConvertAll(texts, text => text.Prompt);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var logits = Logits(decoder, next);
            var going = new List<int>(texts.Length);
            for (var row = 0; row < texts.Length; row++)
            {
                var text = texts[row];
                var ofRow = logits.AsSpan(row * Config.VocabularySize, Config.VocabularySize);
                var id = options.Sampling is { } sampling ? TokenSampler.Draw(ofRow, sampling, text.Stream, text.Ids.Count) : TokenSampler.Greedy(ofRow);
                text.Ids.Add(id);
                if (text.Ids.Count < text.Most && !options.EndTokens.Contains(id))
                    going.Add(row);
            }
            if (going.Count == 0)
                return;
            if (going.Count < texts.Length)
            {
                decoder.Keep(going);
                texts = [.. going.Select(row => texts[row])];
            }
            next = Array.ConvertAll(texts, text => new[] { text.Ids[^1] });
        }
    }

    private static float[] Logits(CachedDecoder decoder, int[][] tokens)
    {
        using var scope = NewDisposeScope();
        return decoder.Advance(tokens).to(ScalarType.Float32).cpu().data<float>().ToArray();
    }

    private void Check(int[] prompt, string name)
    {
        if (prompt.Length == 0)
            throw new InvalidDataException($"{name} has no token: nothing would predict the first one; give a text, or the id of a token to begin with");
        foreach (var id in prompt)
            if (id < 0 || id >= Config.VocabularySize)
                throw new InvalidDataException($"{name} has id {id}, which is outside the policy's vocabulary: ids are from 0 to {Config.VocabularySize - 1}");
        if (prompt.Length >= Config.MaxPositions)
            throw new InvalidDataException($"{name} has {prompt.Length} tokens and leaves no room: the policy has positions for {Config.MaxPositions}; shorten it");
    }

    // A text that grows.
    private sealed record Text(int[] Prompt, long Stream, int Most)
    {
        public List<int> Ids { get; } = [];
    }
}
