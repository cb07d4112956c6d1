using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Scoring;

public sealed class FeatureScorerTests
{
    private static readonly FeatureForm[] Forms =
        [.. Enum.GetValues<FeatureKind>().Except([FeatureKind.Lora]).SelectMany(kind => new[] { new FeatureForm(kind, false), new FeatureForm(kind, true) }),
            new(FeatureKind.Head, false) { Sketch = 24 }];

    public static TheoryData<bool, int> Shapes => new() { { true, 1 }, { false, 1 }, { true, 4 }, { false, 6 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Log_probs_are_those_without_features(bool tied, int longestResponse)
    {
        using var made = new Made(tied, longestResponse);
        var expected = made.Scorer.Score(made.Weights, made.Pools, outputFeatures: false).Logps;
        foreach (var form in Forms)
            AssertClose(expected, made.Scorer.Score(made.Weights, made.Pools, form).Logps, 1e-5);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Inner_products_of_head_are_those_of_the_gradients_with_respect_to_the_output_matrix(bool tied, int longestResponse)
    {
        using var made = new Made(tied, longestResponse);
        var plain = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Head, false));
        var whole = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Head, true));
        Assert.Null(plain.Features);
        for (var n = 0; n < made.Pools.Count; n++)
        {
            var gradients = made.Pools[n].Responses.Select(response => made.OutputMatrixGradient(made.Pools[n].Prompt, response)).ToArray();
            AssertClose(Gram([.. gradients.Select(UnitLength)]), whole.Grams![n], 1e-4);
            AssertClose(Gram(Differences(gradients)), Differences(plain.Grams![n], gradients.Length), 1e-4);
        }
    }

    [Fact]
    public void Of_distinct_one_token_responses_head_knows_only_which_they_are()
    {
        using var made = new Made(tied: true, longestResponse: 1);
        var pool = new EncodedPool([3, 7], [[1], [2], [3], [2]]);
        var gram = made.Scorer.Score(made.Weights, [pool], new FeatureForm(FeatureKind.Head, false)).Grams![0];
        var h = new ReferenceLlama(made.Weights).Hidden(pool.Prompt)[^1];
        var square = h.Sum(x => x * x);
        double[] expected = [1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1];
        AssertClose(expected.Select(x => x * square).ToArray(), gram, 1e-5);
    }

    [Fact]
    public void Inner_products_are_symmetric_to_the_last_bits_and_positive_semidefinite()
    {
        using var made = new Made(tied: true, longestResponse: 6);
        foreach (var gram in made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Head, false)).Grams!)
        {
            var (size, random) = ((int)Math.Sqrt(gram.Length), new StableRandom(4));
            for (var round = 0; round < 20; round++)
            {
                var x = Enumerable.Range(0, size).Select(_ => random.Normal()).ToArray();
                var (form, scale) = (0.0, 0.0);
                for (var i = 0; i < size; i++)
                    for (var j = 0; j < size; j++)
                    {
                        Assert.Equal(gram[i * size + j], gram[j * size + i], 1e-12 * (1 + Math.Abs(gram[i * size + j])));
                        form += x[i] * gram[i * size + j] * x[j];
                        scale += Math.Abs(x[i] * gram[i * size + j] * x[j]);
                    }
                Assert.True(form >= -1e-12 * scale);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Hidden_is_the_mean_over_the_places_that_predict_the_response(bool tied, int longestResponse)
    {
        using var made = new Made(tied, longestResponse);
        var scores = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Hidden, false));
        var reference = new ReferenceLlama(made.Weights);
        for (var n = 0; n < made.Pools.Count; n++)
        {
            var expected = made.Pools[n].Responses.SelectMany(response =>
            {
                var places = reference.Hidden([.. made.Pools[n].Prompt, .. response[..^1]])[(made.Pools[n].Prompt.Length - 1)..];
                return Enumerable.Range(0, places[0].Length).Select(i => places.Average(h => h[i]));
            }).ToArray();
            AssertClose(expected, [.. scores.FeaturesOf(n).ToArray().Select(x => (double)x)], 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Unit_length_divides_whole_features_by_their_length(bool tied, int longestResponse)
    {
        using var made = new Made(tied, longestResponse);
        var output = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Output, true));
        var hidden = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Hidden, true));
        var plain = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Hidden, false));
        for (var n = 0; n < made.Pools.Count; n++)
            for (var c = 0; c < made.Pools[n].Candidates; c++)
            {
                var gradient = made.HiddenGradient(made.Pools[n].Prompt, made.Pools[n].Responses[c]);
                AssertClose(UnitLength(gradient), [.. Row(output, n, c)], 1e-4);
                AssertClose(UnitLength([.. Row(plain, n, c)]), [.. Row(hidden, n, c)], 1e-5);
            }

        static IEnumerable<double> Row(PoolScores scores, int pool, int candidate) =>
            scores.FeaturesOf(pool).Slice(candidate * scores.FeatureSize, scores.FeatureSize).ToArray().Select(x => (double)x);
    }

    [Fact]
    public void Without_unit_length_output_is_what_the_plain_scorer_gives()
    {
        using var made = new Made(tied: true, longestResponse: 4);
        var plain = made.Scorer.Score(made.Weights, made.Pools, outputFeatures: true);
        var formed = made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Output, false));
        Assert.Equal(plain.Features, formed.Features);
        Assert.Equal(plain.Logps, formed.Logps);
    }

    [Theory]
    [InlineData(FeatureKind.Output, false, 0, "output")]
    [InlineData(FeatureKind.Head, true, 0, "head, unit length")]
    [InlineData(FeatureKind.Head, false, 1024, "head, sketch 1024")]
    [InlineData(FeatureKind.Lora, true, 256, "lora, sketch 256, unit length")]
    public void A_form_has_a_name(FeatureKind kind, bool unitLength, int sketch, string name) => Assert.Equal(name, new FeatureForm(kind, unitLength) { Sketch = sketch }.Name);

    [Fact]
    public void What_is_a_vector_already_has_no_sketch_and_a_policy_without_an_adapter_no_gradient_of_one()
    {
        using var made = new Made(tied: true, longestResponse: 4);
        Assert.Contains("'output' are vectors", Assert.Throws<ArgumentException>(() => made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Output, false) { Sketch = 8 })).Message);
        Assert.Contains("has none", Assert.Throws<InvalidOperationException>(() => made.Scorer.Score(made.Weights, made.Pools, new FeatureForm(FeatureKind.Lora, false))).Message);
    }

    private sealed class Made : IDisposable
    {
        private readonly LlamaModel _model;

        public Made(bool tied, int longestResponse)
        {
            var config = MadePolicy.Config(tied: tied);
            Weights = MadePolicy.Weights(config);
            _model = new LlamaModel(config);
            Scorer = new PoolScorer(_model);
            var random = new StableRandom(longestResponse);
            for (var i = 0; i < 4; i++)
                Pools.Add(MadePolicy.Pool(ref random, config.VocabularySize, candidates: 2 + i, longestPrompt: 9, longestResponse));
            // A prompt of one token and a candidate twice.
            Pools.Add(new EncodedPool([3], [Pools[0].Responses[0], Pools[0].Responses[0], Pools[0].Responses[1]]));
        }

        public PolicyWeights Weights { get; }

        public PoolScorer Scorer { get; }

        public List<EncodedPool> Pools { get; } = [];

        // Of the output matrix alone, also where it is the embedding: the hidden states are constants.
        public double[] OutputMatrixGradient(int[] prompt, int[] response) => Gradient(prompt, response, ofOutput: true);

        public double[] HiddenGradient(int[] prompt, int[] response) => Gradient(prompt, response, ofOutput: false);

        private double[] Gradient(int[] prompt, int[] response, bool ofOutput)
        {
            using var scope = NewDisposeScope();
            using var batch = PackedBatch.Of([new EncodedPool(prompt, [response])]);
            var hidden = _model.Hidden(Weights, batch).detach().requires_grad_(!ofOutput);
            var output = Weights.Output.detach().clone().requires_grad_(ofOutput);
            var logits = TorchSharp.torch.nn.functional.linear(hidden, output);
            var logps = logits.log_softmax(1).gather(1, batch.Token_T.unsqueeze(1));
            logps.sum().backward();
            var gradient = ofOutput ? output.grad! : hidden.grad!.sum([0L]);
            return [.. gradient.reshape(-1).data<float>().ToArray().Select(x => (double)x)];
        }

        public void Dispose()
        {
            _model.Dispose();
            Weights.Dispose();
        }
    }

    private static double[] UnitLength(double[] x) => [.. x.Select(value => value / Math.Sqrt(x.Sum(each => each * each)))];

    private static double[][] Differences(double[][] features) =>
        [.. features.Skip(1).Select(row => row.Zip(features[0], (x, w) => x - w).ToArray())];

    private static double[] Differences(double[] gram, int size) => [.. from i in Enumerable.Range(1, size - 1)
                                                                        from j in Enumerable.Range(1, size - 1)
                                                                        select gram[i * size + j] + gram[0] - gram[i] - gram[j]];

    private static double[] Gram(double[][] u) => [.. u.SelectMany(a => u.Select(b => a.Zip(b, (x, y) => x * y).Sum()))];

    private static void AssertClose(float[] expected, float[] actual, double tolerance) =>
        AssertClose(Array.ConvertAll(expected, x => (double)x), Array.ConvertAll(actual, x => (double)x), tolerance);

    // Relative to the largest.
    private static void AssertClose(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"at {i}: expected {expected[i]}, found {actual[i]}");
    }
}
