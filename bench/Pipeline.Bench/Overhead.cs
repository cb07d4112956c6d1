using System.Diagnostics;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Training;
using MassDpo.Selection;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Sources;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace MassDpo.Pipeline.Bench;

/// <summary>
/// The whole pipeline (actors, links, JSON, events, checkpoints) against a plain loop over the same selection and training calls, on records that were
/// read before. Both take turns in one process; the clock runs from the end of the warm-up updates to the end of the last update.
/// </summary>
internal static class Overhead
{
    public static async Task RunAsync(string policyDirectory, string data, int warmUp, int updates, int rounds, string[] rest, Action<object> print)
    {
        var config = rest is ["--config", var file, ..] ? file : null;
        var set = config is null ? rest : rest[2..];
        var options = RunOptions.From(EffectiveSettings.Load(config, [], set, [], null));
        var records = (warmUp + updates) * options.Slots.BatchSize;
        options = options with { Files = options.Files with { MaxRecords = records } };
        set_num_threads(options.Threads);
        using var policy = LoadedPolicy.Load(policyDirectory);
        var pools = await ReadAsync(policy, data, options);
        if (pools.Count < records)
            throw new InvalidDataException($"{data} has {pools.Count} records, {records} are asked for");
        for (var round = 0; round < rounds; round++)
        {
            var direct = Direct(policy, pools, options, warmUp, updates);
            var (pipeline, pipelineCpu) = await PipelineAsync(policyDirectory, data, options, warmUp);
            print(new
            {
                method = options.Selection.Method.Name(),
                direct_records_per_s = updates * options.Slots.BatchSize / direct.Total,
                pipeline_records_per_s = updates * options.Slots.BatchSize / pipeline,
                direct_cpu_ms_per_update = direct.Cpu / updates * 1e3,
                pipeline_cpu_ms_per_update = pipelineCpu / updates * 1e3,
                overhead_percent = 100 * (pipeline / direct.Total - 1),
                direct_ms_per_update = new { select = direct.Select / updates * 1e3, train = direct.Train / updates * 1e3, snapshot = direct.Snapshot / updates * 1e3 },
            });
        }
    }

    internal static async Task<List<CandidatePool>> ReadAsync(LoadedPolicy policy, string data, RunOptions options)
    {
        await using var source = new FileSource([data], options.Files);
        var validator = new RecordValidator(policy.Encoder, options.Duplicates, options.Files.MaxRecordBytes);
        var pools = new List<CandidatePool>();
        await foreach (var entry in source.ReadAsync(new SettledPositions(), CancellationToken.None))
            if (entry is not SourceEntry.PassEnd && validator.Validate(entry).Pool is { } pool)
                pools.Add(pool);
        return pools;
    }

    private static (double Total, double Cpu, double Select, double Train, double Snapshot) Direct(LoadedPolicy policy, List<CandidatePool> pools, RunOptions options, int warmUp, int updates)
    {
        using var trainer = new PolicyTrainer(policy.Model, policy.Weights, options.Trainer);
        var engine = new SelectionEngine(policy.Scorer, policy.Found, new ReferenceCache(options.References.MemoryBytes, policy.ScoringFingerprint), options.Selection, TimeProvider.System);
        var (size, block) = (options.Slots.BatchSize, options.Slots.BlockSize);
        var snapshot = new PolicySnapshot(1, 0, trainer.Snapshot());
        var (total, select, train, publish) = (Stopwatch.StartNew(), new Stopwatch(), new Stopwatch(), new Stopwatch());
        var cpu = 0.0;
        for (var update = 0; update < warmUp + updates; update++)
        {
            if (update == warmUp)
            {
                cpu = CpuSeconds();
                foreach (var watch in new[] { select, train, publish })
                    watch.Reset();
                total.Restart();
            }
            var batch = new List<Shared.Contracts.Selection?>(size);
            select.Start();
            using (var lease = snapshot.TryAcquire()!)
            {
                for (var first = 0; first < size; first += block)
                {
                    var count = Math.Min(block, size - first);
                    var slots = new SlotBlock(1, update, (long)update * size + first, count, 1);
                    batch.AddRange(engine.Select(new PoolBlock(slots, pools.GetRange(update * size + first, count)), lease, "direct").Computed!.Selections);
                }
            }
            select.Stop();
            train.Start();
            trainer.Update(batch);
            train.Stop();
            publish.Start();
            snapshot.Release();
            snapshot = new PolicySnapshot(1, update + 1, trainer.Snapshot());
            publish.Stop();
        }
        total.Stop();
        cpu = CpuSeconds() - cpu;
        snapshot.Release();
        return (total.Elapsed.TotalSeconds, cpu, select.Elapsed.TotalSeconds, train.Elapsed.TotalSeconds, publish.Elapsed.TotalSeconds);
    }

    private static async Task<(double Seconds, double Cpu)> PipelineAsync(string policy, string data, RunOptions options, int warmUp)
    {
        var output = Directory.CreateTempSubdirectory("massdpo-bench-").FullName;
        try
        {
            var request = new RunRequest(policy, output, null, new EvaluationOptions(1, 64, options.Files.MaxRecordBytes), false, options);
            var (started, ended, cpuStarted, cpuEnded) = (0L, 0L, 0.0, 0.0);
            await new RunJob(request, NullLogger.Instance).RunAsync(() => new FileSource([data], options.Files), (progress, _) =>
            {
                (ended, cpuEnded) = (Stopwatch.GetTimestamp(), CpuSeconds());
                if (progress.Version == warmUp)
                    (started, cpuStarted) = (ended, cpuEnded);
            }, _ => { }, CancellationToken.None);
            return (Stopwatch.GetElapsedTime(started, ended).TotalSeconds, cpuEnded - cpuStarted);
        }
        finally
        {
            Directory.Delete(output, recursive: true);
        }
    }

    // Of all threads of this process, so of the compiler's and the collector's too.
    private static double CpuSeconds()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime.TotalSeconds;
    }
}
