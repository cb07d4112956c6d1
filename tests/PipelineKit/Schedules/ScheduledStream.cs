using System.Text;
using System.Text.Json;
using MassDpo.App.Running;
using MassDpo.Ingest.Sources;
using MassDpo.Policy;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Sources;

namespace MassDpo.PipelineKit.Schedules;

/// <summary>The data of one schedule. Which kind a record is can be told from its first candidate's place in the file: line i has the id <c>r{i}</c>.</summary>
internal sealed class ScheduledStream : ISimulatedStream
{
    private readonly string _file;
    private readonly PipelineSchedule _schedule;
    // What stands at a position, once anybody has asked.
    private Dictionary<Position, (RecordKind Kind, SourceEntry.Bytes Entry)>? _entries;

    public ScheduledStream(PipelineSchedule schedule, LoadedPolicy policy, string file)
    {
        (_schedule, Policy, _file) = (schedule, policy, file);
        using var data = File.Create(file);
        var items = MadePolicy.Items(policy.Config);
        for (var i = 0; i < schedule.Lines.Count; i++)
        {
            var random = new StableRandom(schedule.Seed, i, 0xDA7A);
            data.Write(Line(i, schedule.Lines[i], items, ref random));
            data.WriteByte((byte)'\n');
        }
    }

    public LoadedPolicy Policy { get; }

    public string PolicyDirectory => Policy.Origin.Base;

    public FileSource Open(RunOptions options) => new([_file], options.Files);

    /// <summary>Whether every selector fails on a record.</summary>
    public bool IsPoison(CandidatePool pool) => _schedule.Lines[int.Parse(pool.Id.AsSpan(1))] == RecordKind.Poison;

    /// <summary>What stands at each position of the input of the last start.</summary>
    public IReadOnlyDictionary<Position, (RecordKind Kind, SourceEntry.Bytes Entry)> Entries => _entries ??= Read();

    private Dictionary<Position, (RecordKind, SourceEntry.Bytes)> Read()
    {
        var entries = new Dictionary<Position, (RecordKind, SourceEntry.Bytes)>();
        var source = Open(_schedule.OptionsOf(_schedule.Lives[^1]));
        var reading = source.ReadAsync(new SettledPositions(), CancellationToken.None).GetAsyncEnumerator();
        while (reading.MoveNextAsync().AsTask().GetAwaiter().GetResult())
            if (reading.Current is SourceEntry.Bytes entry)
                entries[entry.Position] = (_schedule.Lines[(int)entry.Line - 1], entry with { Json = entry.Json.ToArray() });
        reading.DisposeAsync().AsTask().GetAwaiter().GetResult();
        source.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return entries;
    }

    /// <summary>The record of a number and kind, as JSON; what else is in it the seed draws.</summary>
    internal static byte[] RecordOf(int seed, int number, RecordKind kind, PolicyConfig config)
    {
        var random = new StableRandom(seed, number, 0xDA7A);
        return Line(number, kind, MadePolicy.Items(config), ref random);
    }

    private static byte[] Line(int number, RecordKind kind, IReadOnlyList<string> items, ref StableRandom random)
    {
        var history = Draw(items, 1 + random.Below(5), ref random);
        var rejected = Rejected(items, 1 + random.Below(9), ref random);
        var chosen = items[random.Below(items.Count)];
        return kind switch
        {
            RecordKind.Malformed => "{\"prompt\": {\"history\": [\"i1\"]}, \"chosen\""u8.ToArray(),
            RecordKind.NotUtf8 => [.. "{\"id\": \""u8, 0xC3, 0x28, .. "\"}"u8],
            RecordKind.UnknownItem => Json(number, history, "nowhere", rejected),
            RecordKind.EmptyPool => Json(number, history, chosen, [chosen, chosen]),
            _ => Json(number, history, chosen, rejected),
        };
    }

    private static string[] Draw(IReadOnlyList<string> items, int count, ref StableRandom random)
    {
        var drawn = new string[count];
        for (var i = 0; i < count; i++)
            drawn[i] = items[random.Below(items.Count)];
        return drawn;
    }

    // One in ten is unknown, and drawn with replacement some come twice. Two differ and are known, so one of them is not the chosen one.
    private static string[] Rejected(IReadOnlyList<string> items, int count, ref StableRandom random)
    {
        while (true)
        {
            var rejected = Draw(items, count + 1, ref random);
            for (var i = 2; i < rejected.Length; i++)
                if (random.Below(10) == 0)
                    rejected[i] = "unknown-" + i;
            if (rejected[0] != rejected[1])
                return rejected;
        }
    }

    private static byte[] Json(int number, string[] history, string chosen, string[] rejected) =>
        Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { id = $"r{number}", prompt = new { history }, chosen, rejected }));
}
