using MassDpo.App.Running;
using MassDpo.Audit.Logs;
using MassDpo.Ingest.Sources;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;

namespace MassDpo.PipelineKit;

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
        return new RunTrace(ContentHash.Of(File.ReadAllBytes(Path.Combine(output, "policy", "model.safetensors"))), LogText.Read(output, "updates.jsonl"),
            [.. events.Select(e => e.Hash)], [.. RunLog.Updates(Path.Combine(output, "updates.jsonl")).SelectMany(update => update.Positions).OfType<Position>()],
            [.. DeadLetters.Read(output).Select(letter => (letter.Position, letter.Code)).OrderBy(letter => (letter.Position.Pass, letter.Position.Index))],
            [.. events.Select(e => e.Event.Lag)]);
    }

    /// <summary>Runs to the end in one go and reads back what came out.</summary>
    public static RunTrace Whole(SimulatedStream stream, RunOptions options, int seed, Func<PipelineLinks, PipelineLinks>? faults = null)
    {
        using var run = new SimulatedRun(stream, options, seed, stream.NewOutput(), faults);
        run.End();
        return Of(run.Output);
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
