using MassDpo.Cluster.Transfer;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>
/// What a node serves of its output directory: the files of listings that it made, and these listings, by names that it gave them itself. A name that another node says is looked up
/// among them, never joined to a folder. Thread-safe.
/// </summary>
internal sealed class ServedFiles(string root, IFiles files)
{
    // Others may still be at what an older listing names.
    private const int Listings = 4;

    private readonly Lock _lock = new();
    private readonly List<Dictionary<string, Func<IPieces>>> _served = [];
    private int _number;

    /// <summary>Serves what a listing names; returns the name and the length of the listing itself.</summary>
    public (string Thing, long Length) Serve(CheckpointListing listing)
    {
        var bytes = listing.Encode();
        lock (_lock)
        {
            var thing = $"listing {++_number}";
            var served = new Dictionary<string, Func<IPieces>>(StringComparer.Ordinal) { [thing] = () => new MemoryPieces(bytes) };
            foreach (var checkpoint in listing.Checkpoints)
                foreach (var file in checkpoint.Files)
                    served[ThingOf(checkpoint.Name, file)] = Opening(Path.Combine(RunDirectory.CheckpointsIn(root), checkpoint.Name.ToString(), file.Name));
            foreach (var file in listing.Logs.Concat(listing.Others))
                served[ThingOf(file)] = Opening(Path.Combine(root, file.Name));
            _served.Add(served);
            if (_served.Count > Listings)
                _served.RemoveAt(0);
            return (thing, bytes.Length);
        }
    }

    /// <summary>What is pulled by this name; null: nothing.</summary>
    /// <exception cref="IOException">it is gone</exception>
    public IPieces? Open(string thing)
    {
        Func<IPieces>? open;
        lock (_lock)
            open = Enumerable.Reverse(_served).Select(served => served.GetValueOrDefault(thing)).FirstOrDefault(found => found is not null);
        return open?.Invoke();
    }

    /// <summary>The name that a file of a checkpoint is pulled by.</summary>
    public static string ThingOf(CheckpointName checkpoint, ListedFile file) => $"{checkpoint}/{file.Name}";

    /// <summary>The same of a file beside the checkpoints.</summary>
    public static string ThingOf(ListedFile file) => file.Name;

    private Func<IPieces> Opening(string path) => () => new FilePieces(files.OpenReadAt(path));
}
