using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using MassDpo.Cluster.Serialization;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using MassDpo.Shared.Sources;
using static System.FormattableString;

namespace MassDpo.Cluster.Bench;

/// <summary>Messages/s through the binary serializer, there and back on one thread, against System.Text.Json of the same records by reflection, in turns.</summary>
internal static class SerializerRate
{
    private const int Records = 8;
    private const int Candidates = 20;
    private static readonly TimeSpan Each = TimeSpan.FromMilliseconds(400);
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    public static void Run(int rounds)
    {
        using var system = (Akka.Actor.ExtendedActorSystem)Akka.Actor.ActorSystem.Create("bench");
        var serializer = new WireSerializer(system);
        var block = new SlotBlock(3, 17, 8 * 70, Records, 1);
        List<(string Name, object Message)> kinds =
        [
            ("control message: slots are asked for", new SlotRequest("127.0.0.1:4053-ab12/intake-1/intake", 3, 123_456, [new PassEnd("files", 0, 8000)], false, InputShare.All("files"))),
            ("control message: a block is held", new BlockHeld("127.0.0.1:4054-ab12/selector-1", block)),
            ("notice: slots are granted", new SlotsGranted(3, "127.0.0.1:4053-ab12/intake-1/intake", block)),
            (Invariant($"block of pools, {Records} × {Candidates} candidates, few tokens"), Pools(block, Few())),
            ("the same block, selections", Selections(block, Few())),
            (Invariant($"block of pools, {Records} × 4 candidates, long texts"), Pools(block, Long())),
            ("the same block, selections", Selections(block, Long())),
        ];
        Machine.Print();
        Console.WriteLine(Invariant($"There and back on one thread, {rounds} rounds in turns of {Each.TotalMilliseconds} ms; medians (from–to). The rival is System.Text.Json by reflection. Of a selection the binary form carries what the learner trains on and the log's line, JSON all."));
        Console.WriteLine();
        Console.WriteLine("| message | bytes | messages/s | MB/s | allocated a message, bytes | JSON: bytes | messages/s | allocated | binary / JSON |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var (name, message) in kinds)
        {
            var manifest = serializer.Manifest(message);
            var bytes = serializer.ToBinary(message);
            if (!serializer.ToBinary(serializer.FromBinary(bytes, manifest)).AsSpan().SequenceEqual(bytes))
                throw new InvalidDataException($"{name}: what is read back is not what was written");
            var type = message.GetType();
            var json = JsonSerializer.SerializeToUtf8Bytes(message, type, Json);
            if (JsonSerializer.SerializeToUtf8Bytes(JsonSerializer.Deserialize(json, type, Json), type, Json).Length != json.Length)
                throw new InvalidDataException($"{name}: what JSON reads back is not what it wrote");
            var (ours, theirs) = (new List<Measured>(), new List<Measured>());
            for (var round = 0; round <= rounds; round++)
            {
                var (one, other) = (Measure(() => serializer.FromBinary(serializer.ToBinary(message), manifest)),
                    Measure(() => JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(message, type, Json), type, Json)!));
                // The first is for the compiler.
                if (round == 0)
                    continue;
                ours.Add(one);
                theirs.Add(other);
            }
            Console.WriteLine(Invariant($"| {name} | {bytes.Length:N0} | {ours.ConvertAll(m => m.Rate).Spread("N0")} | {ours.ConvertAll(m => m.Rate * bytes.Length / 1e6).Median():N0} | {ours.ConvertAll(m => m.Allocated).Median():N0} | ")
                + Invariant($"{json.Length:N0} | {theirs.ConvertAll(m => m.Rate).Spread("N0")} | {theirs.ConvertAll(m => m.Allocated).Median():N0} | {ours.Zip(theirs, (a, b) => a.Rate / b.Rate).ToList().Spread("F2")} |"));
        }
    }

    private static Measured Measure(Func<object> call)
    {
        var (began, allocated, calls) = (Stopwatch.GetTimestamp(), GC.GetAllocatedBytesForCurrentThread(), 0L);
        while (Stopwatch.GetElapsedTime(began) < Each)
        {
            for (var i = 0; i < 16; i++)
                GC.KeepAlive(call());
            calls += 16;
        }
        return new Measured(calls / Stopwatch.GetElapsedTime(began).TotalSeconds, (GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)calls);
    }

    private static PoolBlock Pools(SlotBlock block, CandidatePool[] pools) => new(block, pools);

    private static SelectionBlock Selections(SlotBlock block, CandidatePool[] pools) => new(block, "127.0.0.1:4054-ab12/selector-1", 15, [.. pools.Select((pool, i) => MadeSelection.Of(pool, [3, 1, 2],
        [-1.5f, -2.25f, -3.75f, -4.5f], e => e with
        {
            Slot = block.First + i,
            Version = 15,
            PolicyHash = ContentHash.Of("policy"),
            ReferenceHash = ContentHash.Of("reference"),
            Method = "mass",
            Rho = 0.01,
            Gamma = 0.125,
            Features = "output",
            Candidates = [.. e.Candidates.Select((candidate, j) => candidate with { Logp = -7.165123f - j, LogpRef = -7.0625f - j, Z = 0.1234567 * j, P = 1.0 / (j + 2) })],
            Picks = [.. e.Picks.Select(pick => pick with { Gain = 0.123456789 * pick.Index, RunnerUp = 4, RunnerUpGain = 0.1 })],
            Information = 0.987654321,
            Bound = 1.23456789,
            Rank = 3,
            Lag = 2,
            Epoch = block.Epoch,
            Selector = "127.0.0.1:4054-ab12/selector-1",
            Timing = new SelectionTiming(43.1, 3.9, 12.5),
        }, new RecordMeasures(3, -0.75, 0.5)))]);

    // Histories of items, as the demo has them.
    private static CandidatePool[] Few()
    {
        var random = new StableRandom(1, 0xF3);
        return [.. Enumerable.Range(0, Records).Select(i => Pool(MadePolicy.Pool(ref random, 1200, Candidates, longestPrompt: 10, longestResponse: 1), i, token => $"Electric Harbour {token}"))];
    }

    // Prompts of 200 words and responses of 100.
    private static CandidatePool[] Long()
    {
        var random = new StableRandom(1, 0x1);
        var words = new int[Records][][];
        for (var i = 0; i < Records; i++)
            words[i] = [.. Enumerable.Range(0, 5).Select(part => part == 0 ? 200 : 100).Select(length => Enumerable.Range(0, length).ToArray())];
        foreach (var word in words.SelectMany(pool => pool))
            for (var i = 0; i < word.Length; i++)
                word[i] = random.Below(32_000);
        return [.. words.Select((pool, i) => Pool(new EncodedPool(pool[0], pool[1..]), i, token => $"word{token}"))];
    }

    private static CandidatePool Pool(EncodedPool tokens, int index, Func<int, string> text)
    {
        var record = new PreferenceRecord { Id = $"stream-{index:D6}", Prompt = Prompt.OfText(Text(tokens.Prompt)), Candidates = [.. tokens.Responses.Select(Text)] };
        var line = Encoding.UTF8.GetBytes($"{{\"id\":\"{record.Id}\",\"prompt\":\"{record.Prompt.Text}\",\"chosen\":\"{record.Candidates[0]}\",\"rejected\":[{string.Join(',', record.Candidates.Skip(1).Select(candidate => $"\"{candidate}\""))}]}}");
        return new CandidatePool(record, record.Id, tokens, new Position("files", 0, index), RecordOrigin.Of("stream.jsonl", index + 1, line));

        string Text(int[] ids) => string.Join(' ', ids.Select(text));
    }

    private readonly record struct Measured(double Rate, double Allocated);
}
