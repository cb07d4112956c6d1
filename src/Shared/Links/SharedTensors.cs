namespace MassDpo.Shared.Links;

/// <summary>
/// Tensors that several hold at the same time, and nobody changes. Native memory has one owner: this, which frees it when the last hold is let go of. It
/// begins with one hold, its maker's. Thread-safe.
/// </summary>
public sealed class SharedTensors
{
    private readonly ISnapshotTensors _tensors;
    private readonly Lazy<string> _hash;
    private int _holds = 1;

    /// <param name="tensors">which it owns from now on</param>
    /// <param name="hash">theirs, where it was computed already; null: it is when somebody asks</param>
    public SharedTensors(ISnapshotTensors tensors, string? hash = null)
    {
        _tensors = tensors;
        _hash = hash is null ? new Lazy<string>(tensors.ComputeHash) : new Lazy<string>(hash);
    }

    /// <summary>To be used by whoever has a hold.</summary>
    public ISnapshotTensors Tensors => _tensors;

    /// <summary>The tensors' hash, computed once, by whoever asks first.</summary>
    public string Hash => _hash.Value;

    /// <summary>One more hold; false where the tensors are freed already.</summary>
    public bool TryHold()
    {
        while (true)
        {
            var holds = Volatile.Read(ref _holds);
            if (holds == 0)
                return false;
            if (Interlocked.CompareExchange(ref _holds, holds + 1, holds) == holds)
                return true;
        }
    }

    /// <summary>Lets go of one hold.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holds) == 0)
            _tensors.Dispose();
    }
}
