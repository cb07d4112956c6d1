using MassDpo.Policy.Model;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Scoring;

/// <summary>Log-probabilities from the last hidden states, some places at a time, so that no matrix of all places times |V| is ever held.</summary>
internal static class OutputHead
{
    /// <summary>Whether all places of a batch may be computed at once.</summary>
    public static bool FitsWhole(PolicyWeights weights, Tensor hidden_Ud, long mostLogits) => hidden_Ud.shape[0] * weights.Output.shape[0] <= mostLogits;

    /// <summary>log π of every response token, [T], in nats.</summary>
    /// <param name="weights">whose output matrix it is</param>
    /// <param name="batch">whose places the hidden states are of</param>
    /// <param name="hidden_Ud">see <see cref="LlamaModel.Hidden(PolicyWeights, PackedBatch, double)"/></param>
    /// <param name="mostLogits">held at a time</param>
    /// <param name="expected_Ud">is filled with E_π[W] at all places, W the output matrix; null: nobody asks</param>
    public static Tensor TokenLogps(PolicyWeights weights, PackedBatch batch, Tensor hidden_Ud, long mostLogits, Tensor? expected_Ud = null)
    {
        using var scope = NewDisposeScope();
        var logps_T = zeros(batch.Token_T.shape[0], dtype: ScalarType.Float32, device: hidden_Ud.device);
        foreach (var part in Parts(batch, hidden_Ud.shape[0], weights.Output.shape[0], mostLogits))
        {
            using var ofPart = NewDisposeScope();
            var logits_uV = linear(hidden_Ud.narrow(0, part.First, part.Places), weights.Output).InFloat32();
            logps_T.index_copy_(0, part.Tokens, Gather(batch, part, logits_uV));
            expected_Ud?.narrow(0, part.First, part.Places).copy_(logits_uV.softmax(1).InType(weights.Output.dtype).matmul(weights.Output));
        }
        return logps_T.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The gradient of a sum of tokens' log-probabilities with respect to the hidden states, [U, d], each token with its weight; what it is with respect to the
    /// output matrix is added there, where that collects gradients.
    /// </summary>
    /// <param name="weights">whose output matrix it is</param>
    /// <param name="batch">whose places the hidden states are of</param>
    /// <param name="hidden_Ud">without their graph</param>
    /// <param name="weights_T">of the tokens</param>
    /// <param name="mostLogits">held at a time</param>
    public static Tensor Backward(PolicyWeights weights, PackedBatch batch, Tensor hidden_Ud, Tensor weights_T, long mostLogits)
    {
        using var scope = NewDisposeScope();
        var gradient_Ud = empty_like(hidden_Ud);
        foreach (var part in Parts(batch, hidden_Ud.shape[0], weights.Output.shape[0], mostLogits))
        {
            using var ofPart = NewDisposeScope();
            var own_ud = hidden_Ud.narrow(0, part.First, part.Places).detach().requires_grad_();
            Gather(batch, part, linear(own_ud, weights.Output).InFloat32()).backward([weights_T.index_select(0, part.Tokens)]);
            gradient_Ud.narrow(0, part.First, part.Places).copy_(own_ud.grad!);
        }
        return gradient_Ud.MoveToOuterDisposeScope();
    }

    private static Tensor Gather(PackedBatch batch, Part part, Tensor logits_uV) =>
        LlamaModel.LogpsAt(logits_uV, batch.Place_T.index_select(0, part.Tokens) - part.First, batch.Token_T.index_select(0, part.Tokens));

    // Runs of places, and the tokens that each predicts.
    private static IEnumerable<Part> Parts(PackedBatch batch, long places, long vocabulary, long mostLogits)
    {
        var step = Math.Max(1, mostLogits / vocabulary);
        var placeOf = batch.PlaceOfToken;
        var byPart = Enumerable.Range(0, placeOf.Count).ToLookup(token => placeOf[token] / step, token => (long)token);
        for (var first = 0L; first < places; first += step)
        {
            using var tokens = tensor([.. byPart[first / step]], dtype: ScalarType.Int64, device: batch.Place_T.device).DetachFromDisposeScope();
            yield return new Part(first, Math.Min(step, places - first), tokens);
        }
    }

    private readonly record struct Part(long First, long Places, Tensor Tokens);
}
