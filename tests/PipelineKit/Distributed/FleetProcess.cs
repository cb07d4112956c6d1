using MassDpo.App.Running;
using MassDpo.Kafka.Input;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.Selection.References;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Files;
using MassDpo.TestKit.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>A process of a simulated run: a lane of steps, a client of the log, a host and its actors.</summary>
internal abstract class FleetProcess
{
    private readonly List<IDisposable> _owned = [];
    private bool _isGone;

    protected FleetProcess(Fleet fleet, string name)
    {
        (Fleet, Name, Lane) = (fleet, name, fleet.World.NewLane());
        (Client, Host) = (new LogClient(fleet.Log, Lane, name), new LaneHost(Lane));
    }

    public string Name { get; }

    public LogClient Client { get; }

    public LaneHost Host { get; }

    public SimulatedLane Lane { get; }

    /// <summary>Whether it does nothing any more.</summary>
    public bool IsGone => _isGone;

    /// <summary>Why it cannot go on; null: it can.</summary>
    public Exception? Failure => Host.Failure.Exception?.InnerException;

    /// <summary>What it waits for, in words.</summary>
    public string Lacks => $"{Name}: {(Lane.IsPaused ? "stands still" : string.Join("; ", Host.Health.Lacking.Select(lack => $"{lack.Key}: {lack.Value}")))}";

    protected Fleet Fleet { get; }

    /// <summary>It dies here and now.</summary>
    public void Kill()
    {
        Client.Die();
        Dying();
        End();
    }

    /// <summary>It ends in order: what it sent last is on its way for a while.</summary>
    public void Close()
    {
        End();
        Fleet.World.After(TimeSpan.FromSeconds(10), Client.Die);
    }

    protected PipelineLinks Join(string? output)
    {
        var (control, selections) = (new LogControlLink(Client, Fleet.Control, Fleet.Group, Host.Fail), new LogSelectionsLink(Client, Fleet.Selections, Fleet.Group, Host.Fail));
        var links = new PipelineLinks(control, new Shared.Links.Local.LocalPoolsLink(), Fleet.OverSelections(selections, control), new LogSnapshotsLink(Client, Fleet.Snapshots, Fleet.Format, Host.Fail));
        _owned.AddRange([control, selections, (IDisposable)links.Snapshots]);
        return Fleet.Book.Over(Name, output, Fleet.Defect?.Links?.Invoke(Client, links) ?? links);
    }

    protected virtual void Dying()
    {
    }

    protected abstract void Free();

    private void End()
    {
        if (_isGone)
            return;
        _isGone = true;
        Lane.IsPaused = false;
        Lane.End(async () => await Host.DisposeAsync());
        foreach (var link in _owned)
            link.Dispose();
        Free();
    }
}

/// <summary>An intake and selectors, as a process of role selector has them.</summary>
internal sealed class MemberProcess : FleetProcess
{
    private LogSource? _source;
    private ReferenceCache? _cache;
    private bool _hasLearner;

    public MemberProcess(Fleet fleet, string name) : base(fleet, name) => Lane.Post(Begin);

    public LogSource? Source => _source;

    /// <summary>Whether it has ended as it was asked to.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>Asks for an orderly end: its part of the input is given back first.</summary>
    public void Stop() => Lane.Post(async _ =>
    {
        if (_hasLearner && _source is { } source)
            await source.CloseAsync();
        HasStopped = true;
    }, null);

    protected override void Free()
    {
        if (_source is not null)
        {
            _ = _source.DisposeAsync();
            // Whether it could take leave or not.
            Fleet.Consumers.Silent(_source, () => true);
        }
        _cache?.Dispose();
    }

    private void Begin()
    {
        var links = Join(output: null);
        _cache = SelectorRole.OpenCache(Fleet.Policy, Fleet.Options, Shared.Files.PhysicalFiles.Instance, NullLogger.Instance);
        _source = new LogSource(Client, Fleet.Consumers, Fleet.SourceOptions) { EndOf = Fleet.Defect?.EndOf ?? (partition => partition.High) };
        links.Control.Join(Name + "/process", Hear);
        SelectorRole.Spawn(Host, links, Fleet.Policy, _cache, Fleet.Defect?.Source?.Invoke(_source) ?? _source, Fleet.Options, Name + "/");
    }

    private void Hear(ControlNotice notice)
    {
        switch (notice)
        {
            case EpochOpened:
                _hasLearner = true;
                break;
            case LearnerStopped { InputEnded: true }:
                HasStopped = true;
                break;
            case LearnerStopped:
                _hasLearner = false;
                break;
        }
    }
}

/// <summary>A learner, as a process of role learner has it.</summary>
internal sealed class LearnerProcess : FleetProcess
{
    private RunDirectory? _directory;
    private LearnerRole? _role;

    public LearnerProcess(Fleet fleet, string name, string output, FaultyFiles files) : base(fleet, name)
    {
        (Output, Files) = (output, files);
        Lane.Post(Begin);
    }

    public string Output { get; }

    public FaultyFiles Files { get; }

    /// <summary>How the run ended; null: it has not.</summary>
    public LearnerOutcome? Outcome => _role is { HasEnded: true } ? _role.EndAsync().GetAwaiter().GetResult() : null;

    /// <summary>Asks for a checkpoint and an orderly end.</summary>
    public void Stop() => Lane.Post(() => _role?.Stop());

    protected override void Dying() => Files.FailWhen(_ => true, Fault.Crash);

    protected override void Free() => _directory?.Dispose();

    private void Begin()
    {
        _directory = RunDirectory.Open(Output, Fleet.Defect?.Files?.Invoke(Files) ?? Files);
        _role = new LearnerRole(Host, Join(Output), Fleet.Policy, KafkaSource.IdentityOf(Fleet.Input), _directory, Fleet.Options, new LearnerSeams(_ => Fleet.Book.Updated(Name), _ => { }));
    }
}
