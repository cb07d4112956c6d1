using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Model;

/// <summary>Which places see which, and how attention is split.</summary>
public sealed class AttentionTests
{
    [Theory]
    [InlineData(5, 3, 7, 11, 1)]
    [InlineData(5, 3, 7, 11, 33)]
    [InlineData(5, 3, 7, 11, 100)]
    [InlineData(5, 3, 7, 11, 230)]
    [InlineData(5, 3, 7, 11, 231)]
    [InlineData(5, 3, 7, 11, 700)]
    [InlineData(5, 3, 7, 11, 1155)]
    [InlineData(1, 32, 1, 8192, 1000)]
    public void Parts_hold_every_place_once_in_order_and_no_more_scores_than_the_bound_but_for_one_place(int rows, int heads, int places, int columns, long most)
    {
        var parts = AttentionPart.Of(rows, heads, places, columns, most);
        var expected = from row in Enumerable.Range(0, rows) from place in Enumerable.Range(0, places) select ((long)row, (long)place);
        Assert.Equal(expected, parts.SelectMany(part => from row in Range(part.Row, part.Rows) from place in Range(part.Place, part.Places) select (row, place)));
        Assert.All(parts, part => Assert.True(part.Rows * part.Places * heads * columns <= most || part is { Rows: 1, Places: 1 }));
        Assert.Equal((long)rows * places * heads * columns <= most, parts.Count == 1 && rows * places > 1);
        // A row is split alone as it is among others.
        var alone = AttentionPart.Of(1, heads, places, columns, most).Select(part => (part.Place, part.Places)).ToList();
        Assert.All(Range(0, rows), row => Assert.Equal(alone, parts.Where(part => part.Row <= row && row < part.Row + part.Rows).Select(part => (part.Place, part.Places))));
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(1, 3)]
    [InlineData(6, null)]
    [InlineData(6, 3)]
    public void A_place_sees_its_prompt_and_its_own_response_up_to_itself_and_as_far_back_as_its_window(int longestResponse, int? window)
    {
        var config = MadePolicy.Config() with { Family = PolicyFamily.Mistral, Window = window };
        using var model = new LlamaModel(config);
        using var inParts = new LlamaModel(config, mostScores: 1);
        var random = new StableRandom(3);
        List<EncodedPool> pools = [.. Enumerable.Range(0, 4).Select(_ => MadePolicy.Pool(ref random, config.VocabularySize, candidates: 3, longestPrompt: 8, longestResponse))];
        using var scope = NewDisposeScope();
        using var batch = PackedBatch.Of(pools);
        foreach (var frame in new[] { model.Frame(batch, ScalarType.Float32), inParts.Frame(batch, ScalarType.Float32) })
        {
            foreach (var part in AttentionPart.Of(batch.Rows, 1, batch.Length, batch.Length, 2 * batch.Length).Append(new AttentionPart(0, batch.Rows, 0, batch.Length)))
            {
                var bias = frame.InWindow.Bias(part);
                var found = bias.expand(part.Rows, 1, part.Places, batch.Length).contiguous().data<float>().ToArray();
                var at = 0;
                for (var n = part.Row; n < part.Row + part.Rows; n++)
                    for (var q = (int)part.Place; q < part.Place + part.Places; q++)
                        for (var k = 0; k < batch.Length; k++, at++)
                            // What fills a row up sees something, and nobody asks what.
                            if (q < Laid(pools[(int)n]).Count)
                                Assert.Equal(Sees(Laid(pools[(int)n]), q, k, window) ? 0 : float.NegativeInfinity, found[at]);
            }
        }
        // Kept where it is one part, and made for each where it is not.
        Assert.Equal(model.Frame(batch, ScalarType.Float32).InWindow.Tensors.Count(), inParts.Frame(batch, ScalarType.Float32).InWindow.Tensors.Count() + 1);
    }

    // Each place's response, 0 in the prompt, and its position.
    private static List<(int Segment, int Position)> Laid(EncodedPool pool) =>
    [
        .. Enumerable.Range(0, pool.Prompt.Length).Select(i => (0, i)),
        .. pool.Responses.SelectMany((response, c) => Enumerable.Range(0, response.Length - 1).Select(i => (c + 1, pool.Prompt.Length + i))),
    ];

    private static bool Sees(List<(int Segment, int Position)> places, int q, int k, int? window) =>
        k <= q && (places[k].Segment == 0 || places[k].Segment == places[q].Segment) && (window is null || places[q].Position - places[k].Position < window);

    private static IEnumerable<long> Range(long first, long count) => Enumerable.Range((int)first, (int)count).Select(i => (long)i);
}
