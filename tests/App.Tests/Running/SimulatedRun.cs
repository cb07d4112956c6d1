using MassDpo.App.Running;
using MassDpo.Audit.Logs;
using MassDpo.Audit.Replay;
using MassDpo.Ingest.Sources;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Settings;
using MassDpo.TestKit.Simulation;

namespace MassDpo.App.Tests.Running;

/// <summary>A whole pipeline on a simulated host: its schedule and its time come from a seed, its files are real.</summary>
public sealed class SimulatedRun : IDisposable
{
    private readonly SimulatedHost _host;
    private readonly PipelineLinks _links;
    private readonly RunDirectory _directory;
    private readonly FileSource _source;
    private readonly Pipeline _pipeline;
    private bool _freed;

    /// <param name="stream">what to learn</param>
    /// <param name="options">how</param>
    /// <param name="seed">of the schedule</param>
    /// <param name="output">where to write, or to go on</param>
    /// <param name="faults">puts links that misbehave over the ones given</param>
    /// <param name="progress">told of each update; may throw</param>
    /// <param name="files">what it writes through</param>
    public SimulatedRun(SimulatedStream stream, RunOptions options, int seed, string output, Func<PipelineLinks, PipelineLinks>? faults = null,
        Action<LearnerProgress>? progress = null, IFiles? files = null)
    {
        Output = output;
        _host = new SimulatedHost(seed);
        _links = PipelineLinks.Local();
        _directory = RunDirectory.Open(output, files ?? PhysicalFiles.Instance);
        _source = stream.Open(options);
        RunInputs.Of(stream.PolicyDirectory, _source, options).Write(_directory);
        _pipeline = new Pipeline(_host, faults?.Invoke(_links) ?? _links, stream.Policy, _source, _directory, options, continueWithChanges: false,
            progress ?? (_ => { }), Tapped.Add);
    }

    public string Output { get; }

    /// <summary>Events in the order in which they were told.</summary>
    public List<SelectionEvent> Tapped { get; } = [];

    /// <summary>Steps of the schedule until the run had ended.</summary>
    public long StepsToEnd { get; private set; }

    public int Restarts => _host.Restarts;

    /// <summary>Runs to the end of the input, or to the end after <see cref="Stop"/>, and frees what the run holds.</summary>
    public LearnerOutcome End()
    {
        _host.RunUntil(() => _pipeline.HasEnded);
        StepsToEnd = _host.Taken;
        var outcome = _pipeline.EndAsync().GetAwaiter().GetResult();
        Dispose();
        return outcome;
    }

    /// <summary>Runs so many steps, or to the end.</summary>
    public void Step(long steps)
    {
        var until = _host.Taken + steps;
        _host.RunUntil(() => _host.Taken >= until || _pipeline.HasEnded);
    }

    /// <summary>Asks for an orderly end.</summary>
    public void Stop() => _pipeline.Stop();

    /// <summary>What a process that is killed now leaves in an output directory, as one of its own.</summary>
    public static string Killed(string output, string copy)
    {
        Directory.CreateDirectory(copy);
        foreach (var folder in Directory.EnumerateDirectories(output, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(copy, Path.GetRelativePath(output, folder)));
        foreach (var file in Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories))
        {
            var relative = Path.GetRelativePath(output, file);
            if (relative == "lock")
                continue;
            File.Copy(file, Path.Combine(copy, relative));
        }
        return copy;
    }

    public void Dispose()
    {
        if (_freed)
            return;
        _freed = true;
        if (!_host.Failure.IsFaulted)
            _host.Stop();
        _links.Dispose();
        _directory.Dispose();
        _source.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Runs to the end in one go and reads back what came out.</summary>
    public static RunTrace Whole(SimulatedStream stream, RunOptions options, int seed, Func<PipelineLinks, PipelineLinks>? faults = null)
    {
        using var run = new SimulatedRun(stream, options, seed, stream.NewOutput(), faults);
        run.End();
        return RunTrace.Of(run.Output);
    }
}

/// <summary>What a run left behind.</summary>
/// <param name="Weights">hash of the weights' file</param>
/// <param name="Updates">the update log, byte for byte</param>
/// <param name="Events">hashes of the events, in order</param>
/// <param name="Trained">positions trained on, in order</param>
/// <param name="Dead">positions in dead letters, with the reason's code, sorted</param>
/// <param name="Lags">of the events</param>
public sealed record RunTrace(string Weights, string Updates, IReadOnlyList<string> Events, IReadOnlyList<Position> Trained, IReadOnlyList<(Position Position, string Code)> Dead,
    IReadOnlyList<long> Lags)
{
    public static RunTrace Of(string output)
    {
        var events = RunLog.Events(Path.Combine(output, "selections.jsonl")).ToList();
        return new RunTrace(ContentHash.Of(File.ReadAllBytes(Path.Combine(output, "policy", "model.safetensors"))), ReadLog(output, "updates.jsonl"),
            [.. events.Select(e => e.Hash)], [.. RunLog.Updates(Path.Combine(output, "updates.jsonl")).SelectMany(update => update.Positions).OfType<Position>()],
            [.. DeadLetters.Read(output).Select(letter => (letter.Position, letter.Code)).OrderBy(letter => (letter.Position.Pass, letter.Position.Index))],
            [.. events.Select(e => e.Event.Lag)]);
    }

    /// <summary>A log as text, all of its segments.</summary>
    public static string ReadLog(string output, string name)
    {
        var log = Path.Combine(output, name);
        return string.Concat(LogSegments.In(PhysicalFiles.Instance, log).Select(begin => File.ReadAllText(LogSegments.PathOf(log, begin))));
    }

    /// <summary>Bit for bit the same training.</summary>
    public void AssertSame(RunTrace other)
    {
        Assert.Equal(other.Updates, Updates);
        Assert.Equal(other.Events, Events);
        Assert.Equal(other.Dead, Dead);
        Assert.Equal(other.Weights, Weights);
    }

    /// <summary>Every position of the stream was trained on or is dead, and once.</summary>
    public void AssertEachPositionOnce()
    {
        var expected = Enumerable.Range(0, SimulatedStream.Passes).SelectMany(pass => Enumerable.Range(0, SimulatedStream.Lines).Select(index => new Position(FileSource.SourceName, pass, index)));
        Assert.Equal(expected, Trained.Concat(Dead.Select(letter => letter.Position)).OrderBy(position => (position.Pass, position.Index)));
    }

    /// <summary>Logs, records and weights agree: a replay makes the same policy.</summary>
    public void AssertReplays(string output, string again)
    {
        var result = ReplayJob.RunAsync(output, again, run => EffectiveSettings.Load(null, [], [], [], run), note => Assert.Fail(note), _ => { }, CancellationToken.None).GetAwaiter().GetResult();
        Assert.Equal(Trained.Count, result.Records);
        Assert.Equal(Weights, ContentHash.Of(File.ReadAllBytes(Path.Combine(again, "model.safetensors"))));
    }
}
