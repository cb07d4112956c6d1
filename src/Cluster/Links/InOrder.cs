namespace MassDpo.Cluster.Links;

/// <summary>
/// What comes from the other side, each once and in the order of its numbers, also where one was lost on the way and came again, with the answers that it was given: for what
/// comes again after it was answered.
/// </summary>
internal sealed class InOrder<TItem, TAnswer> where TItem : class where TAnswer : class
{
    private readonly Dictionary<long, TItem> _early = [];
    // Of what has begun; null: not answered yet.
    private readonly Dictionary<long, TAnswer?> _begun = [];
    private long _settled = 1;

    /// <summary>The first number that has not begun.</summary>
    public long Next { get; private set; } = 1;

    /// <summary>The other side has the answers of all before this number, and will not send them again.</summary>
    public void Settle(long oldest)
    {
        if (oldest > Next)
        {
            // Somebody before this one answered them.
            Next = oldest;
            foreach (var number in _early.Keys.Where(number => number < oldest).ToList())
                _early.Remove(number);
            _begun.Clear();
            _settled = oldest;
        }
        for (; _settled < oldest; _settled++)
            _begun.Remove(_settled);
    }

    /// <summary>One comes, perhaps again. It waits for its turn; where it had that before, the answer is what it was given, or null.</summary>
    /// <param name="number">from 1 on</param>
    /// <param name="item">null: the other side asks for the answer of what it sent</param>
    public TAnswer? Come(long number, TItem? item)
    {
        if (number < Next)
            return _begun.GetValueOrDefault(number);
        if (item is not null)
            _early[number] = item;
        return null;
    }

    /// <summary>The next one, if it is there; it begins.</summary>
    public TItem? Begin()
    {
        if (!_early.Remove(Next, out var item))
            return null;
        _begun[Next++] = null;
        return item;
    }

    /// <summary>It is answered, where the other side may ask for that again.</summary>
    public void Answer(long number, TAnswer answer)
    {
        if (number >= _settled)
            _begun[number] = answer;
    }
}
