using System.Text;
using System.Text.Json;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.Learner.Tests.Running;

/// <summary>The logs of a run as they lie on disk.</summary>
internal sealed class RunLogs
{
    public RunLogs(string output)
    {
        SelectionLines = Lines(output, "selections.jsonl");
        Selections = [.. SelectionLines.Select(line => EventLine.Read(Encoding.UTF8.GetBytes(line)))];
        UpdateLines = Lines(output, "updates.jsonl");
        Updates = [.. UpdateLines.Select(line => UpdateEntry.Read(Encoding.UTF8.GetBytes(line)))];
        Metrics = [.. Lines(output, "metrics.jsonl").Select(line => JsonDocument.Parse(line).RootElement)];
        DeadLetters = [.. Lines(output, "dead-letters.jsonl").Select(line => JsonDocument.Parse(line).RootElement)];
    }

    public IReadOnlyList<string> SelectionLines { get; }

    public IReadOnlyList<SelectionEvent> Selections { get; }

    public IReadOnlyList<string> UpdateLines { get; }

    public IReadOnlyList<UpdateEntry> Updates { get; }

    public IReadOnlyList<JsonElement> Metrics { get; }

    public IReadOnlyList<JsonElement> DeadLetters { get; }

    public IEnumerable<Position> Dead => DeadLetters.Select(letter => Position.Parse(letter.GetProperty("position").GetString()!));

    /// <summary>What two runs of the same stream share of an event.</summary>
    public IEnumerable<string> Hashes => SelectionLines.Select(line => EventLine.HashOf(Encoding.UTF8.GetBytes(line)));

    /// <summary>
    /// What holds of the logs of every run that has ended, whatever befell it: each record settled once, one event for each that was applied, in slot order, and updates that
    /// follow one another and tell of just these.
    /// </summary>
    public void AssertWhole(MadeRun made)
    {
        Assert.Equal(made.Records.Select(record => record.Position).Order(ByIndex), Selections.Select(e => e.Position).Concat(Dead).Order(ByIndex));
        Assert.Equal(Enumerable.Range(1, Updates.Count).Select(version => (long)version), Updates.Select(update => update.Version));
        Assert.Equal(Updates.Select(update => update.Version), Metrics.Select(line => line.GetProperty("version").GetInt64()));
        var size = made.Options.Slots.BatchSize;
        var events = new Queue<(SelectionEvent Event, string Hash)>(Selections.Zip(Hashes));
        foreach (var update in Updates)
        {
            Assert.Equal((update.Version - 1) * size, update.FirstSlot);
            Assert.True(update.Positions.Count == size || (update == Updates[^1] && update.Positions.Count is > 0 && update.Positions.Count < size));
            Assert.Equal(update.Positions.Count, update.BlockCounts.Sum());
            for (var i = 0; i < update.Positions.Count; i++)
            {
                if (update.Positions[i] is not { } position)
                {
                    Assert.Null(update.EventHashes[i]);
                    continue;
                }
                var (e, hash) = events.Dequeue();
                Assert.Equal((position, update.FirstSlot + i, update.EventHashes[i]), (e.Position, e.Slot, hash));
                Assert.InRange(e.Lag, 0, made.Options.Slots.MaxStaleness);
                Assert.Equal(update.Version - 1 - e.Lag, e.Version);
            }
            Assert.Equal(update.Applied == 0, update.Loss is null);
        }
        Assert.Empty(events);
    }

    private static readonly Comparer<Position> ByIndex = Comparer<Position>.Create((a, b) => (a.Source, a.Pass, a.Index).CompareTo((b.Source, b.Pass, b.Index)));

    private static List<string> Lines(string output, string name)
    {
        var lines = new List<string>();
        foreach (var path in LogSegments.PathsOf(PhysicalFiles.Instance, Path.Combine(output, name)))
        {
            var text = File.ReadAllText(path);
            Assert.True(text.Length == 0 || text.EndsWith('\n'), $"{path} ends in a torn line");
            lines.AddRange(text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        return lines;
    }
}
