namespace MassDpo.Shared.Links;

/// <summary>The trained tensors of one version, immutable. What they are is the policy's business; a link only carries them.</summary>
public interface ISnapshotTensors : IDisposable
{
    /// <summary>Hash over names, types, shapes and bytes. Costs a pass over all bytes each time.</summary>
    string ComputeHash();
}

/// <summary>
/// A published version of the policy, with the reference policy that goes with it. The tensors are freed when the link has let go of the snapshot and the
/// last lease is returned.
/// </summary>
public sealed class PolicySnapshot
{
    private readonly SharedTensors _policy;
    private readonly SharedTensors? _reference;

    /// <param name="epoch">that publishes it</param>
    /// <param name="version">of the policy</param>
    /// <param name="tensors">of the policy; the snapshot owns them</param>
    /// <param name="reference">of the reference policy, on which the caller has a hold; null: the policy that the run found</param>
    /// <param name="hash">of the tensors, where it was computed already; null: it is when somebody asks</param>
    public PolicySnapshot(long epoch, long version, ISnapshotTensors tensors, SharedTensors? reference = null, string? hash = null)
    {
        (Epoch, Version, _policy, _reference) = (epoch, version, new SharedTensors(tensors, hash), reference);
        if (reference?.TryHold() == false)
            throw new ObjectDisposedException(nameof(reference));
    }

    public long Epoch { get; }

    public long Version { get; }

    /// <summary>Whether this one is newer, by epoch and then version.</summary>
    public bool IsNewerThan(PolicySnapshot? other) =>
        other is null || (Epoch, Version).CompareTo((other.Epoch, other.Version)) > 0;

    /// <summary>A hold on the tensors, or null where they are freed already.</summary>
    public SnapshotLease? TryAcquire()
    {
        if (_reference?.TryHold() == false)
            return null;
        if (_policy.TryHold())
            return new SnapshotLease(this, _policy, _reference);
        _reference?.Release();
        return null;
    }

    /// <summary>Lets go of the publisher's own hold.</summary>
    public void Release()
    {
        _policy.Release();
        _reference?.Release();
    }
}

/// <summary>A hold on a snapshot's tensors; they live until it is disposed.</summary>
public sealed class SnapshotLease : IDisposable
{
    private readonly PolicySnapshot _snapshot;
    private readonly SharedTensors _policy;
    private readonly SharedTensors? _reference;
    private int _disposed;

    internal SnapshotLease(PolicySnapshot snapshot, SharedTensors policy, SharedTensors? reference) => (_snapshot, _policy, _reference) = (snapshot, policy, reference);

    public long Epoch => _snapshot.Epoch;

    public long Version => _snapshot.Version;

    public ISnapshotTensors Tensors => Held(_policy).Tensors;

    /// <summary>The tensors' hash, computed once per snapshot by whoever asks first.</summary>
    public string Hash => Held(_policy).Hash;

    /// <summary>The reference policy of this version; null: the one that the run found.</summary>
    public SharedTensors? Reference => Held(_reference);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _policy.Release();
        _reference?.Release();
    }

    private T Held<T>(T tensors) => Volatile.Read(ref _disposed) == 0 ? tensors : throw new ObjectDisposedException(nameof(SnapshotLease));
}
