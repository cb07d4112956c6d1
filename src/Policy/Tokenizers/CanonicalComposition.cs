using System.Globalization;
using System.Text;

namespace MassDpo.Policy.Tokenizers;

/// <summary>
/// Unicode's normalisation form C (UAX 15), from <c>NormalizationData.txt</c>: the runtime has none where globalization is invariant, as it is here.
/// </summary>
internal static class CanonicalComposition
{
    // Hangul syllables are arithmetic: leading consonant, vowel, trailing consonant or none.
    private const int FirstSyllable = 0xAC00, FirstLeading = 0x1100, FirstVowel = 0x1161, BeforeTrailing = 0x11A7;
    private const int Leadings = 19, Vowels = 21, Trailings = 28, Syllables = Leadings * Vowels * Trailings;

    private static readonly Tables Data = Tables.Load();

    /// <summary>Thread-safe; half a surrogate pair becomes U+FFFD.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u02FF') || IsComposed(text))
            return text;
        var characters = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, characters);
        Order(characters);
        Compose(characters);
        var composed = new StringBuilder(text.Length);
        foreach (var character in characters)
            composed.Append(char.ConvertFromUtf32(character));
        return composed.ToString();
    }

    // Quick check: false where only composing can tell.
    private static bool IsComposed(string text)
    {
        var before = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var combining = Data.ClassOf(rune.Value);
            if ((combining != 0 && combining < before) || Data.Doubtful.Contains(rune.Value))
                return false;
            before = combining;
        }
        return true;
    }

    private static void Decompose(int character, List<int> characters)
    {
        var syllable = character - FirstSyllable;
        if (syllable is >= 0 and < Syllables)
        {
            characters.Add(FirstLeading + syllable / (Vowels * Trailings));
            characters.Add(FirstVowel + syllable % (Vowels * Trailings) / Trailings);
            if (syllable % Trailings != 0)
                characters.Add(BeforeTrailing + syllable % Trailings);
        }
        else if (Data.Decompositions.TryGetValue(character, out var parts))
        {
            characters.AddRange(parts);
        }
        else
        {
            characters.Add(character);
        }
    }

    // Combining characters between two starters by their class; those of one class stay in order.
    private static void Order(List<int> characters)
    {
        for (var start = 0; start < characters.Count;)
        {
            var end = start;
            while (end < characters.Count && Data.ClassOf(characters[end]) != 0)
                end++;
            if (end - start > 1)
            {
                var ordered = characters[start..end].OrderBy(Data.ClassOf).ToList();
                for (var i = 0; i < ordered.Count; i++)
                    characters[start + i] = ordered[i];
            }
            start = end + 1;
        }
    }

    private static void Compose(List<int> characters)
    {
        var (starter, kept, before) = (-1, 0, 0);
        for (var i = 0; i < characters.Count; i++)
        {
            var character = characters[i];
            var combining = Data.ClassOf(character);
            // A character is blocked from the last starter by one between them of its class or a higher one, or by another starter.
            var isBlocked = starter < kept - 1 && before >= combining;
            if (starter >= 0 && !isBlocked && Pair(characters[starter], character) is { } whole)
            {
                characters[starter] = whole;
                continue;
            }
            if (combining == 0)
                starter = kept;
            before = combining;
            characters[kept++] = character;
        }
        characters.RemoveRange(kept, characters.Count - kept);
    }

    private static int? Pair(int first, int second)
    {
        var (leading, vowel, trailing) = (first - FirstLeading, second - FirstVowel, second - BeforeTrailing);
        if (leading is >= 0 and < Leadings && vowel is >= 0 and < Vowels)
            return FirstSyllable + (leading * Vowels + vowel) * Trailings;
        var syllable = first - FirstSyllable;
        if (syllable is >= 0 and < Syllables && syllable % Trailings == 0 && trailing is > 0 and < Trailings)
            return first + trailing;
        return Data.Compositions.TryGetValue((first, second), out var whole) ? whole : null;
    }

    /// <summary>The data, read once.</summary>
    private sealed class Tables
    {
        private readonly Dictionary<int, byte> _classes = [];

        public Dictionary<int, int[]> Decompositions { get; } = [];

        public Dictionary<(int First, int Second), int> Compositions { get; } = [];

        /// <summary>Characters that never stand in a composed text, or that may compose with one before them.</summary>
        public HashSet<int> Doubtful { get; } = [];

        public int ClassOf(int character) => character >= 0x300 && _classes.TryGetValue(character, out var combining) ? combining : 0;

        public static Tables Load()
        {
            var tables = new Tables();
            using var stream = typeof(CanonicalComposition).Assembly.GetManifestResourceStream("NormalizationData.txt")!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
                tables.Take(line.Split(' '));
            foreach (var (character, parts) in tables.Decompositions)
            {
                var composed = parts.ToList();
                if (composed.Count == 1 || !tables.Recomposes(character, composed))
                    tables.Doubtful.Add(character);
            }
            tables.Doubtful.UnionWith(tables.Compositions.Keys.Select(pair => pair.Second));
            tables.Doubtful.UnionWith(Enumerable.Range(FirstVowel, Vowels));
            tables.Doubtful.UnionWith(Enumerable.Range(BeforeTrailing + 1, Trailings - 1));
            return tables;
        }

        private void Take(string[] fields)
        {
            switch (fields[0])
            {
                case "c":
                    for (var character = Hex(fields[1]); character <= Hex(fields[2]); character++)
                        _classes[character] = byte.Parse(fields[3], CultureInfo.InvariantCulture);
                    break;
                case "d":
                    Decompositions[Hex(fields[1])] = [.. fields[2..].Select(Hex)];
                    break;
                case "p":
                    Compositions[(Hex(fields[2]), Hex(fields[3]))] = Hex(fields[1]);
                    break;
            }
        }

        // Whether composing a full decomposition from left to right gives the character again: it is the form that stays.
        private bool Recomposes(int character, List<int> parts)
        {
            var whole = parts[0];
            foreach (var part in parts.Skip(1))
                if (!Compositions.TryGetValue((whole, part), out whole))
                    return false;
            return whole == character;
        }

        private static int Hex(string digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }
}
