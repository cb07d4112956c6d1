using System.Text;
using System.Text.Json.Nodes;
using MassDpo.Audit.Logs;
using MassDpo.ChaosKit.Processes;
using MassDpo.Ingest.Sources;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.ChaosKit;

/// <summary>
/// The books of a run over Kafka that has ended, held against its topics: what the input holds is settled, each position once, and nothing else is; versions only grow
/// within an epoch; no selection is older than it may be; and who reads events and dead letters, and takes the highest epoch of each position, comes to the learner's logs.
/// </summary>
/// <param name="Ledger">the learner's books</param>
/// <param name="Records">in the input</param>
/// <param name="Doubled">of these, lines of the data that the input holds more than once</param>
/// <param name="Epochs">that were claimed, as far as the topic tells</param>
/// <param name="Lags">how many selections were how many versions old</param>
/// <param name="Told">outcomes in events and dead letters, superseded ones among them</param>
public sealed record KafkaBooks(RunLedger Ledger, int Records, int Doubled, int Epochs, IReadOnlyDictionary<long, int> Lags, int Told)
{
    /// <summary>Reads and checks.</summary>
    /// <param name="kafka">how to reach the cluster</param>
    /// <param name="run">that has ended</param>
    /// <param name="lines">of its data</param>
    /// <exception cref="InvalidDataException">the books do not agree; the message says where</exception>
    public static async Task<KafkaBooks> ReadAsync(KafkaOptions kafka, RoleRun run, int lines)
    {
        var ledger = RunLedger.Read(run.Output);
        var input = new List<(Position Position, string Line)>();
        await foreach (var message in All(kafka, RoleRun.Topic))
            if (!EndMarker.Is(message.Headers))
                input.Add((new Position($"{RoleRun.Topic}/{message.Partition}", 0, message.Offset), CloudEvents.Read(message.Headers, "ce_id")!));
        var wanted = Enumerable.Range(0, lines).Select(line => new Position(FileSource.SourceName, 0, line).ToString()).ToHashSet();
        Check(wanted.SetEquals(input.Select(record => record.Line)), "the input does not hold each line of the data");
        ledger.CheckEachOnce(input.Select(record => record.Position));
        var epochs = await CheckVersionsAsync(kafka);
        var lags = new SortedDictionary<long, int>();
        using (var directory = RunDirectory.Open(run.Output, Shared.Files.PhysicalFiles.Instance))
            foreach (var (e, _) in RunLog.Events(directory.Selections))
                lags[e.Lag] = lags.GetValueOrDefault(e.Lag) + 1;
        Check(lags.Keys.All(lag => lag >= 0 && lag <= run.Staleness), $"selections are up to {lags.Keys.Max()} versions old, and {run.Staleness} is allowed");
        return new KafkaBooks(ledger, input.Count, input.Count - lines, epochs, lags, await CheckOutcomesAsync(kafka, ledger));
    }

    // Claims and notices in their order, as all who read them hear them.
    private static async Task<int> CheckVersionsAsync(KafkaOptions kafka)
    {
        var (order, epochs, version) = (new ControlOrder(), 0, (Epoch: long.MinValue, Number: long.MinValue));
        await foreach (var message in All(kafka, "massdpo.control"))
        {
            if (message.Partition != 0)
                continue;
            var (notice, claim, _) = NoticeCodec.Decode(message.Value);
            if (claim is not null)
                epochs += order.Claim(claim) ? 1 : 0;
            else if (order.Hear(notice!) && Version(notice!) is { } next)
            {
                Check(notice!.Epoch > version.Epoch || (next - version.Number) is 0 or 1, $"version {next} of epoch {notice.Epoch} follows version {version.Number} of epoch {version.Epoch}");
                version = (notice.Epoch, next);
            }
        }
        return epochs;

        static long? Version(ControlNotice notice) => notice switch { EpochOpened opened => opened.Version, BatchClosed closed => closed.Version, _ => null };
    }

    // For a position the highest epoch holds, over both topics.
    private static async Task<int> CheckOutcomesAsync(KafkaOptions kafka, RunLedger ledger)
    {
        var (told, newest) = (0, new Dictionary<Position, (long Epoch, string Outcome)>());
        foreach (var topic in new[] { "massdpo.events", "massdpo.dead-letters" })
            await foreach (var message in All(kafka, topic))
            {
                told++;
                var position = Position.Parse(Encoding.UTF8.GetString(message.Key!));
                var epoch = long.Parse(CloudEvents.Read(message.Headers, "massdpo_epoch")!, System.Globalization.CultureInfo.InvariantCulture);
                var outcome = topic == "massdpo.events" ? Applied : CloudEvents.Read(message.Headers, "massdpo_code")!;
                if (!newest.TryGetValue(position, out var before) || epoch >= before.Epoch)
                    newest[position] = (epoch, outcome);
            }
        var logged = ledger.Applied.Select(position => (position, Applied)).Concat(ledger.Dead.Select(dead => (dead.Position, dead.Code)));
        var differs = newest.Select(one => (one.Key, one.Value.Outcome)).ToHashSet();
        differs.SymmetricExceptWith(logged);
        Check(differs.Count == 0, $"{differs.Count} outcomes of the topics are not those of the logs: {string.Join(", ", differs.Take(5))}");
        return told;
    }

    private const string Applied = "applied";

    private static IAsyncEnumerable<TopicMessage> All(KafkaOptions kafka, string topic) => TopicReader.ReadAsync(kafka, topic, fromBeginning: true, untilEnd: true, CancellationToken.None);

    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidDataException(otherwise);
    }
}
