using System.Reflection;
using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Cluster.Checkpoints;
using MassDpo.Cluster.Links;
using MassDpo.Cluster.Tests.Links;
using MassDpo.Learner.Checkpoints;
using MassDpo.LinkKit;
using MassDpo.PipelineKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;
using MassDpo.Shared.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.Cluster.Tests.Checkpoints;

/// <summary>Nodes that may have the learner, each with an output directory of its own.</summary>
public sealed class CheckpointCopiesTests(SimulatedStream stream) : IClassFixture<SimulatedStream>, IAsyncLifetime
{
    private readonly TwoNodes _nodes = new() { Roles = ["learner", "learner", "learner"] };
    private readonly List<IAsyncDisposable> _copies = [];
    private readonly Inbox<string> _notes = new();

    public Task InitializeAsync() => _nodes.InitializeAsync();

    public async Task DisposeAsync()
    {
        foreach (var copies in _copies)
            await copies.DisposeAsync();
        await _nodes.DisposeAsync();
    }

    [Fact]
    public async Task When_the_learners_node_is_lost_another_goes_on_from_what_was_announced_to_the_same_bits()
    {
        var (whole, first, second, third) = (stream.NewOutput(), stream.NewOutput(), stream.NewOutput(), stream.NewOutput());
        await Job(whole).RunAsync(() => stream.Open(Options), (_, _) => { }, _ => { }, CancellationToken.None);
        var (here, there) = (Copies(0, first, 1), Copies(1, second, 1));
        Copies(2, third, 1);
        using var control = new AkkaControlLink(_nodes.Nodes[0], "run");
        using var next = new AkkaControlLink(_nodes.Nodes[1], "run");
        var notices = new Inbox<ControlNotice>();
        using var member = next.Join("member", notices.Add);
        using var stop = new CancellationTokenSource();
        var prepared = await here.PrepareAsync(control, default);
        using var blocked = new ManualResetEventSlim();
        var run = RunAsync(first, prepared, version =>
        {
            if (version == 8)
                blocked.Wait(CancellationToken.None);
        }, stop.Token);
        while ((await notices.Take(1))[0] is not CheckpointWritten { Version: 6 })
        {
        }
        // Announced: so one of the others has it, whole, with its logs.
        Assert.Contains(new[] { second, third }, output => Newest(output) is { Version: 6 } newest && Store(output).IsWhole(newest, (_, _) => { }));

        await _nodes.LoseFirstAsync();

        var goesOn = await there.PrepareAsync(next, default);
        await RunAsync(second, goesOn, _ => { }, CancellationToken.None);
        await goesOn.DisposeAsync();
        Assert.Equal(Newest(second), Newest(third));
        RunTrace.Of(second).AssertEachPositionOnce();
        RunTrace.Of(second).AssertSame(RunTrace.Of(whole));
        await stop.CancelAsync();
        blocked.Set();
        await run.ContinueWith(_ => { }, TaskScheduler.Default);
    }

    [Fact]
    public async Task A_checkpoint_is_announced_once_enough_nodes_hold_it_and_the_end_after_it()
    {
        var outputs = Enumerable.Range(0, 3).Select(_ => stream.NewOutput()).ToArray();
        Make(outputs[0], 7);
        using var control = new AkkaControlLink(_nodes.Nodes[0], "run");
        using var there = new AkkaControlLink(_nodes.Nodes[1], "run");
        var notices = new Inbox<ControlNotice>();
        using var member = there.Join("member", notices.Add);
        var copies = Copies(0, outputs[0], 2);
        Copies(1, outputs[1], 2);
        var prepared = await copies.PrepareAsync(control, default);
        var authority = await prepared.Control.ClaimAsync(new EpochClaim(5, 6, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        authority.Announce(new EpochOpened(5, 6, new SettledPositions()));
        authority.Announce(new CheckpointWritten(5, 6, new SettledPositions()));
        authority.Announce(new BatchClosed(5, 7));
        authority.Announce(new LearnerStopped(5, "the input has ended", true));
        // It has nothing more to say, but holds its claim until that is said.
        authority.Dispose();
        var ended = prepared.DisposeAsync().AsTask();
        Assert.Equal([typeof(EpochOpened), typeof(BatchClosed)], (await notices.Take(2)).Select(notice => notice.GetType()));
        // One of two has it; then both.
        Copies(2, outputs[2], 2);
        var last = await notices.Take(2);
        Assert.Equal(6, Assert.IsType<CheckpointWritten>(last[0]).Version);
        Assert.IsType<LearnerStopped>(last[1]);
        await ended;
        Assert.All(outputs, output => Store(output).Check(Newest(output)!.Value));
        Assert.Equal(0, notices.Count);

        // Who has an older one is refused, and told where was looked for what.
        await using var late = await copies.PrepareAsync(control, default);
        Assert.All(_nodes.Nodes, node => Assert.Contains($"{Akka.Cluster.Cluster.Get(node.System).SelfAddress}", late.Found));
        var refused = await Assert.ThrowsAsync<ClaimRefusedException>(async () => await late.Control.ClaimAsync(new EpochClaim(6, 3, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default));
        Assert.Contains("version 6", refused.Message);
        Assert.Contains(late.Found, refused.Message);
    }

    [Fact]
    public async Task What_is_not_announced_keeps_nobody_out_and_the_end_does_not_wait_for_nodes_that_are_not_there()
    {
        var output = stream.NewOutput();
        Make(output, 7);
        using var control = new AkkaControlLink(_nodes.Nodes[0], "run");
        var notices = new Inbox<ControlNotice>();
        using var member = control.Join("member", notices.Add);
        // More than there are.
        var copies = Copies(0, output, 3);
        var prepared = await copies.PrepareAsync(control, default);
        var authority = await prepared.Control.ClaimAsync(new EpochClaim(5, 6, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        authority.Announce(new CheckpointWritten(5, 6, new SettledPositions()));
        authority.Announce(new LearnerStopped(5, "the learner was asked to stop", false));
        authority.Dispose();
        Assert.IsType<LearnerStopped>((await notices.Take(1))[0]);
        await prepared.DisposeAsync();
        Assert.Contains("version 6 was not copied", (await _notes.Take(1))[0]);
        using var next = await control.ClaimAsync(new EpochClaim(6, 3, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
    }

    [Fact]
    public async Task A_keeper_that_cannot_read_its_directory_for_a_while_still_leads()
    {
        var (output, copy) = (stream.NewOutput(), stream.NewOutput());
        Make(output, 7);
        using var control = new AkkaControlLink(_nodes.Nodes[0], "run");
        var notices = new Inbox<ControlNotice>();
        using var member = control.Join("member", notices.Add);
        var files = DispatchProxy.Create<IFiles, ForbiddenFiles>();
        var copies = Copies(0, output, 1, files);
        Copies(1, copy, 1);
        var prepared = await copies.PrepareAsync(control, default);
        using var authority = await prepared.Control.ClaimAsync(new EpochClaim(5, 6, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        ((ForbiddenFiles)(object)files).IsForbidden = true;
        authority.Announce(new CheckpointWritten(5, 6, new SettledPositions()));
        while (!(await _notes.Take(1))[0].Contains("not yours", StringComparison.Ordinal))
        {
        }
        ((ForbiddenFiles)(object)files).IsForbidden = false;
        Assert.Equal(6, Assert.IsType<CheckpointWritten>((await notices.Take(1))[0]).Version);
        await prepared.DisposeAsync();
        Assert.Equal(Newest(output), Newest(copy));
    }

    [Fact]
    public async Task A_node_that_has_less_than_another_takes_that_before_its_learner_begins()
    {
        var (empty, older, newest) = (stream.NewOutput(), stream.NewOutput(), stream.NewOutput());
        Make(older, 4);
        Make(newest, 7);
        using (var directory = RunDirectory.Open(newest, PhysicalFiles.Instance))
            directory.KeepEpoch(9);
        using var control = new AkkaControlLink(_nodes.Nodes[0], "run");
        var copies = Copies(0, empty, 1);
        Copies(1, older, 1);
        Copies(2, newest, 1);
        await using var prepared = await copies.PrepareAsync(control, default);
        Assert.Equal(6, Newest(empty)!.Value.Version);
        // The directory is free for the learner, whose next epoch is newer than any.
        using (var directory = RunDirectory.Open(empty, PhysicalFiles.Instance))
            Assert.Equal(9, directory.LastEpoch);
        Assert.Contains("(this node) has none", prepared.Found);
        using var authority = await prepared.Control.ClaimAsync(new EpochClaim(10, 6, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        var notices = new Inbox<ControlNotice>();
        using var member = control.Join("member", notices.Add);
        authority.Announce(new CheckpointWritten(10, 6, new SettledPositions()));
        Assert.IsType<CheckpointWritten>((await notices.Take(1))[0]);
    }

    private CheckpointCopies Copies(int node, string output, int copies, IFiles? files = null)
    {
        var made = new CheckpointCopies(_nodes.Nodes[node].System, "learner", output, files ?? PhysicalFiles.Instance, copies, _notes.Add);
        _copies.Add(made);
        return made;
    }

    private static RunOptions Options { get; } = SimulatedStream.Options();

    private static CheckpointStore Store(string output) => new(RunDirectory.CheckpointsIn(output), PhysicalFiles.Instance, keep: 2);

    private static CheckpointName? Newest(string output) => Store(output).List() is [var newest, ..] ? newest : null;

    private RunJob Job(string output) =>
        new(new RunRequest(stream.PolicyDirectory, output, null, EvaluationOptions.From(EffectiveSettings.Load(null, [], [], [])), false, Options), NullLogger.Instance);

    private async Task RunAsync(string output, PreparedLearner prepared, Action<long> updated, CancellationToken stop)
    {
        using var local = PipelineLinks.Local();
        await Job(output).RunAsync(_ => Task.FromResult(RunWiring.Embedded(local with { Control = prepared.Control }, stream.Open(Options))), (progress, _) => updated(progress.Version), _ => { }, stop);
    }

    private void Make(string output, long version)
    {
        var at = 0L;
        using var run = new SimulatedRun(stream, Options, 1, output, progress: progress => at = progress.Version);
        run.Step(1_000_000, () => at >= version);
    }

    /// <summary>Files that may not be touched now and then, as after somebody has changed who owns them.</summary>
    public class ForbiddenFiles : DispatchProxy
    {
        private volatile bool _isForbidden;

        public bool IsForbidden
        {
            get => _isForbidden;
            set => _isForbidden = value;
        }

        protected override object? Invoke(MethodInfo? method, object?[]? arguments) =>
            IsForbidden ? throw new UnauthorizedAccessException("it is not yours") : method!.Invoke(PhysicalFiles.Instance, arguments);
    }
}
