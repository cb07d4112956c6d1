using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// Packs computed together in tensor operations, forward and back: log-probabilities first, gradients when it is known what the loss wants of them. Between the
/// two it holds the graph, or, with checkpointing, what enters each layer; logits are held whole only where they are few.
/// </summary>
internal sealed class PackedPass : IDisposable
{
    private readonly PolicyWeights _weights;
    private readonly ComputeLimits _limits;
    private readonly PackedBatch _batch;
    private readonly CheckpointedForward? _checkpointed;
    private readonly Tensor _hidden_Ud;
    // With their graph; null where logits are too many to be held.
    private readonly Tensor? _logps_C;

    public PackedPass(LlamaModel model, PolicyWeights weights, IReadOnlyList<EncodedPool> packs, ComputeLimits limits, IReadOnlyList<long>? seeds)
    {
        (_weights, _limits) = (weights, limits);
        _batch = PackedBatch.Of(packs, weights.Device);
        using var scope = NewDisposeScope();
        var dropout = seeds is not null && weights.Lora is { Dropout: > 0 } lora ? new AdapterDropout(lora.Dropout, seeds) : null;
        if (limits.Checkpointing)
            _checkpointed = new CheckpointedForward(model, weights, _batch, dropout);
        _hidden_Ud = _checkpointed?.Hidden_Ud ?? model.Hidden(weights, _batch, 0, dropout).DetachFromDisposeScope();
        if (_checkpointed is null && OutputHead.FitsWhole(weights, _hidden_Ud, limits.Logits))
        {
            _logps_C = LlamaModel.CandidateLogps(_batch, LlamaModel.TokenLogps(weights, _batch, _hidden_Ud).Logps_T).DetachFromDisposeScope();
            Logps_C = _logps_C.detach().DetachFromDisposeScope();
            return;
        }
        using var _ = no_grad();
        Logps_C = LlamaModel.CandidateLogps(_batch, OutputHead.TokenLogps(weights, _batch, _hidden_Ud, limits.Logits)).DetachFromDisposeScope();
    }

    /// <summary>log π(y|x) of every candidate, [C], in nats, without a graph, where the weights are.</summary>
    public Tensor Logps_C { get; }

    /// <summary>Adds the weights' gradients, from those of <see cref="Logps_C"/>. Once.</summary>
    public void Backward(Tensor gradient_C)
    {
        using var scope = NewDisposeScope();
        gradient_C = gradient_C.to(_weights.Device);
        if (_logps_C is not null)
        {
            _logps_C.backward([gradient_C]);
            return;
        }
        var gradient_T = _batch.Candidate_T is null ? gradient_C : gradient_C.index_select(0, _batch.Candidate_T);
        var gradient_Ud = OutputHead.Backward(_weights, _batch, _hidden_Ud.detach(), gradient_T, _limits.Logits);
        if (_checkpointed is not null)
            _checkpointed.Backward(gradient_Ud);
        else
            _hidden_Ud.backward([gradient_Ud]);
    }

    public void Dispose()
    {
        Logps_C.Dispose();
        _logps_C?.Dispose();
        _hidden_Ud.Dispose();
        _checkpointed?.Dispose();
        _batch.Dispose();
    }
}
