using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Audit.Logs;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy.Lora;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.ChaosKit;

/// <summary>
/// The books of a run that has ended, read from its output directory and checked against each other: every line whole, every position once, one event for each applied one, one
/// line of metrics for each update, the report's counts those of the logs, and nothing left of what was written aside.
/// </summary>
/// <param name="Weights">hash of the policy's file of weights</param>
/// <param name="Updates">the update log, byte for byte</param>
/// <param name="Events">hashes of the events, in order</param>
/// <param name="Applied">positions trained on, in order</param>
/// <param name="Dead">positions in dead letters, with the reason's code</param>
/// <param name="Epochs">starts of the run that trained on something</param>
public sealed record RunLedger(string Weights, string Updates, IReadOnlyList<string> Events, IReadOnlyList<Position> Applied, IReadOnlyList<(Position Position, string Code)> Dead, int Epochs)
{
    /// <summary>Reads and checks. It also holds the directory's lock meanwhile: nobody else may.</summary>
    /// <exception cref="InvalidDataException">the books do not agree; the message says where</exception>
    public static RunLedger Read(string output)
    {
        using var directory = RunDirectory.Open(output, PhysicalFiles.Instance);
        foreach (var log in new[] { directory.Selections, directory.Updates, directory.Metrics, directory.DeadLetters })
            CheckLines(log);
        var report = JsonNode.Parse(File.ReadAllText(directory.Report))!;
        var (applied, hashes, epochs) = CheckUpdates(directory, int.Parse((string)report["settings"]!["learner.batch"]!, CultureInfo.InvariantCulture));
        var dead = Objects(directory.DeadLetters).Select(letter => (Position.Parse((string)letter["position"]!), (string)letter["code"]!)).ToList();
        var seen = new HashSet<Position>();
        foreach (var position in applied.Concat(dead.Select(letter => letter.Item1)))
            Check(seen.Add(position), $"{position} is settled twice");
        var updates = File.ReadAllText(directory.Updates);
        CheckReport(report, updates.Count(c => c == '\n'), applied.Count, dead.Count);
        CheckFolders(directory);
        return new RunLedger(ContentHash.Of(File.ReadAllBytes(WeightsOf(directory.Policy))), updates, hashes, applied, dead, epochs);
    }

    // Of a run that trains an adapter, that one alone.
    private static string WeightsOf(string policy) => Path.Combine(policy, "model.safetensors") is var whole && File.Exists(whole) ? whole : Path.Combine(policy, PeftDirectory.Weights);

    /// <summary>How far a run is that may not have ended: updates that its newest checkpoint holds, and how long its logs are.</summary>
    public static (long Updates, long LogBytes) Progress(string output)
    {
        if (!Directory.Exists(output))
            return (0, 0);
        var newest = new CheckpointStore(Path.Combine(output, "checkpoints"), PhysicalFiles.Instance, keep: 2).List().FirstOrDefault();
        return (newest.Version, Directory.EnumerateFiles(output, "*.jsonl*").Sum(file => new FileInfo(file).Length));
    }

    /// <exception cref="InvalidDataException">a position of so many passes over so many lines was neither trained on nor is in dead letters, or another one is</exception>
    public void CheckEachOnce(int lines, int passes) =>
        CheckEachOnce(Enumerable.Range(0, passes).SelectMany(pass => Enumerable.Range(0, lines).Select(index => new Position(FileSource.SourceName, pass, index))));

    /// <exception cref="InvalidDataException">a position of the input was neither trained on nor is in dead letters, or another one is</exception>
    public void CheckEachOnce(IEnumerable<Position> input)
    {
        var settled = Applied.Concat(Dead.Select(letter => letter.Position)).ToHashSet();
        foreach (var position in input)
            Check(settled.Remove(position), $"{position} is not settled");
        Check(settled.Count == 0, $"{settled.FirstOrDefault()} is no position of the input");
    }

    /// <exception cref="InvalidDataException">the other run, its epochs left aside, is not the same to the last bit</exception>
    public void CheckSameAs(RunLedger other)
    {
        Check(Updates == other.Updates, "the update logs differ");
        Check(Events.SequenceEqual(other.Events), "the events differ");
        Check(Dead.ToHashSet().SetEquals(other.Dead), "the dead letters differ");
        Check(Weights == other.Weights, "the weights differ");
    }

    // The line feed at the very end too: without it the last line is torn.
    private static void CheckLines(string log)
    {
        using (var stream = File.OpenRead(log))
        {
            if (stream.Length == 0)
                return;
            stream.Seek(-1, SeekOrigin.End);
            Check(stream.ReadByte() == '\n', $"{log} ends in the middle of a line");
        }
        var number = 0L;
        foreach (var line in File.ReadLines(log))
        {
            number++;
            try
            {
                using var json = JsonDocument.Parse(line);
                Check(line.StartsWith("{\"v\":1,", StringComparison.Ordinal), $"{log}, line {number} does not begin with its version");
            }
            catch (JsonException e)
            {
                throw new InvalidDataException($"{log}, line {number} is torn: {e.Message}", e);
            }
        }
    }

    private static (List<Position> Applied, List<string> Hashes, int Epochs) CheckUpdates(RunDirectory directory, int batch)
    {
        var (applied, hashes) = (new List<Position>(), new List<string>());
        var (version, epoch, epochs) = (0L, 0L, 0);
        using var events = RunLog.Events(directory.Selections).GetEnumerator();
        using var metrics = Objects(directory.Metrics).GetEnumerator();
        foreach (var update in RunLog.Updates(directory.Updates))
        {
            Check(update.Version == ++version, $"update {update.Version} stands where {version} is due");
            var slot = (version - 1) * batch;
            Check(update.FirstSlot == slot, $"update {version} begins at slot {update.FirstSlot} and not at {slot}");
            Check(metrics.MoveNext() && (long)metrics.Current["version"]! == version, $"update {version} has no line of metrics in its place");
            for (var i = 0; i < update.Positions.Count; i++, slot++)
            {
                if (update.Positions[i] is not { } position)
                    continue;
                Check(events.MoveNext(), $"{position} was trained on and has no event");
                var (e, hash) = events.Current;
                Check(e.Position == position && e.Slot == slot && hash == update.EventHashes[i], $"the event of slot {slot} is not the one that update {version} names");
                Check(e.Epoch >= epoch, $"epoch {e.Epoch} follows epoch {epoch}");
                epochs += e.Epoch > epoch ? 1 : 0;
                epoch = e.Epoch;
                applied.Add(position);
                hashes.Add(hash);
            }
        }
        Check(!events.MoveNext(), "there is an event that no update was trained on");
        Check(!metrics.MoveNext(), "there is a line of metrics without an update");
        return (applied, hashes, epochs);
    }

    private static void CheckReport(JsonNode report, int updates, int applied, int dead)
    {
        var counts = report["counts"]!;
        Check(((int)report["updates"]!, (int)counts["applied"]!, (int)counts["dead"]!, (int)counts["read"]!) == (updates, applied, dead, applied + dead),
            $"the report counts {report["updates"]} updates and {counts.ToJsonString()}, the logs {updates}, {applied} applied and {dead} dead");
    }

    private static void CheckFolders(RunDirectory directory)
    {
        var left = Directory.EnumerateFileSystemEntries(directory.Root, "*", SearchOption.AllDirectories).FirstOrDefault(path => Path.GetExtension(path) is ".writing" or ".replaced");
        Check(left is null, $"{left} was left");
        var checkpoints = Directory.GetDirectories(directory.Checkpoints, "v*");
        Check(checkpoints.Length is 1 or 2, $"there are {checkpoints.Length} checkpoints");
    }

    private static IEnumerable<JsonObject> Objects(string log) => File.ReadLines(log, Encoding.UTF8).Select(line => JsonNode.Parse(line)!.AsObject());

    private static void Check(bool holds, string otherwise)
    {
        if (!holds)
            throw new InvalidDataException(otherwise);
    }
}
