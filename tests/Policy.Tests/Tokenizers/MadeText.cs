using System.Text;
using MassDpo.Shared.Numerics;

namespace MassDpo.Policy.Tests.Tokenizers;

/// <summary>Texts made from a seed: what pre-tokenizers tell apart comes up often, and characters of every plane do.</summary>
internal static class MadeText
{
    private static readonly string[] Pieces =
    [
        "a", "b", "e", "t", "s", "the", "'s", "'T", "'re", "'LL", "'", "\"", "1", "42", "2024", "½", "Ⅻ", "٣", " ", " ", "  ", "\t", "\n", "\r\n",
        "\u00a0", "\u2003", "\u0085", ".", ",", "!?", "—", "é", "e\u0301", "Ж", "中", "語", "한", "\u1100\u1161", "क\u093c", "\u200d", "\ufe0f",
        "\u0007", "_", "ǅ", "ʰ", "€",
    ];

    private static readonly string[] BeyondTheBasicPlane =
        ["😀", "👩‍👩‍👧", "𝒜", "𝟗", "𐍈", "𠀀", "\U00016AC0", "\U0001D165", "\U000E0041", "\U0010FFFF"];

    /// <summary>Up to so many pieces.</summary>
    /// <param name="random">advanced</param>
    /// <param name="longest">pieces</param>
    /// <param name="allPlanes">whether there are characters of two UTF-16 units</param>
    public static string Of(ref StableRandom random, int longest, bool allPlanes = true)
    {
        var text = new StringBuilder();
        for (var left = random.Below(longest + 1); left > 0; left--)
        {
            if (allPlanes && random.Below(8) == 0)
                text.Append(BeyondTheBasicPlane[random.Below(BeyondTheBasicPlane.Length)]);
            else if (random.Below(6) == 0)
                text.Append(Any(ref random, allPlanes));
            else
                text.Append(Pieces[random.Below(Pieces.Length)]);
        }
        return text.ToString();
    }

    private static string Any(ref StableRandom random, bool allPlanes)
    {
        var rune = random.Below(allPlanes && random.Below(2) == 0 ? 0x110000 : random.Below(2) == 0 ? 0x10000 : 0x500);
        return Rune.IsValid(rune) ? new Rune(rune).ToString() : "x";
    }
}
