using System.Diagnostics;
using MassDpo.Policy.Generation;
using MassDpo.PolicyKit;

namespace MassDpo.Scoring.Bench;

/// <summary>Tokens per second of greedy generation from BOS, with keys and values kept, against the whole forward for each token.</summary>
internal static class GenerationSpeed
{
    private const int Rounds = 9;

    public static void Compare(string checkpoint)
    {
        using var policy = Stories260K.Load(checkpoint);
        var generator = new TokenGenerator(policy.Model);
        Console.WriteLine($"stories260K: {policy.Weights.Parameters:N0} parameters, greedy from BOS");
        foreach (var tokens in new[] { 64, 255 })
        {
            var options = new GenerationOptions(tokens, []);
            if (!Cached(1)[0].SequenceEqual(Whole()))
                throw new InvalidOperationException("the two do not write the same");
            var times = new Dictionary<string, List<double>>();
            for (var round = 0; round < Rounds; round++)
            {
                Time("whole forward for each token, 1 prompt", 1, () => Whole());
                foreach (var prompts in new[] { 1, 4, 16 })
                    Time($"kept, {prompts} {(prompts == 1 ? "prompt" : "prompts together")}", prompts, () => Cached(prompts));
            }
            Console.WriteLine($"  {tokens} tokens");
            foreach (var (what, speeds) in times)
                Console.WriteLine($"    {what}: {speeds.Order().ElementAt(Rounds / 2):N0} tokens/s (best {speeds.Max():N0})");

            void Time(string what, int prompts, Action body)
            {
                var start = Stopwatch.GetTimestamp();
                body();
                if (!times.TryGetValue(what, out var speeds))
                    times[what] = speeds = [];
                speeds.Add(prompts * tokens / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }

            IReadOnlyList<int[]> Cached(int prompts) => generator.Generate(policy.Weights, [.. Enumerable.Repeat<int[]>([1], prompts)], options);

            List<int> Whole()
            {
                var ids = new List<int> { 1 };
                while (ids.Count <= tokens)
                {
                    var logits = FullForward.LastLogits(policy.Model, policy.Weights, ids);
                    ids.Add(Array.IndexOf(logits, logits.Max()));
                }
                return ids[1..];
            }
        }
    }
}
