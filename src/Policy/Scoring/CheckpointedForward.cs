using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// A forward that keeps only what enters each layer, and computes a layer again when its gradients are asked for (arXiv 1604.06174). Same numbers as with all
/// kept, for one more forward.
/// </summary>
internal sealed class CheckpointedForward : IDisposable
{
    private readonly LlamaModel _model;
    private readonly PolicyWeights _weights;
    private readonly PackedBatch _batch;
    private readonly AdapterTap? _tap;
    private readonly ForwardFrame _frame;
    private readonly Tensor[] _inputs;

    public CheckpointedForward(LlamaModel model, PolicyWeights weights, PackedBatch batch, AdapterTap? tap)
    {
        (_model, _weights, _batch, _tap) = (model, weights, batch, tap);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        _frame = model.Frame(batch, weights.Embedding.dtype);
        _inputs = new Tensor[model.Config.Layers + 1];
        _inputs[0] = LlamaModel.Embed(weights, batch);
        for (var layer = 0; layer < model.Config.Layers; layer++)
            _inputs[layer + 1] = model.Layer(weights, batch, _frame, layer, _inputs[layer], 0, tap);
        Hidden_Ud = model.Last(weights, batch, _inputs[^1]);
        foreach (var kept in Kept)
            kept.DetachFromDisposeScope();
    }

    /// <summary>The last hidden states, without a graph.</summary>
    public Tensor Hidden_Ud { get; }

    /// <summary>Adds the gradients of the weights, from that of <see cref="Hidden_Ud"/>.</summary>
    public void Backward(Tensor gradient_Ud)
    {
        var gradient = Through(_inputs[^1], x => _model.Last(_weights, _batch, x), gradient_Ud);
        for (var layer = _model.Config.Layers - 1; layer >= 0; layer--)
        {
            var (at, before) = (layer, gradient);
            gradient = _model.IsInParts(_batch, layer)
                ? ThroughParts(layer, before)
                : Through(_inputs[layer], x => _model.Layer(_weights, _batch, _frame, at, x, 0, _tap), before);
            before.Dispose();
        }
        if (_weights.Embedding.requires_grad)
            LlamaModel.Embed(_weights, _batch).backward([gradient]);
    }

    public void Dispose()
    {
        foreach (var kept in Kept)
            kept.Dispose();
    }

    private IEnumerable<Tensor> Kept => _frame.Tensors.Concat(_inputs).Append(Hidden_Ud).Distinct<Tensor>(ReferenceEqualityComparer.Instance);

    private Tensor Through(Tensor input, Func<Tensor, Tensor> step, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var x = input.detach().requires_grad_();
        step(x).backward([gradient]);
        _tap?.GradientsAreThere();
        return x.grad!.MoveToOuterDisposeScope();
    }

    // The same of a layer whose attention takes several parts. What comes before it and what comes after have graphs of their own, and so has each part in its turn:
    // the probabilities of one alone are held.
    private Tensor ThroughParts(int layer, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var x = _inputs[layer].detach().requires_grad_();
        var asked = _model.Asked(_weights, _batch, _frame, layer, x, _tap);
        var (queries, keys, values) = (asked.Queries_NHMs.detach(), asked.Keys_NGLs.detach(), asked.Values_NGLs.detach());
        var (own, attended) = (asked.X.detach().requires_grad_(), Attended().requires_grad_());
        using (NewDisposeScope())
            _model.Parts.Output(_weights.Layers[layer], own, attended, 0, _tap).backward([gradient]);
        var (ofQueries, ofKeys, ofValues) = _model.Parts.Attention.Backward(queries, keys, values, asked.Mask, attended.grad!);
        autograd.backward([asked.X, asked.Queries_NHMs, asked.Keys_NGLs, asked.Values_NGLs], [own.grad!, ofQueries, ofKeys, ofValues]);
        _tap?.GradientsAreThere();
        return x.grad!.MoveToOuterDisposeScope();

        Tensor Attended()
        {
            using var _ = no_grad();
            return _model.Parts.Attention.Of(queries, keys, values, asked.Mask);
        }
    }
}
