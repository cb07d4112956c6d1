using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// The model of a tokenizer of type BPE: a word begins as its bytes (ByteLevel) or its characters (byte fallback), and of the pairs of neighbours
/// that a merge is for, that of the lowest rank is put together, the leftmost first, until none is left.
/// </summary>
internal sealed class BpeModel
{
    // Words of texts come again and again. What is full stays as it is: no result depends on what is in it.
    private const int CachedWords = 1 << 16;
    private const int LongestCachedWord = 48;

    // A word below this is merged by looking at all its pairs each time, a longer one with a heap: both merge the same pairs in the same order.
    private const int LongWord = 96;

    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idOf;
    private readonly Dictionary<long, long> _merges;
    private readonly int[] _byteIds = new int[256];
    private readonly bool _isByteLevel;
    private readonly bool _ignoresMerges;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;
    private int _cachedWords;

    // Pairs of neighbouring characters that some merge puts together; null where words are not split between the others.
    private HashSet<long>? _joined;

    private BpeModel(Dictionary<string, int> ids, Dictionary<long, long> merges, bool isByteLevel, bool ignoresMerges)
    {
        (_ids, _merges, _isByteLevel, _ignoresMerges) = (ids, merges, isByteLevel, ignoresMerges);
        _idOf = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Of the vocabulary, added tokens apart.</summary>
    public IReadOnlyDictionary<string, int> Ids => _ids;

    /// <summary>The pairs of ids that are merged, by rank.</summary>
    public IEnumerable<(int Left, int Right)> Merges =>
        _merges.OrderBy(merge => merge.Value >> 32).Select(merge => ((int)(merge.Key >> 32), (int)(uint)merge.Key));

    /// <exception cref="PolicyFormatException">a field that is not supported, a merge of no tokens, or a printable character of ASCII without one</exception>
    public static BpeModel Read(JsonElement json, bool isByteLevel, string file)
    {
        foreach (var name in new[] { "dropout", "continuing_subword_prefix", "end_of_word_suffix" })
            if (json.TryGetProperty(name, out var value) && !IsOff(value))
                throw new PolicyFormatException($"{file}: model: {name} = {Encoding.Excerpt.Of(value.GetRawText())} is not supported");
        if (!isByteLevel && !Flag(json, "byte_fallback"))
            throw new PolicyFormatException($"{file}: model: BPE with neither a pre_tokenizer ByteLevel nor byte_fallback is not supported");
        var ids = TokenizerFile.ReadVocabulary(json, file);
        var merges = new Dictionary<long, long>();
        var rank = 0;
        foreach (var merge in json.GetProperty("merges").EnumerateArray())
        {
            var (left, right) = ReadMerge(merge, rank, file);
            // Of a pair that is named twice the last rank holds.
            merges[Pair(Id(left), Id(right))] = (long)rank << 32 | (uint)Id(left + right);
            rank++;
        }
        var model = new BpeModel(ids, merges, isByteLevel, Flag(json, "ignore_merges"));
        for (var value = 0; value < 256; value++)
        {
            var token = isByteLevel ? ByteAlphabet.Of((byte)value).ToString() : string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");
            model._byteIds[value] = ids.TryGetValue(token, out var id) ? id
                // A vocabulary without what nearly every text has is not of bytes, whatever the file says.
                : isByteLevel && value is >= ' ' and <= '~' ? throw new PolicyFormatException(
                    $"{file}: model: the vocabulary has no token '{token}' for byte 0x{value:X2}: text would be lost")
                : Lacking;
        }
        if (!isByteLevel && !model._ignoresMerges)
            model._joined = model.Joined();
        return model;

        int Id(string token) => ids.TryGetValue(token, out var id) ? id
            : throw new PolicyFormatException($"{file}: model: merge {rank} needs '{Encoding.Excerpt.Of(token)}', which is not in the vocabulary");
    }

    /// <summary>Adds the ids of a word. Thread-safe.</summary>
    /// <exception cref="PolicyFormatException">a byte of it has no token</exception>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_joined is null)
        {
            EncodePiece(word, ids);
            return;
        }
        // What a byte-fallback model gets is a whole text. No merge reaches over a pair of characters that none puts together, so its pieces can be
        // merged each by itself; they are words mostly, and come again.
        for (var start = 0; start < word.Length;)
        {
            var at = start;
            var left = NextRune(word, ref at);
            while (at < word.Length)
            {
                var after = at;
                var right = NextRune(word, ref after);
                if (!_joined.Contains(Pair(left, right)))
                    break;
                (left, at) = (right, after);
            }
            EncodePiece(word[start..at], ids);
            start = at;
        }
    }

    // Half a surrogate pair is U+FFFD.
    private static int NextRune(ReadOnlySpan<char> text, ref int at)
    {
        Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
        at += length;
        return rune.Value;
    }

    // Null where a merge has a part that is a byte of a character: that is no text of its own.
    private HashSet<long>? Joined()
    {
        var texts = _ids.ToDictionary(token => token.Value, token => token.Key);
        var bytes = _byteIds.ToHashSet();
        var joined = new HashSet<long>();
        foreach (var pair in _merges.Keys)
        {
            var (left, right) = ((int)(pair >> 32), (int)(uint)pair);
            if (bytes.Contains(left) || bytes.Contains(right))
                return null;
            var (before, after) = (texts[left], texts[right]);
            Rune.DecodeLastFromUtf16(before, out var last, out _);
            Rune.DecodeFromUtf16(after, out var first, out _);
            joined.Add(Pair(last.Value, first.Value));
        }
        return joined;
    }

    private void EncodePiece(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestCachedWord)
        {
            ids.AddRange(IdsOf(word));
            return;
        }
        if (!_cached.TryGetValue(word, out var known))
        {
            known = IdsOf(word);
            if (Volatile.Read(ref _cachedWords) < CachedWords && _cached.TryAdd(word, known))
                Interlocked.Increment(ref _cachedWords);
        }
        ids.AddRange(known);
    }

    private int[] IdsOf(ReadOnlySpan<char> word)
    {
        var bytes = new byte[System.Text.Encoding.UTF8.GetMaxByteCount(word.Length)];
        var length = System.Text.Encoding.UTF8.GetBytes(word, bytes);
        if (_ignoresMerges && WholeWord(word, bytes.AsSpan(0, length)) is { } whole)
            return [whole];
        var symbols = new List<int>(length);
        if (_isByteLevel)
        {
            foreach (var value in bytes.AsSpan(0, length))
                symbols.Add(IdOf(value));
        }
        else
        {
            AddCharacters(word, symbols);
        }
        var all = CollectionsMarshal.AsSpan(symbols);
        return all.Length < LongWord ? MergeShort(all) : MergeLong(all);
    }

    private int? WholeWord(ReadOnlySpan<char> word, ReadOnlySpan<byte> bytes)
    {
        if (!_isByteLevel)
            return _idOf.TryGetValue(word, out var known) ? known : null;
        var written = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            written[i] = ByteAlphabet.Of(bytes[i]);
        return _idOf.TryGetValue(written, out var id) ? id : null;
    }

    // A character that the vocabulary lacks is its bytes.
    private void AddCharacters(ReadOnlySpan<char> word, List<int> symbols)
    {
        Span<char> units = stackalloc char[2];
        Span<byte> bytes = stackalloc byte[4];
        foreach (var rune in word.EnumerateRunes())
        {
            if (_idOf.TryGetValue(units[..rune.EncodeToUtf16(units)], out var id))
            {
                symbols.Add(id);
                continue;
            }
            foreach (var value in bytes[..rune.EncodeToUtf8(bytes)])
                symbols.Add(IdOf(value));
        }
    }

    // Not every vocabulary has a token for each byte: some were learnt from texts without. Nothing of a text is ever left out silently.
    private const int Lacking = -1;

    private int IdOf(byte value) => _byteIds[value] is var id and not Lacking ? id : throw new PolicyFormatException(
        string.Create(CultureInfo.InvariantCulture, $"the tokenizer's vocabulary has no token for byte 0x{value:X2} of the text, which would be lost: leave the character out, or take another tokenizer"));

    private const long None = long.MaxValue;

    // Rank and id of a pair's merge: the lower the earlier.
    private long MergeOf(int left, int right) => _merges.TryGetValue(Pair(left, right), out var merge) ? merge : None;

    private int[] MergeShort(Span<int> symbols)
    {
        Span<long> merges = stackalloc long[LongWord];
        for (var i = 0; i + 1 < symbols.Length; i++)
            merges[i] = MergeOf(symbols[i], symbols[i + 1]);
        while (symbols.Length > 1)
        {
            var (at, lowest) = (0, None);
            for (var i = 0; i + 1 < symbols.Length; i++)
                if (merges[i] < lowest)
                    (at, lowest) = (i, merges[i]);
            if (lowest == None)
                break;
            symbols[at] = (int)(uint)lowest;
            symbols[(at + 2)..].CopyTo(symbols[(at + 1)..]);
            symbols = symbols[..^1];
            if (at + 1 < symbols.Length)
            {
                merges[(at + 2)..symbols.Length].CopyTo(merges[(at + 1)..]);
                merges[at] = MergeOf(symbols[at], symbols[at + 1]);
            }
            if (at > 0)
                merges[at - 1] = MergeOf(symbols[at - 1], symbols[at]);
        }
        return symbols.ToArray();
    }

    private int[] MergeLong(Span<int> symbols)
    {
        const int gone = -1;
        var next = new int[symbols.Length];
        var previous = new int[symbols.Length];
        var waiting = new PriorityQueue<(int At, int Left, int Right), (long Rank, int At)>();
        for (var i = 0; i < symbols.Length; i++)
            (previous[i], next[i]) = (i - 1, i + 1);
        for (var i = 0; i + 1 < symbols.Length; i++)
            Wait(symbols, i, i + 1);
        var count = symbols.Length;
        while (waiting.TryDequeue(out var pair, out var priority))
        {
            var right = next[pair.At];
            // What was merged meanwhile waits in vain.
            if (symbols[pair.At] != pair.Left || right >= symbols.Length || symbols[right] != pair.Right)
                continue;
            symbols[pair.At] = (int)(uint)priority.Rank;
            symbols[right] = gone;
            next[pair.At] = next[right];
            if (next[right] < symbols.Length)
            {
                previous[next[right]] = pair.At;
                Wait(symbols, pair.At, next[right]);
            }
            if (previous[pair.At] >= 0)
                Wait(symbols, previous[pair.At], pair.At);
            count--;
        }
        var ids = new int[count];
        for (var (i, at) = (0, 0); i < count; i++, at = next[at])
            ids[i] = symbols[at];
        return ids;

        void Wait(Span<int> symbols, int left, int right)
        {
            if (MergeOf(symbols[left], symbols[right]) is var merge && merge != None)
                waiting.Enqueue((left, symbols[left], symbols[right]), (merge, left));
        }
    }

    private static long Pair(int left, int right) => (long)left << 32 | (uint)right;

    private static (string Left, string Right) ReadMerge(JsonElement merge, int rank, string file)
    {
        // Empty where it is no text: then it is no pair.
        string[] parts = merge.ValueKind == JsonValueKind.Array
            ? [.. merge.EnumerateArray().Select(part => part.GetString() ?? "")]
            : merge.GetString()?.Split(' ') ?? [];
        return parts.Length == 2 && parts[0].Length > 0 && parts[1].Length > 0
            ? (parts[0], parts[1])
            : throw new PolicyFormatException($"{file}: model: merge {rank} is {Encoding.Excerpt.Of(merge.GetRawText())}, no pair of tokens");
    }

    private static bool Flag(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.GetBoolean();

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.Number => value.GetDouble() == 0,
        JsonValueKind.String => value.GetString()!.Length == 0,
        _ => false,
    };
}
