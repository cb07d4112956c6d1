using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.PolicyKit;

/// <summary>The logits of one sequence, computed whole, by the forward that scores and trains.</summary>
public static class FullForward
{
    /// <summary>Logits of what comes after each token: [length][|V|].</summary>
    public static float[][] Logits(LlamaModel model, PolicyWeights weights, IReadOnlyList<int> tokens)
    {
        // Predicting a token after the last one makes the last a place too; which token does not matter here.
        using var batch = PackedBatch.OfSequences([([.. tokens, 0], [.. Enumerable.Range(0, tokens.Count)])]);
        return Logits(model, weights, batch);
    }

    /// <summary>Logits of what comes after the last token alone: [|V|].</summary>
    public static float[] LastLogits(LlamaModel model, PolicyWeights weights, IReadOnlyList<int> tokens)
    {
        using var batch = PackedBatch.OfSequences([([.. tokens, 0], [tokens.Count - 1])]);
        return Logits(model, weights, batch)[0];
    }

    private static float[][] Logits(LlamaModel model, PolicyWeights weights, PackedBatch batch)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (_, logits) = LlamaModel.TokenLogps(weights, batch, model.Hidden(weights, batch));
        return [.. logits.data<float>().ToArray().Chunk(weights.Config.VocabularySize)];
    }
}
