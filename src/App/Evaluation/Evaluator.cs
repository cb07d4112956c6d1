using MassDpo.App.Running;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Evaluation;

/// <summary>How an evaluation is made.</summary>
/// <param name="Beta">β of the preference metrics</param>
/// <param name="Batch">records scored together</param>
/// <param name="MaxRecordBytes">as for ingest</param>
public sealed record EvaluationOptions(double Beta, int Batch, int MaxRecordBytes)
{
    /// <summary>Reads what an evaluation is set to.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static EvaluationOptions From(EffectiveSettings settings) => new(settings.Number("eval.beta", 1e-6, 1e3), settings.Integer("eval.batch", 1, 1 << 16),
        (int)settings.Size("ingest.max-record-bytes", 1024, 1 << 30)) { Policy = PolicyOptions.From(settings) };

    /// <summary>How policies are loaded.</summary>
    public PolicyOptions Policy { get; init; } = new();
}

/// <summary>Records held for measuring: duplicates stay in, as the data has them.</summary>
public sealed class EvaluationData
{
    private EvaluationData(IReadOnlyList<CandidatePool> pools, IReadOnlyList<DeadLetter> skipped) => (Pools, Skipped) = (pools, skipped);

    public IReadOnlyList<CandidatePool> Pools { get; }

    /// <summary>Records that cannot be scored, with the reason.</summary>
    public IReadOnlyList<DeadLetter> Skipped { get; }

    /// <summary>Whether the same candidates of the same records were loaded, so that log-probabilities under two policies belong to each other.</summary>
    public bool HasSameCandidatesAs(EvaluationData other) =>
        Pools.Select(pool => (pool.Position, pool.Record.Candidates.Count)).SequenceEqual(other.Pools.Select(pool => (pool.Position, pool.Record.Candidates.Count)));

    /// <summary>Loads what <c>--eval</c> names.</summary>
    /// <exception cref="InvalidDataException">no record of it can be measured</exception>
    /// <exception cref="IOException">the file cannot be read</exception>
    public static async Task<EvaluationData> LoadAsync(string file, RecordEncoder encoder, EvaluationOptions options, CancellationToken cancellation)
    {
        var data = await LoadAsync([file], encoder, options, cancellation);
        return data.Pools.Count > 0 ? data : throw new InvalidDataException(
            $"{file}: no record can be measured{(data.Skipped.Count > 0 ? $"; the first: {data.Skipped[0].Reason}" : "")}");
    }

    /// <exception cref="IOException">a file cannot be read</exception>
    public static async Task<EvaluationData> LoadAsync(IReadOnlyList<string> files, RecordEncoder encoder, EvaluationOptions options, CancellationToken cancellation)
    {
        await using var source = new FileSource(files, new FileSourceOptions(ShuffleOrder.None, Seed: 0, Passes: 1, MaxRecords: 0, options.MaxRecordBytes));
        var validator = new RecordValidator(encoder, Duplicates.Keep, options.MaxRecordBytes);
        var (pools, skipped) = (new List<CandidatePool>(), new List<DeadLetter>());
        await foreach (var entry in source.ReadAsync(new SettledPositions(), cancellation))
        {
            if (entry is SourceEntry.PassEnd)
                continue;
            var (pool, dead) = validator.Validate(entry);
            if (pool is not null)
                pools.Add(pool);
            else
                skipped.Add(dead!);
        }
        return new EvaluationData(pools, skipped);
    }
}

/// <summary>Measures a policy on records that it is not trained on.</summary>
public static class Evaluator
{
    /// <summary>Log-probabilities of every candidate, per record.</summary>
    public static IEnumerable<float[]> Score(PoolScorer scorer, PolicyWeights weights, IReadOnlyList<CandidatePool> pools, int batch, CancellationToken cancellation = default)
    {
        foreach (var part in pools.Chunk(batch))
        {
            cancellation.ThrowIfCancellationRequested();
            var scores = scorer.Score(weights, [.. part.Select(pool => pool.Tokens)], outputFeatures: false);
            for (var i = 0; i < part.Length; i++)
                yield return scores.LogpsOf(i).ToArray();
        }
    }

    /// <summary>HR@1 alone, for choosing among checkpoints.</summary>
    public static double HitRate1(PoolScorer scorer, PolicyWeights weights, EvaluationData data, int batch) =>
        Score(scorer, weights, data.Pools, batch).Average(logps => RankMeasures.Of(logps).Rank == 1 ? 1.0 : 0.0);

    /// <param name="policy">what to measure</param>
    /// <param name="weights">of it</param>
    /// <param name="data">at least one record</param>
    /// <param name="reference">log-probabilities under the reference, per record; null: no preference metrics</param>
    /// <param name="options">see there</param>
    /// <param name="cancellation">ends it between batches</param>
    public static EvaluationResult Measure(LoadedPolicy policy, PolicyWeights weights, EvaluationData data, IReadOnlyList<float[]>? reference, EvaluationOptions options,
        CancellationToken cancellation = default)
    {
        var (summed, perToken) = (new List<RecordMeasures>(), new List<RecordMeasures>());
        var (accuracy, hits, loss, record) = (0.0, 0, 0.0, 0);
        var severalTokens = data.Pools.Any(pool => pool.Tokens.Responses.Any(response => response.Length > 1));
        foreach (var logps in Score(policy.Scorer, weights, data.Pools, options.Batch, cancellation))
        {
            summed.Add(RankMeasures.Of(logps));
            if (severalTokens)
            {
                var responses = data.Pools[record].Tokens.Responses;
                perToken.Add(RankMeasures.Of([.. logps.Select((logp, i) => logp / responses[i].Length)]));
            }
            if (reference is not null)
            {
                var z = new double[logps.Length - 1];
                FisherInformation.Z(logps, reference[record], options.Beta, z);
                // Ties count against the policy.
                var preferred = z.Count(value => value < 0);
                accuracy += (double)preferred / z.Length;
                hits += preferred == z.Length ? 1 : 0;
                loss += FisherInformation.Loss(z);
            }
            record++;
        }
        return new EvaluationResult(RankingMetrics.Of(summed)!, severalTokens ? RankingMetrics.Of(perToken) : null,
            reference is null ? null : new PreferenceMetrics(accuracy / record, (double)hits / record, loss / record, options.Beta), data.Skipped.Count);
    }
}
