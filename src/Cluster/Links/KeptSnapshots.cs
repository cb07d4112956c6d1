using MassDpo.Cluster.Transfer;

namespace MassDpo.Cluster.Links;

/// <summary>
/// The newest snapshots of a publisher as bytes, to be pulled. Somebody who was told of one and has not begun still finds it when a few newer ones are there; whoever is in the middle of
/// one has it from <see cref="PieceServer"/>, which keeps it until he is through. Thread-safe.
/// </summary>
internal sealed class KeptSnapshots
{
    private const int Most = 4;

    private readonly Lock _lock = new();
    // The newest last.
    private readonly List<(SnapshotPart Part, byte[] Bytes)> _policies = [];
    private readonly List<(SnapshotPart Part, byte[] Bytes)> _references = [];

    /// <summary>Keeps a policy.</summary>
    public void Keep(SnapshotPart part, byte[] bytes) => Keep(_policies, part, bytes);

    /// <summary>Keeps a reference policy, which several snapshots go with.</summary>
    public void KeepReference(SnapshotPart part, byte[] bytes) => Keep(_references, part, bytes);

    /// <summary>What is pulled by this name; null: it is not kept any more.</summary>
    public IPieces? Open(string thing)
    {
        lock (_lock)
            return _policies.Concat(_references).FirstOrDefault(kept => kept.Part.Thing == thing).Bytes is { } bytes ? new MemoryPieces(bytes) : null;
    }

    private void Keep(List<(SnapshotPart, byte[])> kept, SnapshotPart part, byte[] bytes)
    {
        lock (_lock)
        {
            kept.Add((part, bytes));
            if (kept.Count > Most)
                kept.RemoveAt(0);
        }
    }
}
