using System.Text.Json;
using MassDpo.Learner.Training;
using MassDpo.TestKit;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

/// <summary>Against TRL's own loss code on given token log-probs.</summary>
public sealed class TrlLossTests
{
    private const string Losses = "fixtures/trl/losses.json";

    [SharedDataTheory(Losses)]
    [InlineData("sigmoid", PreferenceLoss.Pl)]
    [InlineData("hinge", PreferenceLoss.Hinge)]
    [InlineData("ipo", PreferenceLoss.Ipo)]
    public void Loss_and_gradient_for_every_token_are_TRLs(string name, PreferenceLoss loss)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(SharedData.PathOf(Losses)));
        var json = document.RootElement;
        var cases = 0;
        foreach (var golden in json.GetProperty("cases").EnumerateArray().Where(each => IsPlain(each, name)))
        {
            using var scope = NewDisposeScope();
            var beta = golden.GetProperty("beta").GetDouble();
            var (policy, reference) = (Pairs(json.GetProperty("policy_token_logps")), Pairs(json.GetProperty("reference_token_logps")));
            var leaf = tensor([.. policy.SelectMany(tokens => tokens)], dtype: ScalarType.Float64).requires_grad_();
            var ofResponse = tensor([.. policy.SelectMany((tokens, i) => tokens.Select(_ => (long)i))], dtype: ScalarType.Int64);
            var logps = zeros(policy.Length, dtype: ScalarType.Float64).index_add(0, ofResponse, leaf, 1);
            var ratios = (logps - tensor([.. reference.Select(tokens => tokens.Sum())], dtype: ScalarType.Float64)).view(-1, 2);
            var lengths = tensor([.. policy.Select(tokens => (double)tokens.Length)], dtype: ScalarType.Float64).view(-1, 2);
            var (losses, _) = PreferenceLosses.Of(loss, beta, ratios, lengths, zeros(policy.Length / 2, 1, dtype: ScalarType.Float64));
            losses.mean().backward();

            Close(golden.GetProperty("mean_loss").GetDouble(), losses.mean().item<double>());
            var expected = Pairs(golden.GetProperty("grad_token_logps")).SelectMany(tokens => tokens).ToArray();
            var actual = leaf.grad!.data<double>().ToArray();
            Assert.Equal(expected.Length, actual.Length);
            for (var t = 0; t < expected.Length; t++)
                Close(expected[t], actual[t]);
            cases++;
        }
        Assert.Equal(3, cases);

        // TRL computes in float32.
        static void Close(double expected, double actual) =>
            Assert.True(Math.Abs(expected - actual) <= 1e-5 * Math.Max(Math.Abs(expected), 1e-2), $"expected {expected}, found {actual}");
    }

    // Without label smoothing, another divergence, or tails weighted less.
    private static bool IsPlain(JsonElement golden, string name) => golden.GetProperty("loss_type").GetString() == name
        && golden.EnumerateObject().All(field => field.Name is "loss_type" or "beta" or "mean_loss" or "grad_token_logps" or "metrics");

    // Chosen and rejected of each pair in turn.
    private static double[][] Pairs(JsonElement json) => [.. json.GetProperty("chosen").EnumerateArray()
        .Zip(json.GetProperty("rejected").EnumerateArray())
        .SelectMany(pair => new[] { pair.First, pair.Second }).Select(tokens => tokens.EnumerateArray().Select(x => x.GetDouble()).ToArray())];
}
