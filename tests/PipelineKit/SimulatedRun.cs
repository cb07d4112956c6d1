using MassDpo.App.Running;
using MassDpo.Ingest.Sources;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Selection.References;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Telemetry;
using MassDpo.TestKit.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.PipelineKit;

/// <summary>What a simulated run learns: a policy and records.</summary>
public interface ISimulatedStream
{
    string PolicyDirectory { get; }

    LoadedPolicy Policy { get; }

    FileSource Open(RunOptions options);
}

/// <summary>A whole pipeline on a simulated host: its schedule and its time come from a seed, its files are real.</summary>
public sealed class SimulatedRun : IDisposable
{
    private readonly SimulatedHost _host;
    private readonly PipelineLinks _links;
    private readonly RunDirectory _directory;
    private readonly FileSource _source;
    private readonly LearnerRole _learner;
    private readonly ReferenceCache _cache;
    private bool _freed;

    /// <param name="stream">what to learn</param>
    /// <param name="options">how</param>
    /// <param name="seed">of the schedule</param>
    /// <param name="output">where to write, or to go on</param>
    /// <param name="faults">puts links that misbehave over the ones given</param>
    /// <param name="progress">told of each update; may throw</param>
    /// <param name="files">what it writes through</param>
    public SimulatedRun(ISimulatedStream stream, RunOptions options, int seed, string output, Func<PipelineLinks, PipelineLinks>? faults = null,
        Action<LearnerProgress>? progress = null, IFiles? files = null)
        : this(stream, options, new SimulatedHost(seed), output, faults, progress, files)
    {
    }

    /// <summary>The same on a host of the caller's, whose clock the links may use.</summary>
    public SimulatedRun(ISimulatedStream stream, RunOptions options, SimulatedHost host, string output, Func<PipelineLinks, PipelineLinks>? faults = null,
        Action<LearnerProgress>? progress = null, IFiles? files = null)
    {
        Output = output;
        _host = host;
        _links = PipelineLinks.Local();
        _directory = RunDirectory.Open(output, files ?? PhysicalFiles.Instance);
        _source = stream.Open(options);
        var links = faults?.Invoke(_links) ?? _links;
        RunInputs.Of(stream.PolicyDirectory, RunWiring.Embedded(links, _source), options).Write(_directory);
        _learner = new LearnerRole(_host, links, stream.Policy, _source.Identity, _directory, options, new LearnerSeams(progress ?? (_ => { }), Tapped.Add));
        _cache = SelectorRole.OpenCache(stream.Policy, options, _directory.Files, NullLogger.Instance);
        // All on the schedule's one thread.
        SelectorRole.Spawn(_host, links, stream.Policy, _cache, _source, options with { Validators = 1 });
    }

    public string Output { get; }

    /// <summary>Events in the order in which they were told.</summary>
    public List<SelectionEvent> Tapped { get; } = [];

    /// <summary>Steps of the schedule until the run had ended.</summary>
    public long StepsToEnd { get; private set; }

    public int Restarts => _host.Restarts;

    /// <summary>Where its reference log-probabilities came from.</summary>
    public ReferenceCacheUse References => _cache.Use;

    public bool HasEnded => _learner.HasEnded;

    /// <summary>Runs to the end of the input, or to the end after <see cref="Stop"/>, and frees what the run holds.</summary>
    /// <exception cref="SimulationStuckException">that takes more steps than allowed, or nothing can go on</exception>
    public LearnerOutcome End(long maxSteps = 1_000_000)
    {
        _host.RunUntil(() => _learner.HasEnded, maxSteps);
        StepsToEnd = _host.Taken;
        var outcome = _learner.EndAsync().GetAwaiter().GetResult();
        Dispose();
        return outcome;
    }

    /// <summary>Runs so many steps, or to the end, or until <paramref name="done"/> says so.</summary>
    public void Step(long steps, Func<bool>? done = null)
    {
        var until = _host.Taken + steps;
        _host.RunUntil(() => _host.Taken >= until || _learner.HasEnded || (done?.Invoke() ?? false));
    }

    /// <summary>Asks for an orderly end.</summary>
    public void Stop() => _learner.Stop();

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
        _host.Instruments.Dispose();
        _links.Dispose();
        _cache.Dispose();
        _directory.Dispose();
        _source.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
