using System.Runtime.InteropServices;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// Words as symbols, and how often they have each pair of neighbours. A merge looks only at words that have the pair, and a heap knows the most
/// frequent one.
/// </summary>
internal sealed class PairCounts
{
    private readonly List<(List<int> Symbols, long Count)> _words = [];
    private readonly Dictionary<(int Left, int Right), long> _counts = [];

    // Words in which a pair came about; some of them may have lost it.
    private readonly Dictionary<(int Left, int Right), List<int>> _places = [];

    // Counts as they were when a pair was put there: none is below what it is now, or the pair is there a second time.
    private readonly PriorityQueue<(int Left, int Right), (long Negative, int Left, int Right)> _waiting = new();
    private readonly HashSet<(int Left, int Right)> _grown = [];

    /// <summary>Adds a word that occurs so often; all words come before the first merge.</summary>
    public void Add(List<int> symbols, long count)
    {
        _words.Add((symbols, count));
        for (var i = 0; i + 1 < symbols.Count; i++)
            Change((symbols[i], symbols[i + 1]), count, _words.Count - 1);
    }

    /// <summary>The most frequent pair, of several the smallest; null where no word has two symbols.</summary>
    public (int Left, int Right)? TakeMostFrequent()
    {
        foreach (var grown in _grown)
            Wait(grown);
        _grown.Clear();
        while (_waiting.TryDequeue(out var pair, out var priority))
        {
            if (_counts.GetValueOrDefault(pair) == -priority.Negative)
                return pair;
            Wait(pair);
        }
        return null;
    }

    /// <summary>Puts a pair together, from left to right, wherever it stands.</summary>
    public void Merge((int Left, int Right) pair, int id)
    {
        if (!_places.Remove(pair, out var places))
            return;
        foreach (var place in places)
        {
            var (symbols, count) = _words[place];
            var kept = 0;
            for (var i = 0; i < symbols.Count; i++)
            {
                if (i + 1 == symbols.Count || symbols[i] != pair.Left || symbols[i + 1] != pair.Right)
                {
                    symbols[kept++] = symbols[i];
                    continue;
                }
                if (kept > 0)
                {
                    Change((symbols[kept - 1], pair.Left), -count, place);
                    Change((symbols[kept - 1], id), count, place);
                }
                if (i + 2 < symbols.Count)
                {
                    Change((pair.Right, symbols[i + 2]), -count, place);
                    Change((id, symbols[i + 2]), count, place);
                }
                symbols[kept++] = id;
                i++;
            }
            symbols.RemoveRange(kept, symbols.Count - kept);
        }
        // Its neighbours alone were counted down; of itself nothing is left.
        _counts.Remove(pair);
    }

    private void Change((int Left, int Right) pair, long by, int place)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _) += by;
        if (by < 0)
            return;
        ref var places = ref CollectionsMarshal.GetValueRefOrAddDefault(_places, pair, out _);
        places ??= [];
        if (places.Count == 0 || places[^1] != place)
            places.Add(place);
        _grown.Add(pair);
    }

    private void Wait((int Left, int Right) pair)
    {
        if (_counts.GetValueOrDefault(pair) is var count and > 0)
            _waiting.Enqueue(pair, (-count, pair.Left, pair.Right));
    }
}
