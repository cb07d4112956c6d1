using System.Diagnostics;
using System.Text.Json.Nodes;
using MassDpo.Learner.Training;
using MassDpo.Policy;
using MassDpo.Policy.Devices;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Selection;
using MassDpo.Selection.Kernels;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using static TorchSharp.torch;

namespace MassDpo.Models.Bench;

/// <summary>
/// One job on a policy of a published shape with random weights, in a compute type and on a device, for bench/peers/device.py, which holds it beside a plain PyTorch
/// script. Weights and records are those that bench/peers/device_peer.py makes.
/// </summary>
/// <param name="Shape">a config.json</param>
/// <param name="Work">score, select, train or snapshot</param>
/// <param name="Placement">type and device</param>
/// <param name="Records">of a round</param>
/// <param name="Candidates">of a record, the chosen one counted</param>
/// <param name="Prompt">tokens</param>
/// <param name="Response">tokens</param>
/// <param name="Budget">of places computed together</param>
/// <param name="Rounds">that are timed, after one that is not</param>
internal sealed record DeviceWork(string Shape, string Work, Placement Placement, int Records, int Candidates, int Prompt, int Response, int Budget, int Rounds)
{
    private const int Negatives = 3;
    private const double Deviation = 0.02;

    public static DeviceWork Of(string[] words) => new(words[0], words[1], new Placement(words[2] == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32, new Device(words[3])),
        int.Parse(words[4]), int.Parse(words[5]), int.Parse(words[6]), int.Parse(words[7]), int.Parse(words[8]), int.Parse(words[9]));

    public void Run()
    {
        ComputeStream.Take(Placement.Device);
        var config = PolicyConfig.Load(Shape);
        using var weights = Weights(config);
        using var model = new LlamaModel(config, Placement.Device);
        var limits = new ComputeLimits(Budget);
        var scorer = new PoolScorer(model, limits);
        var pools = Pools(config.VocabularySize);
        var (check, times) = Work switch
        {
            "score" => Timed(() => scorer.Score(weights, pools, outputFeatures: false).Logps[0]),
            "select" => Select(weights, scorer, pools),
            _ => Train(weights, model, limits, pools),
        };
        Console.WriteLine(new JsonObject
        {
            ["seconds"] = new JsonArray([.. times.Select(time => (JsonNode)time)]),
            ["records"] = Records,
            ["tokens"] = pools.Sum(pool => pool.Prompt.Length + pool.Responses.Sum(response => response.Length)),
            ["weights_bytes"] = weights.Bytes,
            ["resident_bytes"] = OwnProcess.PeakBytes(),
            ["check"] = check,
        }.ToJsonString());
    }

    // The job as selectors do it: the policy's scores with features, the reference's, and what mass keeps.
    private (double Check, List<double> Times) Select(PolicyWeights weights, PoolScorer scorer, List<EncodedPool> pools)
    {
        var options = new SelectionOptions(SelectionMethod.Mass, new KernelOptions { Negatives = Negatives, Beta = 0.1 }, Seed: 1, MetricsSample: 0, EffectiveRank: false, IncludeMeta: false);
        // Hashing weights is not part of the job. Neither of the two is let go of: the weights are the caller's.
        var found = new SharedTensors(weights, hash: "random");
        using var cache = new ReferenceCache(0, scoring: "");
        var engine = new SelectionEngine(scorer, found, cache, options, TimeProvider.System);
        var block = new PoolBlock(new SlotBlock(1, 0, 0, Records, 1), [.. pools.Select((pool, n) => MadeSelection.Pool(pool, new Position("made", 0, n)))]);
        var snapshot = new PolicySnapshot(1, 0, weights, hash: "random");
        using var lease = snapshot.TryAcquire()!;
        return Timed(() => engine.Select(block, lease, "bench").Computed!.Selections[0]!.Event.Candidates[0].Logp!.Value);
    }

    // An adapter on all matrices; a snapshot of it is what goes to selectors over a wire and is read there.
    private (double Check, List<double> Times) Train(PolicyWeights weights, LlamaModel model, ComputeLimits limits, List<EncodedPool> pools)
    {
        using var start = weights.WithFreshAdapter(Llama.Lora, seed: 1);
        using var trainer = new PolicyTrainer(model, new SharedTensors(start, hash: "random"), new TrainerOptions(0.1, new LearningRateSchedule(1e-4, ScheduleShape.Constant, 0, 0, 1),
            new AdamOptions(0.9, 0.999, 1e-8, 0, 1), MicroBatch: 0) { Limits = limits });
        if (Work == "snapshot")
        {
            var format = new PolicySnapshotFormat(start);
            return Timed(() =>
            {
                using var snapshot = trainer.Snapshot();
                using var stream = new MemoryStream();
                format.Write(snapshot, stream);
                stream.Position = 0;
                using var read = (PolicyWeights)format.Read(stream);
                return stream.Length;
            });
        }
        // Everyone's negatives are the first ones: which do not matter here. The reference is the policy as it starts.
        var reference = new PoolScorer(model, limits).Score(weights, [.. pools.Select(pool => pool.Of([.. Enumerable.Range(1, Negatives)]))], outputFeatures: false);
        var batch = pools.Select((pool, n) => (Shared.Contracts.Selection?)MadeSelection.Of(MadeSelection.Pool(pool, new Position("made", 0, n)), [.. Enumerable.Range(1, Negatives)],
            reference.LogpsOf(n).ToArray())).ToList();
        var first = double.NaN;
        var (_, times) = Timed(() =>
        {
            var loss = trainer.Update(batch).Loss!.Value;
            first = double.IsNaN(first) ? loss : first;
            return loss;
        });
        return (first, times);
    }

    private (double Check, List<double> Times) Timed(Func<double> body)
    {
        var check = body();
        var times = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            body();
            if (Placement.Device.type == TorchSharp.DeviceType.CUDA)
                cuda.synchronize(Placement.Device);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return (check, times);
    }

    // Made where they lie, in ordinal order of their names, as the peer makes them: where libtorch is the same so are they.
    private PolicyWeights Weights(PolicyConfig config)
    {
        using var generator = new Generator(1, Placement.Device);
        return PolicyWeights.Of(config, (name, shape) => shape.Length == 1
            ? ones(shape, dtype: Placement.Type, device: Placement.Device)
            : randn(shape, dtype: Placement.Type, device: Placement.Device, generator: generator).mul_(Deviation));
    }

    private List<EncodedPool> Pools(int vocabulary)
    {
        return [.. Enumerable.Range(0, Records).Select(n => new EncodedPool(Tokens(n, 0, Prompt), [.. Enumerable.Range(1, Candidates).Select(c => Tokens(n, c, Response))]))];

        int[] Tokens(int n, int part, int count) => [.. Enumerable.Range(0, count).Select(i => (int)((n * 131L + part * 31L + i * 7L + (long)i * i * (part + 1)) % vocabulary))];
    }
}
