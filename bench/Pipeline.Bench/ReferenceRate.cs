using System.Diagnostics;
using MassDpo.App.Running;
using MassDpo.Policy.Model;
using MassDpo.Selection.References;
using MassDpo.Shared.Files;
using MassDpo.Shared.Settings;
using static TorchSharp.torch;

namespace MassDpo.Pipeline.Bench;

/// <summary>
/// Log-probabilities under the reference, block by block as a selector asks for them, on one thread: computed, computed and kept on disk, from disk, from memory. Files are in the
/// system's page cache, as those of a run that goes on are. Then stores of made entries, for what a start and a large one cost.
/// </summary>
internal static class ReferenceRate
{
    private const long Bound = 4L << 30;
    private const int Made = 2_000_000;

    public static async Task RunAsync(string policyDirectory, string data, int records, int rounds, Action<object> print)
    {
        var options = RunOptions.From(EffectiveSettings.Load(null, [], [$"ingest.max-records = {records}"], []));
        set_num_threads(options.Threads);
        using var policy = LoadedPolicy.Load(policyDirectory);
        var packs = (await Overhead.ReadAsync(policy, data, options)).Select(pool => pool.Tokens).ToList();
        var blocks = packs.Chunk(options.Slots.BlockSize).ToList();
        // The first is a warm-up.
        for (var round = 0; round <= rounds; round++)
        {
            var directory = Directory.CreateTempSubdirectory("massdpo-bench-").FullName;
            try
            {
                var computed = Rate(new ReferenceCache(0, policy.ScoringFingerprint));
                var kept = Rate(new ReferenceCache(0, policy.ScoringFingerprint, Open(directory)));
                var disk = Rate(new ReferenceCache(0, policy.ScoringFingerprint, Open(directory)));
                var memory = new ReferenceCache(1 << 30, policy.ScoringFingerprint);
                Ask(memory);
                var held = Rate(memory);
                if (round > 0)
                    print(new { records = packs.Count, candidates = packs.Average(pack => pack.Candidates), computed_us_per_record = computed, computed_and_kept_us_per_record = kept, disk_us_per_record = disk, memory_us_per_record = held });
            }
            finally
            {
                Directory.Delete(directory, recursive: true);
            }
        }
        MeasureLarge(print);

        double Rate(ReferenceCache cache)
        {
            var start = Stopwatch.GetTimestamp();
            Ask(cache);
            var took = Stopwatch.GetElapsedTime(start);
            cache.Dispose();
            return took.TotalMicroseconds / packs.Count;
        }

        void Ask(ReferenceCache cache)
        {
            foreach (var block in blocks)
                cache.Get(policy.Found.Hash, block, missing => policy.Scorer.ScoreCanonically((PolicyWeights)policy.Found.Tensors, missing));
        }
    }

    // What entries of 21 candidates cost to write, to find again at a start, to hold and to read in any order.
    private static void MeasureLarge(Action<object> print)
    {
        var directory = Directory.CreateTempSubdirectory("massdpo-bench-").FullName;
        try
        {
            var logps = new float[21];
            var start = Stopwatch.GetTimestamp();
            using (var store = Open(directory))
                for (var i = 0; i < Made; i += 16)
                    store.Append([.. Enumerable.Range(i, 16).Select(n => (KeyOf(n), logps))]);
            var written = Stopwatch.GetElapsedTime(start);
            var before = GC.GetTotalMemory(forceFullCollection: true);
            start = Stopwatch.GetTimestamp();
            using var again = Open(directory);
            var opened = Stopwatch.GetElapsedTime(start);
            var memory = GC.GetTotalMemory(forceFullCollection: true) - before;
            start = Stopwatch.GetTimestamp();
            for (var i = 0; i < Made; i++)
                if (again.Find(KeyOf((int)(i * 1_000_003L % Made)), logps.Length) is null)
                    throw new InvalidOperationException("what was kept is not found");
            var read = Stopwatch.GetElapsedTime(start);
            print(new { entries = Made, megabytes = again.Bytes / 1e6, written_us_per_entry = written.TotalMicroseconds / Made, opened_seconds = opened.TotalSeconds, memory_bytes_per_entry = (double)memory / Made, lookups_per_s = Made / read.TotalSeconds });
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static ReferenceStore Open(string directory) => ReferenceStore.Open(directory, Bound, PhysicalFiles.Instance, note => throw new InvalidOperationException(note));

    private static UInt128 KeyOf(int i) => new((ulong)i, (ulong)i * 0x9E3779B97F4A7C15);
}
