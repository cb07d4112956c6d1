using System.Diagnostics;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Sft;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Chat;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Sources;
using static TorchSharp.torch;

namespace MassDpo.App.Sft;

/// <summary>The sizes of a new policy, and how it is trained.</summary>
internal sealed record SftJobOptions(SftTokenizer Tokenizer, int Vocabulary, int Layers, int Hidden, int Heads, int Intermediate, int MaxPositions, double EmbeddingDeviation, long MaxRecords, int Threads, Placement Placement, SftOptions Training)
{
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static SftJobOptions From(EffectiveSettings settings)
    {
        var hidden = settings.Integer("sft.hidden", 2, 1 << 16);
        var heads = settings.Integer("sft.heads", 1, 1 << 10);
        if (hidden % heads != 0 || hidden / heads % 2 != 0)
            throw settings.Outside("sft.heads", $"{heads} heads for a width of {hidden}", "write a number of heads that divides sft.hidden into even parts");
        var intermediate = settings.Integer("sft.intermediate", 0, 1 << 20);
        return new SftJobOptions(settings.Choice("sft.tokenizer", SftVocabulary.Kinds), settings.Integer("sft.vocabulary", BpeTrainer.LeastVocabulary, 1 << 20),
            settings.Integer("sft.layers", 1, 1 << 10), hidden, heads, intermediate > 0 ? intermediate : (hidden * 8 / 3 + 3) / 4 * 4,
            settings.Integer("sft.max-positions", 4, 1 << 20), settings.Number("sft.embedding-deviation", 1e-6, 100), settings.Long("sft.max-records", 0),
            settings.Integer("runtime.threads", 1, 1024), PlacementSettings.From(settings),
            new SftOptions(settings.Integer("sft.epochs", 0, 1_000_000), settings.Integer("sft.batch", 1, 1 << 16),
                new LearningRateSchedule(settings.Number("sft.learning-rate", 1e-12, 1e3), ScheduleShape.Constant, settings.Long("sft.warmup", 0), 0, FirstStep: 1),
                RunOptions.Adam(settings, "sft", epsilon: 1e-8), settings.Number("sft.dropout", 0, 0.99), settings.Integer("sft.history-places", -1, 1 << 16),
                settings.Long("runtime.seed", 0)));
    }
}

/// <summary>What <c>sft</c> is given.</summary>
internal sealed record SftRequest(IReadOnlyList<string> Data, string Policy, string? Items, string? Evaluation, SftJobOptions Options, EvaluationOptions EvaluationOptions);

/// <summary>What <c>sft</c> made.</summary>
internal sealed record SftJobResult(long Parameters, int Vocabulary, int Records, long Steps, long BestStep, double? BestHitRate1, double Seconds, IReadOnlyList<string> Notes);

/// <summary>Makes a policy from data: vocabulary, weights, training, directory.</summary>
internal static class SftJob
{
    public static async Task<SftJobResult> RunAsync(SftRequest request, Action<SftProgress> report, CancellationToken cancellation)
    {
        var options = request.Options;
        PolicyDirectory.CheckReplaceable(request.Policy);
        PlacementSettings.CheckThere(options.Placement.Device);
        set_num_threads(options.Threads);
        var notes = new List<string>();
        var records = await ReadAsync(request.Data, options, request.EvaluationOptions, notes, cancellation);
        if (records.Count == 0)
            throw new InvalidDataException("the data has no record to learn from");
        var tokenizer = SftVocabulary.Of(records, request.Items is null ? [] : ItemList.Read(request.Items), options.Tokenizer, options.Vocabulary, cancellation);
        if (options.Tokenizer == SftTokenizer.Bpe && tokenizer.VocabularySize < options.Vocabulary)
            notes.Add($"the texts have no more pairs to merge: the vocabulary has {tokenizer.VocabularySize:N0} tokens, not {options.Vocabulary:N0}");
        var config = new PolicyConfig
        {
            HiddenSize = options.Hidden,
            IntermediateSize = options.Intermediate,
            Layers = options.Layers,
            Heads = options.Heads,
            KeyValueHeads = options.Heads,
            HeadSize = options.Hidden / options.Heads,
            VocabularySize = tokenizer.VocabularySize,
            MaxPositions = options.MaxPositions,
            RmsNormEpsilon = 1e-5,
            TiedEmbeddings = true,
            // Of WordLevelTokenizer and BpeTrainer alike.
            BosTokenId = WordLevelTokenizer.BosId,
            EosTokenId = WordLevelTokenizer.EosId,
        };
        var encoding = request.EvaluationOptions.Policy.Encoding;
        var encoder = new RecordEncoder(tokenizer, config, ChatFormat.OfNew(config, tokenizer, encoding.ChatTemplate), encoding.Truncation);
        var sequences = Encode(records, encoder, tokenizer.IsOfItems ? null : WordLevelTokenizer.EosId, notes);
        using var made = PolicyWeights.Initialise(config, options.Training.Seed, options.EmbeddingDeviation);
        using var start = made.On(options.Placement);
        using var model = new LlamaModel(config, start.Device);
        var evaluation = request.Evaluation is null ? null : await EvaluationData.LoadAsync(request.Evaluation, encoder, request.EvaluationOptions, cancellation);
        if (evaluation is { Skipped.Count: > 0 })
            notes.Add($"{evaluation.Skipped.Count} records of {request.Evaluation} cannot be measured; the first, line {evaluation.Skipped[0].Origin.Line}: {evaluation.Skipped[0].Reason}");
        var scorer = new PoolScorer(model);
        var watch = Stopwatch.StartNew();
        var result = SftTrainer.Train(model, start, sequences, options.Training,
            evaluation is null ? null : weights => Evaluator.HitRate1(scorer, weights, evaluation, request.EvaluationOptions.Batch), report, cancellation);
        using var trained = result.Weights;
        if (cancellation.IsCancellationRequested)
            notes.Add("stopped as asked, before the last epoch was done");
        PolicyDirectory.Save(request.Policy, config, tokenizer, trained);
        return new SftJobResult(trained.Parameters, tokenizer.VocabularySize, sequences.Count, result.Steps, result.BestStep, result.BestHitRate1, watch.Elapsed.TotalSeconds, notes);
    }

    private static async Task<List<PreferenceRecord>> ReadAsync(IReadOnlyList<string> files, SftJobOptions options, EvaluationOptions evaluation, List<string> notes, CancellationToken cancellation)
    {
        await using var source = new FileSource(files, new FileSourceOptions(ShuffleOrder.None, 0, 1, options.MaxRecords, evaluation.MaxRecordBytes));
        var records = new List<PreferenceRecord>();
        var (bad, first) = (0, "");
        await foreach (var entry in source.ReadAsync(new SettledPositions(), cancellation))
        {
            if (entry is not SourceEntry.Bytes bytes)
                continue;
            try
            {
                records.Add(RecordParser.Parse(bytes.Json.Span));
            }
            catch (RecordFormatException e)
            {
                if (bad++ == 0)
                    first = $"{bytes.File}, line {bytes.Line}: {e.Message}";
            }
        }
        if (bad > 0)
            notes.Add($"{bad} lines are no records and were passed over; the first, {first}");
        return records;
    }

    private static List<SftSequence> Encode(List<PreferenceRecord> records, RecordEncoder encoder, int? endOfItem, List<string> notes)
    {
        var sequences = new List<SftSequence>(records.Count);
        var (bad, first) = (0, "");
        foreach (var record in records)
        {
            if (encoder.Encode(record, Duplicates.Keep, out var why) is { } encoded)
                sequences.Add(SftSequence.Of(encoded.Tokens, record.Prompt.Form == PromptForm.History ? endOfItem : null));
            else if (bad++ == 0)
                first = $"{record.Id}: {why!.Reason}";
        }
        if (bad > 0)
            notes.Add($"{bad} records cannot be learnt from and were passed over; the first, {first}");
        return sequences.Count > 0 ? sequences : throw new InvalidDataException($"no record can be learnt from; the first, {first}");
    }
}
