using MassDpo.Policy.Fused;
using static TorchSharp.torch;

namespace MassDpo.Learner.Training;

/// <summary>The numbers of Adam.</summary>
/// <param name="Beta1">decay of the mean of the gradients</param>
/// <param name="Beta2">decay of the mean of their squares</param>
/// <param name="Epsilon">added to the root of the latter</param>
/// <param name="WeightDecay">decoupled from the gradient, as in AdamW; norms do not decay. 0: Adam</param>
/// <param name="MaxGradientNorm">gradients are scaled down to this norm over all of them; 0: not</param>
public sealed record AdamOptions(double Beta1, double Beta2, double Epsilon, double WeightDecay, double MaxGradientNorm);

/// <summary>
/// Adam (arXiv 1412.6980) and AdamW (arXiv 1711.05101) as PyTorch computes them, with the gradient norm clipped before. It owns its state, not the
/// parameters.
/// </summary>
public sealed class AdamOptimizer : IDisposable
{
    private readonly AdamOptions _options;
    private readonly List<Slot> _slots = [];
    private readonly bool _isFused;

    /// <param name="parameters">by name; those with one dimension are norms and do not decay</param>
    /// <param name="options">see there</param>
    /// <param name="tensorOperationsOnly">leaves native/fused out: the readable reference that it is held against</param>
    /// <exception cref="InvalidOperationException">none of them collects gradients: there is nothing to train</exception>
    public AdamOptimizer(IEnumerable<KeyValuePair<string, Tensor>> parameters, AdamOptions options, bool tensorOperationsOnly = false)
    {
        _options = options;
        foreach (var (name, parameter) in parameters)
            if (parameter.requires_grad)
                _slots.Add(new Slot(name, parameter, parameter.dim() > 1 ? options.WeightDecay : 0,
                    zeros_like(parameter).DetachFromDisposeScope(), zeros_like(parameter).DetachFromDisposeScope()));
        _isFused = !tensorOperationsOnly && _slots.TrueForAll(slot => FusedAdam.CanStep(slot.Parameter));
        if (_slots.Count == 0)
            throw new InvalidOperationException("there is nothing to train: no parameter collects gradients");
    }

    /// <summary>Steps taken.</summary>
    public long Steps { get; private set; }

    public void ZeroGradients()
    {
        using var _ = no_grad();
        foreach (var slot in _slots)
        {
            // In place: whoever adds to them may hold their memory.
            using var gradient = slot.Parameter.grad;
            gradient?.zero_();
        }
    }

    /// <summary>The norm of all gradients together; not finite where one of them is not.</summary>
    public double GradientNorm()
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (_isFused)
        {
            var squares = 0.0;
            foreach (var slot in _slots)
                if (slot.Parameter.grad is { } gradient)
                    squares += FusedAdam.SumOfSquares(gradient);
            return Math.Sqrt(squares);
        }
        var norms = _slots.Where(slot => slot.Parameter.grad is not null).Select(slot => slot.Parameter.grad!.norm()).ToList();
        return norms.Count == 0 ? 0 : stack(norms).norm().item<float>();
    }

    /// <summary>Changes the parameters by their gradients.</summary>
    /// <param name="learningRate">of this step</param>
    /// <param name="gradientNorm">as <see cref="GradientNorm"/> gave it</param>
    public void Step(double learningRate, double gradientNorm)
    {
        using var _ = no_grad();
        Steps++;
        var scale = _options.MaxGradientNorm > 0 ? Math.Min(1, _options.MaxGradientNorm / (gradientNorm + 1e-6)) : 1;
        var correction1 = 1 - Math.Pow(_options.Beta1, Steps);
        var correction2 = Math.Sqrt(1 - Math.Pow(_options.Beta2, Steps));
        foreach (var slot in _slots)
        {
            // The gradient is a new object each time: in the scope, or it would be the collector's.
            using var scope = NewDisposeScope();
            if (slot.Parameter.grad is not { } gradient)
                continue;
            if (_isFused)
            {
                FusedAdam.Step(slot.Parameter, gradient, slot.Mean, slot.Square, 1 - learningRate * slot.WeightDecay,
                    new AdamStep(learningRate / correction1, scale, _options.Beta1, _options.Beta2, correction2, _options.Epsilon));
                continue;
            }
            if (scale < 1)
                gradient = gradient * scale;
            if (slot.WeightDecay > 0)
                slot.Parameter.mul_(1 - learningRate * slot.WeightDecay);
            slot.Mean.mul_(_options.Beta1).add_(gradient, alpha: 1 - _options.Beta1);
            slot.Square.mul_(_options.Beta2).addcmul_(gradient, gradient, value: 1 - _options.Beta2);
            var root = slot.Square.sqrt().div_(correction2).add_(_options.Epsilon);
            slot.Parameter.addcdiv_(slot.Mean, root, value: -learningRate / correction1);
        }
    }

    /// <summary>The state by name, as PyTorch calls its parts; the tensors stay this optimiser's.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State =>
        _slots.SelectMany(slot => new[] { KeyValuePair.Create("exp_avg." + slot.Name, slot.Mean), KeyValuePair.Create("exp_avg_sq." + slot.Name, slot.Square) });

    /// <summary>Takes a state back.</summary>
    /// <exception cref="InvalidDataException">it is not the state of these parameters</exception>
    public void Restore(IReadOnlyDictionary<string, Tensor> state, long steps)
    {
        using var _ = no_grad();
        foreach (var (name, own) in State)
        {
            if (!state.TryGetValue(name, out var saved) || !saved.shape.SequenceEqual(own.shape))
                throw new InvalidDataException($"the optimiser's state has no '{name}' of shape [{string.Join(", ", own.shape)}]");
            own.copy_(saved);
        }
        Steps = steps;
    }

    public void Dispose()
    {
        foreach (var slot in _slots)
        {
            slot.Mean.Dispose();
            slot.Square.Dispose();
        }
    }

    private sealed record Slot(string Name, Tensor Parameter, double WeightDecay, Tensor Mean, Tensor Square);
}
