namespace MassDpo.Shared.Links;

/// <summary>The trained tensors of one version, immutable. What they are is the policy's business; a link only carries them.</summary>
public interface ISnapshotTensors : IDisposable
{
    /// <summary>Hash over names, types, shapes and bytes. Costs a pass over all bytes each time.</summary>
    string ComputeHash();
}

/// <summary>
/// A published version of the policy. Native memory has one owner: the snapshot, which frees it when the link has let go of it and the last lease is
/// returned.
/// </summary>
public sealed class PolicySnapshot
{
    private readonly ISnapshotTensors _tensors;
    private readonly Lazy<string> _hash;
    // The link's own hold counts as one.
    private int _holds = 1;

    public PolicySnapshot(long epoch, long version, ISnapshotTensors tensors)
    {
        (Epoch, Version, _tensors) = (epoch, version, tensors);
        _hash = new Lazy<string>(tensors.ComputeHash);
    }

    public long Epoch { get; }

    public long Version { get; }

    /// <summary>Whether this one is newer, by epoch and then version.</summary>
    public bool IsNewerThan(PolicySnapshot? other) =>
        other is null || (Epoch, Version).CompareTo((other.Epoch, other.Version)) > 0;

    /// <summary>A hold on the tensors, or null where they are freed already.</summary>
    public SnapshotLease? TryAcquire()
    {
        while (true)
        {
            var holds = Volatile.Read(ref _holds);
            if (holds == 0)
                return null;
            if (Interlocked.CompareExchange(ref _holds, holds + 1, holds) == holds)
                return new SnapshotLease(this);
        }
    }

    /// <summary>Lets go of the publisher's own hold.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _holds) == 0)
            _tensors.Dispose();
    }

    internal ISnapshotTensors Tensors => _tensors;

    internal string Hash => _hash.Value;
}

/// <summary>A hold on a snapshot's tensors; they live until it is disposed.</summary>
public sealed class SnapshotLease : IDisposable
{
    private readonly PolicySnapshot _snapshot;
    private int _disposed;

    internal SnapshotLease(PolicySnapshot snapshot) => _snapshot = snapshot;

    public long Epoch => _snapshot.Epoch;

    public long Version => _snapshot.Version;

    public ISnapshotTensors Tensors =>
        Volatile.Read(ref _disposed) == 0 ? _snapshot.Tensors : throw new ObjectDisposedException(nameof(SnapshotLease));

    /// <summary>The tensors' hash, computed once per snapshot by whoever asks first.</summary>
    public string Hash => Volatile.Read(ref _disposed) == 0 ? _snapshot.Hash : throw new ObjectDisposedException(nameof(SnapshotLease));

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _snapshot.Release();
    }
}
