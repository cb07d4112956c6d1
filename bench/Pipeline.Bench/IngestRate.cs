using System.Diagnostics;
using System.Text;
using MassDpo.App.Running;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Sources;

namespace MassDpo.Pipeline.Bench;

/// <summary>Ingest alone on one thread: read, parse, validate, tokenise.</summary>
internal static class IngestRate
{
    private const int RecordBytes = 1024;

    public static async Task RunAsync(string policyDirectory, string data, int rounds, Action<object> print)
    {
        using var policy = LoadedPolicy.Load(policyDirectory);
        var validator = new RecordValidator(policy.Encoder, Duplicates.Drop, 1 << 24);
        // The first is a warm-up.
        for (var round = 0; round <= rounds; round++)
        {
            await using var source = new FileSource([data], new FileSourceOptions(ShuffleOrder.None, 1, 1, 0, 1 << 24));
            var (records, bytes, tokens) = (0L, 0L, 0L);
            var start = Stopwatch.GetTimestamp();
            await foreach (var entry in source.ReadAsync(new SettledPositions(), CancellationToken.None))
            {
                if (entry is not SourceEntry.Bytes line)
                    continue;
                var (pool, dead) = validator.Validate(entry);
                if (pool is null)
                    throw new InvalidDataException(dead!.Reason);
                records++;
                bytes += line.Json.Length;
                tokens += pool.Tokens.Prompt.Length + pool.Tokens.Candidates;
            }
            var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (round > 0)
                print(new { records_per_s = records / seconds, bytes_per_record = (double)bytes / records, tokens_per_record = (double)tokens / records });
        }
    }

    /// <summary>Records of 1 KiB each: a history of 9 items, one chosen, 19 rejected; the same each time.</summary>
    public static void Write(int items, int records, string path)
    {
        var random = new StableRandom(1, 0x1B17);
        using var writer = new StreamWriter(path, false, new UTF8Encoding(false)) { NewLine = "\n" };
        for (var n = 0; n < records; n++)
        {
            var drawn = new HashSet<int>();
            while (drawn.Count < 29)
                drawn.Add(random.Below(items));
            var names = drawn.Select(item => $"\"the name of an item {item:D6}\"").ToList();
            var line = $"{{\"id\":\"record-{n:D8}\",\"prompt\":{{\"history\":[{string.Join(',', names[..9])}]}},\"chosen\":{names[9]},\"rejected\":[{string.Join(',', names[10..])}]";
            writer.WriteLine($"{line},\"meta\":\"{new string('x', Math.Max(0, RecordBytes - line.Length - 12))}\"}}");
        }
    }
}
