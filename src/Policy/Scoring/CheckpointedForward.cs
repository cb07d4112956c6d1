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
        _frame = model.Frame(weights, batch);
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
            gradient = Through(_inputs[layer], x => _model.Layer(_weights, _batch, _frame, at, x, 0, _tap), before);
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

    // Two of the frame's may be one.
    private IEnumerable<Tensor> Kept => new[] { Hidden_Ud, _frame.Cos, _frame.Sin, _frame.Visible, _frame.InWindow }.Concat(_inputs).Distinct<Tensor>(ReferenceEqualityComparer.Instance);

    private Tensor Through(Tensor input, Func<Tensor, Tensor> step, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        var x = input.detach().requires_grad_();
        step(x).backward([gradient]);
        _tap?.GradientsAreThere();
        return x.grad!.MoveToOuterDisposeScope();
    }
}
