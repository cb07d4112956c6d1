namespace MassDpo.Cluster.Links;

/// <summary>What was sent to the other side and is not answered, by number: from 1 on, in the order of sending. Answers come in any order.</summary>
internal sealed class Unanswered<T> where T : class
{
    private readonly Dictionary<long, T> _items = [];

    /// <summary>The first number that is not answered: those before it will not come again.</summary>
    public long Oldest { get; private set; } = 1;

    /// <summary>The last number that was given; 0: none.</summary>
    public long Last { get; private set; }

    /// <summary>Gives it the next number.</summary>
    public long Add(T item)
    {
        _items[++Last] = item;
        return Last;
    }

    /// <summary>It is answered; null: there is none of this number (any more).</summary>
    public T? Remove(long number)
    {
        if (!_items.Remove(number, out var item))
            return null;
        while (Oldest <= Last && !_items.ContainsKey(Oldest))
            Oldest++;
        return item;
    }

    /// <summary>Takes all out, in order; numbers go on where they were.</summary>
    public List<T> RemoveAll()
    {
        var all = Between(Oldest, Last).Select(one => one.Item).ToList();
        _items.Clear();
        Oldest = Last + 1;
        return all;
    }

    /// <summary>What of these numbers is not answered, in order.</summary>
    public IEnumerable<(long Number, T Item)> Between(long first, long last)
    {
        for (var number = Math.Max(first, Oldest); number <= Math.Min(last, Last); number++)
            if (_items.TryGetValue(number, out var item))
                yield return (number, item);
    }
}
