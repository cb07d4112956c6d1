using System.Threading.Channels;

namespace MassDpo.LinkKit;

/// <summary>Collects what a link delivers, and waits for it.</summary>
public sealed class Inbox<T>
{
    private readonly Channel<T> _items = Channel.CreateUnbounded<T>();

    public int Count => _items.Reader.Count;

    public void Add(T item) => _items.Writer.TryWrite(item);

    public async Task<IReadOnlyList<T>> Take(int count)
    {
        var taken = new List<T>();
        while (taken.Count < count)
            taken.Add(await _items.Reader.ReadAsync());
        return taken;
    }
}
