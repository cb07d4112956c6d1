using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Numerics;

namespace MassDpo.Policy.Tests.Tokenizers;

public sealed class CanonicalCompositionTests
{
    // Of UAX 15 and of NormalizationTest.txt of the Unicode Character Database.
    [Theory]
    [InlineData("", "")]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "é")]
    [InlineData("é", "é")]
    [InlineData("\u212B", "Å")]
    [InlineData("A\u030A", "Å")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("s\u0307\u0323", "\u1E69")]
    [InlineData("d\u0323\u0307", "\u1E0D\u0307")]
    [InlineData("\u0344", "\u0308\u0301")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\u1100\u1161", "가")]
    [InlineData("\u1100\u1161\u11A8", "각")]
    [InlineData("가\u11A8", "각")]
    [InlineData("각\u11A8", "각\u11A8")]
    [InlineData("\u1100\u0300\u1161", "\u1100\u0300\u1161")]
    [InlineData("\uF900", "\u8C48")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")]
    [InlineData("\U00011099\U000110BA", "\U0001109A")]
    [InlineData("a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b")]
    [InlineData("a\u0300\u0315\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b")]
    [InlineData("\u0301e\u0301", "\u0301é")]
    public void A_text_becomes_its_composed_form(string text, string composed) => Assert.Equal(composed, CanonicalComposition.Of(text));

    [Fact]
    public void A_composed_text_stays_as_it_is_and_lines_are_composed_each_by_itself()
    {
        for (var seed = 0; seed < 5_000; seed++)
        {
            var random = new StableRandom(seed, 0xCC);
            var (a, b) = (MadeText.Of(ref random, 10), MadeText.Of(ref random, 10));
            var composed = CanonicalComposition.Of(a);
            Assert.Equal(composed, CanonicalComposition.Of(composed));
            Assert.Equal(composed + "\n" + CanonicalComposition.Of(b), CanonicalComposition.Of(a + "\n" + b));
        }
    }
}
