using System.Text.Json.Nodes;

namespace MassDpo.Policy.Tests.Tokenizers;

/// <summary>BPE as the papers have it, slow and readable: tokens are texts, every step looks at everything anew.</summary>
internal static class ReferenceBpe
{
    /// <summary>The merges of a trainer: counts all pairs of all words in each step.</summary>
    /// <param name="words">pieces, as often as they occur</param>
    /// <param name="alphabet">the tokens that there are at first, in the order of their ids</param>
    /// <param name="vocabulary">tokens in all</param>
    public static List<(string Left, string Right)> Train(IEnumerable<string> words, IEnumerable<string> alphabet, int vocabulary)
    {
        var split = words.Select(word => ByteLevel(word).Select(c => c.ToString()).ToList()).ToList();
        var ids = alphabet.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id, StringComparer.Ordinal);
        var merges = new List<(string Left, string Right)>();
        while (ids.Count < vocabulary)
        {
            var best = split.SelectMany(word => word.Zip(word.Skip(1))).GroupBy(pair => pair)
                .OrderByDescending(group => group.Count()).ThenBy(group => ids[group.Key.First]).ThenBy(group => ids[group.Key.Second])
                .FirstOrDefault()?.Key;
            if (best is not { } pair)
                break;
            if (!merges.Contains(pair))
                merges.Add(pair);
            ids.TryAdd(pair.First + pair.Second, ids.Count);
            foreach (var word in split)
                Merge(word, pair);
        }
        return merges;
    }

    /// <summary>The tokens of a piece: the merges in the order of their rank, each wherever it can be made, until none can.</summary>
    public static List<string> Encode(string piece, IReadOnlyList<(string Left, string Right)> merges)
    {
        var word = ByteLevel(piece).Select(c => c.ToString()).ToList();
        while (true)
        {
            var first = merges.FirstOrDefault(merge => word.Zip(word.Skip(1)).Contains(merge));
            if (first == default)
                return word;
            // One at a time, the leftmost: what it makes may go before another of its kind.
            var at = Enumerable.Range(0, word.Count - 1).First(i => (word[i], word[i + 1]) == first);
            word[at] += word[at + 1];
            word.RemoveAt(at + 1);
        }
    }

    /// <summary>The merges that a tokenizer has.</summary>
    public static List<(string Left, string Right)> MergesOf(JsonObject tokenizer) =>
        [.. tokenizer["model"]!["merges"]!.AsArray().Select(merge => ((string)merge![0]!, (string)merge[1]!))];

    /// <summary>GPT-2's characters for the bytes of a text.</summary>
    public static string ByteLevel(string text)
    {
        var next = 256;
        var table = Enumerable.Range(0, 256).Select(b => b is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 ? (char)b : (char)next++).ToArray();
        return string.Concat(System.Text.Encoding.UTF8.GetBytes(text).Select(b => table[b]));
    }

    private static void Merge(List<string> word, (string First, string Second) pair)
    {
        for (var i = 0; i + 1 < word.Count; i++)
        {
            if ((word[i], word[i + 1]) != pair)
                continue;
            word[i] += word[i + 1];
            word.RemoveAt(i + 1);
        }
    }
}
