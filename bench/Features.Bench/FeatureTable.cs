using System.Globalization;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Policy.Scoring;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Features.Bench;

/// <summary>What the table is made of.</summary>
/// <param name="Policy">directory</param>
/// <param name="Data">file of records</param>
/// <param name="Records">how many of them</param>
/// <param name="Negatives">k of the picks</param>
/// <param name="Block">records scored together when time is taken</param>
/// <param name="Rounds">in which time is taken</param>
internal sealed record TableRequest(string Policy, string Data, int Records, int Negatives, int Block, int Rounds);

/// <summary>Compares every kind of features with the gradient of all parameters, at a policy that is its own reference: all z are 0.</summary>
internal static class FeatureTable
{
    public static async Task PrintAsync(TableRequest request, TextWriter output)
    {
        TorchSharp.torch.set_num_threads(1);
        using var policy = LoadedPolicy.Load(request.Policy);
        var pools = await PoolsAsync(request, policy);
        // Adapters are there for policies that have one.
        FeatureForm[] forms = [.. from unitLength in new[] { false, true }
                                  from kind in new[] { FeatureKind.Hidden, FeatureKind.Output, FeatureKind.Head, FeatureKind.Lora }
                                  where kind != FeatureKind.Lora || policy.Weights.Lora is not null
                                  select new FeatureForm(kind, unitLength)];
        using var truth = new TrueGradients(policy.Model, policy.Weights);
        var (options, workspace) = (new KernelOptions { Negatives = request.Negatives, Beta = 1 }, new Workspace());
        var (agreements, random) = (forms.ToDictionary(form => form, _ => new Agreement(options, workspace)), new Agreement(options, workspace));
        for (var i = 0; i < pools.Count; i++)
        {
            var expected = Differences(truth.Gram(pools[i]), pools[i].Candidates);
            var picks = Picks(expected, options, workspace);
            foreach (var form in forms)
            {
                var gram = GramOf(policy.Scorer.Score(policy.Weights, [pools[i]], form), pools[i]);
                agreements[form].Add(expected, gram, picks, Picks(gram, options, workspace));
            }
            var draws = new StableRandom(1, i);
            random.Add(expected, picks, Indices(Kernel.Random(new Pool(new double[pools[i].Candidates - 1]), options, workspace, ref draws)));
        }

        var (alone, times) = Times(policy, pools, forms, request);
        var (candidates, prompt) = (pools.Average(pool => pool.Candidates), pools.Average(pool => pool.Prompt.Length));
        var response = pools.Average(pool => pool.Responses.Average(tokens => tokens.Length));
        Print(output, $"{pools.Count:N0} records of {candidates:F1} candidates, {response:F1} tokens a response, {prompt:F1} a prompt; a policy of");
        Print(output, $"{policy.Weights.Parameters:N0} parameters; k = {request.Negatives}, ρ = {options.Ridge}, one thread.\n");
        output.Write("| features against the gradient of all parameters | correlation of cosines | of lengths | of gains' ranks ");
        output.WriteLine("| Jaccard of mass picks with the truth's | their F over that of the truth's | CPU ms per record |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var (form, time) in forms.Zip(times))
        {
            var (cosines, lengths, gains, jaccard, information) = agreements[form].Means;
            Print(output, $"| {form.Name} | {cosines:F2} | {lengths:F2} | {gains:F2} | {jaccard:F2} | {information:F3} | {time - alone:F2} |");
        }
        Print(output, $"| none: random picks | | | | {random.Means.Jaccard:F2} | {random.Means.Information:F3} | |");
        Print(output, $"\nMilliseconds are beyond the log-probabilities alone, which take {alone:F2}.");
    }

    /// <summary>The first records with more negatives than are picked.</summary>
    /// <exception cref="InvalidDataException">there is none</exception>
    public static async Task<List<EncodedPool>> PoolsAsync(TableRequest request, LoadedPolicy policy)
    {
        var reading = new EvaluationOptions(Beta: 1, request.Block, MaxRecordBytes: 1 << 24);
        var data = await EvaluationData.LoadAsync([request.Data], policy.Encoder, reading, CancellationToken.None);
        var pools = data.Pools.Select(pool => pool.Tokens).Where(pool => pool.Candidates > request.Negatives + 1).Take(request.Records).ToList();
        return pools.Count > 0 ? pools : throw new InvalidDataException($"{request.Data} has no record with more than {request.Negatives} negatives");
    }

    /// <summary>Picks of <c>mass</c> where all z are 0, by [n × n] inner products of u.</summary>
    public static int[] Picks(double[] gram, KernelOptions options, Workspace workspace) =>
        Indices(Kernel.Mass(Pool.OfGram(new double[(int)Math.Sqrt(gram.Length)], gram), options, workspace));

    private static int[] Indices(SelectionResult result)
    {
        var indices = new int[result.Picks.Length];
        for (var i = 0; i < indices.Length; i++)
            indices[i] = result.Picks[i].Index;
        return indices;
    }

    /// <summary>[n × n] inner products of u_j = φ_j − φ_w.</summary>
    public static double[] GramOf(PoolScores scores, EncodedPool pool)
    {
        if (scores.Grams is { } grams)
            return Differences(grams[0], pool.Candidates);
        var d = scores.FeatureSize;
        var gram = new double[pool.Candidates * pool.Candidates];
        for (var i = 0; i < pool.Candidates; i++)
            for (var j = 0; j < pool.Candidates; j++)
                for (var a = 0; a < d; a++)
                    gram[i * pool.Candidates + j] += (double)scores.Features![i * d + a] * scores.Features[j * d + a];
        return Differences(gram, pool.Candidates);
    }

    private static double[] Differences(double[] gram, int candidates)
    {
        var differences = new double[(candidates - 1) * (candidates - 1)];
        DifferenceGram.Of(gram, candidates, differences);
        return differences;
    }

    // Medians over rounds, in each of which every form has its turn, so that all see the same machine: of log-probs alone, and with each form.
    // Processor time, as others may use the machine too.
    private static (double Alone, double[] Forms) Times(LoadedPolicy policy, List<EncodedPool> pools, FeatureForm[] forms, TableRequest request)
    {
        var blocks = pools.Take(8 * request.Block).Chunk(request.Block).ToList();
        var records = blocks.Sum(each => each.Length);
        FeatureForm?[] turns = [null, .. forms];
        var taken = turns.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round <= request.Rounds; round++)
            for (var turn = 0; turn < turns.Length; turn++)
            {
                var begin = Environment.CpuUsage.TotalTime;
                foreach (var each in blocks)
                    _ = turns[turn] is { } form
                        ? policy.Scorer.Score(policy.Weights, each, form)
                        : policy.Scorer.Score(policy.Weights, each, outputFeatures: false);
                // The first round only warms up.
                if (round > 0)
                    taken[turn].Add((Environment.CpuUsage.TotalTime - begin).TotalMilliseconds / records);
            }
        var medians = taken.Select(times => times.Order().ElementAt(request.Rounds / 2)).ToArray();
        return (medians[0], medians[1..]);
    }

    private static void Print(TextWriter output, FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
