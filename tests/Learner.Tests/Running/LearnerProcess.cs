using MassDpo.Learner.Checkpoints;
using MassDpo.Policy;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links.Local;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Learner.Tests.Running;

/// <summary>
/// One process of a run under a simulated host: the learner, with or without the intakes and selectors of a scenario. Leaving it without <see cref="Stop"/> is a crash.
/// </summary>
internal sealed class LearnerProcess : IDisposable
{
    private readonly MadeRun _made;
    private readonly RunDirectory _directory;

    public LearnerProcess(MadeRun made, string output, IFiles files, int seed, MadeTopic? told = null)
    {
        _made = made;
        _directory = RunDirectory.Open(output, files);
        Host = new SimulatedHost(seed);
        var parts = new LearnerParts(_directory, new PolicyOrigin(made.PolicyPath), made.NewTrainer, Control, Selections, Snapshots, Applied.Add, Progress.Add, outcome =>
        {
            Assert.Null(Outcome);
            Outcome = outcome;
        });
        if (told is not null)
            parts = parts with { NewOutcomes = told.NewSink };
        Learner = Host.Spawn<LearnerMessage>("learner", context => new Counted(new LearnerActor(context, parts, made.Options), () => Messages++));
    }

    public SimulatedHost Host { get; }

    public IActorRef<LearnerMessage> Learner { get; }

    public LocalControlLink Control { get; } = new();

    public LocalPoolsLink Pools { get; } = new();

    public LocalSelectionsLink Selections { get; } = new();

    public LocalSnapshotsLink Snapshots { get; } = new();

    /// <summary>The events of what was applied, in the order in which they were told.</summary>
    public List<SelectionEvent> Applied { get; } = [];

    public List<LearnerProgress> Progress { get; } = [];

    /// <summary>Messages that the learner has handled.</summary>
    public int Messages { get; private set; }

    public LearnerOutcome? Outcome { get; private set; }

    public LearnerProcess WithIntake(IntakeScript? script = null, IReadOnlyList<CandidatePool>? records = null, string name = MadeRun.Source)
    {
        var window = 2 * (_made.Options.Slots.MaxStaleness + 1) * _made.Options.Slots.BatchSize;
        Host.Spawn<Shared.Links.ControlNotice>(name, context =>
            new ScriptedIntake(context, name, records ?? _made.Records, window, script ?? IntakeScript.Plain, Control, Pools));
        return this;
    }

    public LearnerProcess WithSelectors(int count, Func<PoolBlock, SelectorAct>? script = null)
    {
        for (var i = 1; i <= count; i++)
        {
            var name = $"selector-{i}";
            Host.Spawn<SelectorMessage>(name, context =>
                new ScriptedSelector(context, name, _made, script ?? (_ => SelectorAct.Compute), Control, Pools, Selections, Snapshots));
        }
        return this;
    }

    /// <summary>Runs to the end of the input, or of what stopping takes.</summary>
    public LearnerOutcome RunToEnd()
    {
        Host.RunUntil(() => Outcome is not null);
        return Outcome!;
    }

    /// <summary>Asks for an orderly end and runs to it.</summary>
    public LearnerOutcome Stop()
    {
        Learner.Post(new LearnerMessage.Stop());
        return RunToEnd();
    }

    /// <summary>What ends with the process: the lock, and the native memory of what is published.</summary>
    public void Dispose()
    {
        _directory.Dispose();
        Snapshots.Dispose();
        Host.Instruments.Dispose();
    }

    private sealed class Counted(LearnerActor learner, Action handled) : Actor<LearnerMessage>
    {
        public override ValueTask StartAsync(CancellationToken cancellation) => learner.StartAsync(cancellation);

        public override async ValueTask ReceiveAsync(LearnerMessage message, CancellationToken cancellation)
        {
            await learner.ReceiveAsync(message, cancellation);
            handled();
        }

        public override ValueTask StopAsync() => learner.StopAsync();
    }
}
