using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.App.Checkpoints;

/// <summary>What a promotion is asked for.</summary>
/// <param name="Run">output directory of a run, which may be going on</param>
/// <param name="Checkpoint">name or version; null: the newest</param>
/// <param name="To">directory that becomes the policy</param>
/// <param name="Evaluation">file to measure on; null: none, and no gates</param>
/// <param name="Gates">all of which the checkpoint must pass</param>
/// <param name="Options">of the evaluation</param>
internal sealed record PromotionRequest(string Run, string? Checkpoint, string To, string? Evaluation, IReadOnlyList<Gate> Gates, EvaluationOptions Options)
{
    /// <summary>Whether an adapter is added to its base, and the whole checkpoint written.</summary>
    public bool Merge { get; init; }
}

/// <summary>How it went.</summary>
/// <param name="Checkpoint">which it was</param>
/// <param name="Refusals">why it was not promoted; empty: it was</param>
/// <param name="Evaluation">null: not asked for</param>
/// <param name="Current">of what was promoted before; null: nothing was, or no evaluation was asked for</param>
internal sealed record PromotionResult(CheckpointName Checkpoint, IReadOnlyList<string> Refusals, EvaluationResult? Evaluation, EvaluationResult? Current);

/// <summary>
/// Makes a checkpoint the policy that others use: a directory that at any moment is one whole policy, the one before or this one. It runs beside the run.
/// Every promotion is a line in <c>promotions.jsonl</c> of the run.
/// </summary>
internal static class Promotion
{
    /// <exception cref="InvalidDataException">no such checkpoint, it is damaged, or it has nothing to merge</exception>
    public static async Task<PromotionResult> RunAsync(PromotionRequest request, TimeProvider clock, CancellationToken cancellation)
    {
        PolicyDirectory.CheckReplaceable(request.To);
        var checkpoints = new RunCheckpoints(request.Run);
        if (RunInputs.IsSamePlace(request.To, checkpoints.Inputs.Policy))
            throw new InvalidDataException($"{request.To} is the policy that the run started from, which resume and replay need: give another --to");
        var name = checkpoints.Find(request.Checkpoint);
        using var start = checkpoints.Inputs.LoadPolicy(request.Options.Policy);
        using var checkpoint = checkpoints.Store.Load(name);
        // What is measured is what is written.
        using var weights = request.Merge ? Merged(request, start, checkpoint) : start.Weights.With(checkpoint.Weights);
        var (evaluation, current) = await MeasureAsync(request, start, weights, cancellation);
        List<string> refusals = [.. request.Gates.Select(gate => gate.Refuses(evaluation!.ToJson(), current?.ToJson())).OfType<string>()];
        if (refusals.Count == 0)
        {
            PolicyDirectory.SaveLike(start.Origin, request.To, PhysicalFiles.Instance, weights);
            Note(request, name, checkpoint.State, evaluation, clock);
        }
        return new PromotionResult(name, refusals, evaluation, current);
    }

    private static PolicyWeights Merged(PromotionRequest request, LoadedPolicy start, Checkpoint checkpoint)
    {
        if (start.Weights.Lora is null)
            throw new InvalidDataException($"{request.Run} trains all weights: there is no adapter to merge, and what is promoted is whole already; leave --merge out");
        using var adapted = start.Weights.With(checkpoint.Weights);
        return adapted.Merged();
    }

    private static async Task<(EvaluationResult? Evaluation, EvaluationResult? Current)> MeasureAsync(PromotionRequest request, LoadedPolicy start, PolicyWeights weights,
        CancellationToken cancellation)
    {
        if (request.Evaluation is null)
            return (null, null);
        var data = await EvaluationData.LoadAsync(request.Evaluation, start.Encoder, request.Options, cancellation);
        IReadOnlyList<float[]> reference = [.. Evaluator.Score(start.Scorer, start.Weights, data.Pools, request.Options.Batch)];
        var evaluation = Evaluator.Measure(start, weights, data, reference, request.Options);
        if (!Directory.Exists(request.To))
            return (evaluation, null);
        // By its own config, tokenizer and adapter: what is promoted now may come from another run.
        using var promoted = LoadedPolicy.Load(request.To, request.Options.Policy with { Lora = null });
        var same = await EvaluationData.LoadAsync(request.Evaluation, promoted.Encoder, request.Options, cancellation);
        return (evaluation, Evaluator.Measure(promoted, promoted.Weights, same, same.HasSameCandidatesAs(data) ? reference : null, request.Options));
    }

    private static void Note(PromotionRequest request, CheckpointName name, CheckpointState state, EvaluationResult? evaluation, TimeProvider clock)
    {
        var line = LogLine.Begin();
        line.Json.WriteString("time"u8, clock.GetUtcNow().ToString("O"));
        line.Json.WriteString("checkpoint"u8, name.ToString());
        line.Json.WriteNumber("version"u8, name.Version);
        line.Json.WriteString("policy_hash"u8, state.PolicyHash);
        line.Json.WriteString("to"u8, Path.GetFullPath(request.To));
        line.Json.WriteBoolean("merged"u8, request.Merge);
        line.Node("evaluation", evaluation?.ToJson());
        using var log = PhysicalFiles.Instance.OpenAppend(RunDirectory.PromotionsIn(request.Run));
        log.Append(line.End());
        log.Sync();
    }
}
