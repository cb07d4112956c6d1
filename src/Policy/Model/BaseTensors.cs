using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>The tensors of a whole policy, which several weights with adapters of their own may stand on. Freed when the last of them is. Thread-safe.</summary>
internal sealed class BaseTensors
{
    private readonly Lazy<string> _hash;
    private int _holds = 1;

    public BaseTensors(SortedDictionary<string, Tensor> tensors)
    {
        ByName = tensors;
        _hash = new Lazy<string>(() => TensorHash.Of(tensors));
    }

    public SortedDictionary<string, Tensor> ByName { get; }

    /// <summary>Of tensors that do not change any more; computed once.</summary>
    public string Hash => _hash.Value;

    /// <summary>One more hold, by who has one.</summary>
    public BaseTensors Hold()
    {
        Interlocked.Increment(ref _holds);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _holds) > 0)
            return;
        foreach (var tensor in ByName.Values)
            tensor.Dispose();
    }
}
