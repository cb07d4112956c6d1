using MassDpo.Cluster.Transfer;

namespace MassDpo.Cluster.Links;

/// <summary>
/// The newest snapshots of a publisher as bytes, to be pulled. Somebody who was told of one and has not begun still finds it when a few newer ones are there; whoever is in the middle of
/// one has it from <see cref="PieceServer"/>, which keeps it until he is through. What nobody has any more is written over by the next: memory that is large and new each time costs more
/// than all that is written to it. Thread-safe.
/// </summary>
internal sealed class KeptSnapshots
{
    private const int Most = 4;

    private readonly Lock _lock = new();
    // The newest last.
    private readonly List<Kept> _policies = [];
    private readonly List<Kept> _references = [];
    private readonly Stack<MemoryStream> _unused = [];

    /// <summary>Keeps a policy.</summary>
    /// <param name="name">what it is pulled by</param>
    /// <param name="write">its bytes</param>
    /// <returns>how many they are</returns>
    public long Keep(string name, Action<Stream> write) => Keep(_policies, name, write);

    /// <summary>Keeps a reference policy, which several snapshots go with.</summary>
    public long KeepReference(string name, Action<Stream> write) => Keep(_references, name, write);

    /// <summary>What is pulled by this name; null: it is not kept any more.</summary>
    public IPieces? Open(string name)
    {
        lock (_lock)
        {
            if (_policies.Concat(_references).FirstOrDefault(kept => kept.Name == name) is not { } found)
                return null;
            found.Holds++;
            return new Pieces(this, found);
        }
    }

    private long Keep(List<Kept> all, string name, Action<Stream> write)
    {
        MemoryStream? content;
        lock (_lock)
            _unused.TryPop(out content);
        content ??= new MemoryStream();
        content.SetLength(0);
        write(content);
        lock (_lock)
        {
            all.Add(new Kept(name, content));
            if (all.Count > Most)
            {
                var oldest = all[0];
                all.RemoveAt(0);
                LetGo(oldest);
            }
        }
        return content.Length;
    }

    private void LetGo(Kept kept)
    {
        lock (_lock)
            if (--kept.Holds == 0)
                _unused.Push(kept.Content);
    }

    private sealed class Kept(string name, MemoryStream content)
    {
        public string Name => name;

        public MemoryStream Content => content;

        /// <summary>Of the list, and of those who have it open.</summary>
        public int Holds { get; set; } = 1;
    }

    private sealed class Pieces(KeptSnapshots all, Kept kept) : IPieces
    {
        private readonly MemoryPieces _bytes = new(kept.Content.GetBuffer().AsMemory(0, (int)kept.Content.Length));

        public int ReadAt(long offset, Span<byte> bytes) => _bytes.ReadAt(offset, bytes);

        public void Dispose() => all.LetGo(kept);
    }
}
