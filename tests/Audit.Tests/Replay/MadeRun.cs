using MassDpo.Audit.Replay;
using MassDpo.Shared.Contracts;
using MassDpo.TestKit;

namespace MassDpo.Audit.Tests.Replay;

/// <summary>
/// The logs of a run of three updates with two slots each, one of them empty, that trained a toy: its weights are a text, which each batch makes longer.
/// </summary>
internal sealed class MadeRun : IDisposable
{
    private const int Batch = 2;

    private readonly TempFolder _folder = new();

    /// <param name="describe">changes events before they are logged, so that both logs agree on it</param>
    public MadeRun(Func<SelectionEvent, SelectionEvent>? describe = null)
    {
        var toy = new Toy();
        var hashes = new List<string> { toy.Hash() };
        var (events, updates) = (new List<string>(), new List<string>());
        foreach (var batch in Positions.Chunk(Batch))
        {
            var version = hashes.Count - 1;
            var lines = batch.Select((position, i) => position is { } p ? EventLine.Of((describe ?? (e => e))(Event(p, version * Batch + i, version, hashes))) : (EventLine?)null).ToList();
            var trained = toy.Train(version + 1, [.. batch.Select(position => position is { } p ? new Selection(Toy.Pool(p), [2], [-1, -2], Event(p, 0, 0, hashes), default, null) : null)]);
            hashes.Add(toy.Hash());
            events.AddRange(lines.OfType<EventLine>().Select(line => Text(line.Bytes.Span)));
            updates.Add(Text(new UpdateEntry(version + 1, version * Batch, batch, [.. lines.Select(line => line?.Hash)], [1, 1], trained.Loss, trained.LearningRate).ToLine()));
        }
        Hash = toy.Hash();
        Selections = _folder.Write("selections.jsonl", string.Concat(events));
        Updates = _folder.Write("updates.jsonl", string.Concat(updates));
    }

    public static IReadOnlyList<Position?> Positions { get; } = [At(0), At(1), At(2), null, At(4), At(3)];

    public string Updates { get; }

    public string Selections { get; }

    /// <summary>Of the toy at the end.</summary>
    public string Hash { get; }

    public static Position At(int index) => new("made", 0, index);

    public Task<ReplayResult> Replay(Toy? target = null, Action<UpdateEntry>? progress = null, CancellationToken cancellation = default) =>
        new Replayer(Updates, Selections).RunAsync(target ?? new Toy(), progress ?? (_ => { }), cancellation);

    /// <summary>Replaces text in one line of a log, which must hold it.</summary>
    public static void Edit(string log, int line, string text, string by)
    {
        var lines = File.ReadAllLines(log);
        Assert.Contains(text, lines[line - 1]);
        lines[line - 1] = lines[line - 1].Replace(text, by);
        File.WriteAllLines(log, lines);
    }

    public static void DeleteLine(string log, int line) => File.WriteAllLines(log, File.ReadAllLines(log).Where((_, i) => i != line - 1));

    public void Dispose() => _folder.Dispose();

    // The second batch was chosen for with the first version of the policy: its lag is 1.
    private static SelectionEvent Event(Position position, long slot, int version, List<string> hashes)
    {
        var used = version == 1 ? 0 : version;
        return new SelectionEvent
        {
            Id = position.ToString(),
            Position = position,
            Slot = slot,
            Version = used,
            PolicyHash = hashes[used],
            Method = "made",
            K = 1,
            Beta = 1,
            Candidates = [.. Toy.Pool(position).Record.Candidates.Select((text, i) => new CandidateEvent(ContentHash.Of(text)[..16], null, i == 1 ? null : -1 - i / 2f, null, null))],
            Picks = [new PickEvent(2, 0.5, null, null)],
            Lag = version - used,
        };
    }

    private static string Text(ReadOnlySpan<byte> utf8) => System.Text.Encoding.UTF8.GetString(utf8);
}

/// <summary>Something to train that needs no tensors, and the records of a <see cref="MadeRun"/>.</summary>
internal sealed class Toy : IReplayTarget
{
    private string _weights = "start";
    private int _steps;

    public string Weights { init => _weights = value; }

    /// <summary>Changes the data.</summary>
    public Func<CandidatePool, CandidatePool> Change { get; init; } = pool => pool;

    /// <summary>What is added to each loss, as another build might.</summary>
    public double Off { get; init; }

    /// <summary>What each learning rate is multiplied with.</summary>
    public double Rate { get; init; } = 1;

    public List<string> Trained { get; } = [];

    public static CandidatePool Pool(Position position) => new(
        new PreferenceRecord { Prompt = Prompt.OfText("which"), Candidates = [.. Enumerable.Range(0, 3).Select(i => $"{position} {i}")] }, position.ToString(),
        new EncodedPool([0], [[1], [2], [3]]), position, RecordOrigin.Of("made", position.Index, []));

    public ValueTask<CandidatePool> FindAsync(Position position, CancellationToken cancellation) => ValueTask.FromResult(Change(Pool(position)));

    public ReplayedUpdate Train(long version, IReadOnlyList<Selection?> batch)
    {
        foreach (var selection in batch)
        {
            var trained = selection is null ? "nothing" : $"{selection.Pool.Position} {string.Join(",", selection.Picks)} {string.Join(",", selection.ReferenceLogps)}";
            Trained.Add(trained);
            _weights += trained;
        }
        return new ReplayedUpdate(_weights.Length / 7.0 + Off, Rate * ++_steps / 10.0);
    }

    public string? ReferenceHash { get; init; }

    public string Hash() => ContentHash.Of(_weights);
}
