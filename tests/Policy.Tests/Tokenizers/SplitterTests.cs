using System.Text.RegularExpressions;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Numerics;

namespace MassDpo.Policy.Tests.Tokenizers;

public sealed class SplitterTests
{
    // In the basic plane the runtime's own regular expressions say the same, but that to them ſ is no case of s.
    public static TheoryData<string> Patterns => [Gpt2Splitter.Pattern, Llama3Splitter.PatternOfThree, Llama3Splitter.PatternOfOne];

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Pieces_are_those_of_the_pattern(string pattern)
    {
        var (splitter, regex) = (Of(pattern), new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled));
        for (var seed = 0; seed < 20_000; seed++)
        {
            var random = new StableRandom(seed, 0x5911);
            var text = MadeText.Of(ref random, 12, allPlanes: false).Replace("ſ", "s", StringComparison.Ordinal);
            var expected = regex.Matches(text).Select(match => match.Value).ToList();
            Assert.Equal(text, string.Concat(expected));
            Assert.Equal(expected, Pieces(splitter, text));
        }
    }

    [Theory]
    [MemberData(nameof(Patterns))]
    public void No_piece_is_empty_and_none_cuts_a_character(string pattern)
    {
        for (var seed = 0; seed < 5_000; seed++)
        {
            var random = new StableRandom(seed, 0x5912);
            var text = MadeText.Of(ref random, 20);
            var pieces = Pieces(Of(pattern), text);
            Assert.Equal(text, string.Concat(pieces));
            Assert.All(pieces, piece => Assert.True(piece.Length > 0 && !char.IsLowSurrogate(piece[0])));
        }
    }

    [Fact]
    public void Characters_beyond_the_basic_plane_are_what_they_are()
    {
        Assert.Equal(["a𝒜𠀀", "𝟗1", "😀!", " 𝒜b"], Pieces(Gpt2Splitter.Instance, "a𝒜𠀀𝟗1😀! 𝒜b"));
        Assert.Equal(["a𝒜𠀀", "𝟗12", "3", "😀b", "😀!\n"], Pieces(new Llama3Splitter(3), "a𝒜𠀀𝟗123😀b😀!\n"));
        Assert.Equal(["𝟗", "1"], Pieces(new Llama3Splitter(1), "𝟗1"));
    }

    [Fact]
    public void Contractions_are_those_of_small_letters_or_of_any()
    {
        Assert.Equal(["it", "'s", "IT", "'", "S", "'ll", "'", "l"], Pieces(Gpt2Splitter.Instance, "it'sIT'S'll'l"));
        Assert.Equal(["it", "'s", "IT", "'S", "'lL", "'l", "'ſ", "x"], Pieces(new Llama3Splitter(3), "it'sIT'S'lL'l'ſx"));
    }

    [Fact]
    public void Digits_stand_apart_each_or_together()
    {
        Assert.Equal(["a", "1", "𝟗", "½", " b"], Pieces(new DigitSplitter(individual: true), "a1𝟗½ b"));
        Assert.Equal(["a", "1𝟗½", " b"], Pieces(new DigitSplitter(individual: false), "a1𝟗½ b"));
    }

    private static Splitter Of(string pattern) =>
        pattern == Gpt2Splitter.Pattern ? Gpt2Splitter.Instance : new Llama3Splitter(pattern == Llama3Splitter.PatternOfThree ? 3 : 1);

    private static List<string> Pieces(Splitter splitter, string text)
    {
        var pieces = new List<string>();
        while (text.Length > 0)
        {
            var end = splitter.First(text);
            pieces.Add(text[..end]);
            text = text[end..];
        }
        return pieces;
    }
}
